//! Conditions on some links, for as long as the fault lasts: measure packets before, meanwhile and after.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::{Value, json};

use super::cut::link_names;
use super::link_selector::LinkSelector;
use crate::nemesis::fault::{ActiveFault, Fault, Situation};
use crate::nemesis::network::NetworkClaim;
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::{Carried, Link, LinkConditions, Measured, PlatformError, Train};
use crate::plural::counted;

/// How long to wait for the first packet of the nodes that meets the conditions.
const TRAFFIC_PATIENCE: Duration = Duration::from_secs(2);
const TRAFFIC_POLL: Duration = Duration::from_millis(20);

/// Probes of links that should be as they were.
const AFTERWARDS: Train = Train {
    packets: 10,
    size: 100,
    spacing: Duration::from_millis(1),
    patience: Duration::from_millis(250),
};

/// What befalls links.
pub(super) trait LinkFault: fmt::Debug + Clone + Copy + Send + Sync + 'static {
    /// The name of the kind.
    const NAME: &'static str;

    /// Draws how hard.
    fn draw(self, rng: &mut ChaCha8Rng) -> LinkConditions;

    /// The conditions in words: `30 ms`.
    fn words(self, conditions: &LinkConditions) -> String;

    /// Looks whether the conditions are met; a sentence about it, or why it is not seen.
    fn look(self, conditions: &LinkConditions, look: &mut Look<'_>) -> Result<String, String>;
}

/// A planned condition on links.
#[derive(Debug)]
struct OnLinks<F> {
    fault: F,
    selector: LinkSelector,
}

/// The fault on whichever links make sense.
pub(super) fn on_links<F: LinkFault>(fault: F, situation: Situation) -> Vec<Arc<dyn Fault>> {
    let of_selector = |selector| Arc::new(OnLinks { fault, selector }) as Arc<dyn Fault>;
    LinkSelector::variants(situation).into_iter().map(of_selector).collect()
}

impl<F: LinkFault> Fault for OnLinks<F> {
    fn variant(&self) -> String {
        self.selector.variant().to_owned()
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let conditions = self.fault.draw(rng);
        let selection = self.selector.select(surroundings, rng);
        let words = self.fault.words(&conditions);
        record.description = format!("{}: {words} {}", F::NAME, selection.words);
        record.targets = selection.targets;
        record.parameters = json!({
            "links": link_names(&selection.links),
            "conditions": conditions,
        });
        let claim = surroundings.network.claim();
        let before = Counts::now(&claim, surroundings.nodes);
        let shaped = selection.links.iter().map(|&link| (link, conditions)).collect();
        let seed = rng.next_u64();
        claim.shape(&shaped, seed)?;
        record.installed_time = Some(surroundings.now());
        let fault = Shaped { claim, links: shaped, before };
        let seen = fault.look(self.fault, &conditions, surroundings.nodes);
        Ok(Installed::new(fault, seen))
    }
}

/// Links that are shaped.
struct Shaped {
    claim: NetworkClaim,
    links: BTreeMap<Link, LinkConditions>,
    before: Counts,
}

impl Shaped {
    fn look<F: LinkFault>(&self, fault: F, conditions: &LinkConditions, nodes: &[NodeId]) -> Seen {
        let links = self.claim.alone_on(self.links.keys().copied());
        if links.is_empty() {
            let reason =
                "other faults act on all of its links, so that nothing can be told from probes";
            return Seen::Unclear { reason: reason.to_owned(), evidence: json!({}) };
        }
        let mut look =
            Look { claim: &self.claim, links, nodes, before: self.before, evidence: json!({}) };
        let seen = fault.look(conditions, &mut look);
        let evidence = look.evidence;
        match seen {
            Ok(summary) => Seen::Yes { evidence, summary },
            Err(reason) => Seen::Unclear { reason, evidence },
        }
    }
}

impl ActiveFault for Shaped {
    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let counts = Counts::now(&self.claim, surroundings.nodes).since(self.before);
        let healed = self.claim.release();
        record.healed_time = Some(surroundings.now());
        let evidence = json!({ "meanwhile": counts });
        if let Err(error) = healed {
            let reason = format!("heal the links: {error}");
            record.heal_failure = Some(reason.clone());
            return Seen::Unclear { reason, evidence };
        }
        let links = self.claim.alone_on(self.links.keys().copied());
        let measured = match self.claim.fabric().measure(&links, AFTERWARDS) {
            Ok(measured) => measured,
            Err(error) => {
                let reason = format!("probe the healed links: {error}");
                return Seen::Unclear { reason, evidence };
            }
        };
        let pooled = Pooled::of(&measured);
        let evidence = json!({ "meanwhile": counts, "measured": pooled });
        let silent = measured.iter().find(|link| link.arrived == 0);
        if let Some(Measured { from, to, .. }) = silent {
            let reason = format!("after the heal nothing arrived from {from} at {to}");
            return Seen::Unclear { reason, evidence };
        }
        if pooled.duplicates > 0 {
            let reason = "after the heal packets still arrived twice".to_owned();
            return Seen::Unclear { reason, evidence };
        }
        let summary = format!(
            "{}; after the heal {} of {} probes arrived",
            counts.words(),
            pooled.arrived,
            pooled.sent
        );
        Seen::Yes { evidence, summary }
    }
}

/// A look at links on which no other fault acts.
pub(super) struct Look<'a> {
    claim: &'a NetworkClaim,
    links: Vec<Link>,
    nodes: &'a [NodeId],
    before: Counts,
    evidence: Value,
}

impl Look<'_> {
    /// Sends a train over each link.
    ///
    /// # Errors
    /// Why it could not be sent.
    pub(super) fn measure(&mut self, train: Train) -> Result<Vec<Measured>, String> {
        let measured = self
            .claim
            .fabric()
            .measure(&self.links, train)
            .map_err(|error: PlatformError| format!("probe the links: {error}"))?;
        self.evidence["measured"] = json!(Pooled::of(&measured));
        if self.links.len() == 1 {
            self.evidence["links"] = json!(measured);
        }
        Ok(measured)
    }

    /// Sends so many packets over all links together, and adds up what became of them.
    ///
    /// # Errors
    /// Why they could not be sent.
    pub(super) fn sample(&mut self, packets: u32) -> Result<Pooled, String> {
        let links = u32::try_from(self.links.len()).unwrap_or(u32::MAX);
        let train = Train {
            packets: packets.div_ceil(links).max(10),
            size: 100,
            spacing: Duration::from_millis(2),
            patience: Duration::from_millis(200),
        };
        self.measure(train).map(|measured| Pooled::of(&measured))
    }

    /// Waits until the counts since the fault began are as wanted, but not for ever; the last counts.
    pub(super) fn await_counts(&mut self, wanted: impl Fn(&Counts) -> bool) -> Counts {
        let deadline = Instant::now() + TRAFFIC_PATIENCE;
        loop {
            let counts = Counts::now(self.claim, self.nodes).since(self.before);
            if wanted(&counts) || Instant::now() >= deadline {
                self.evidence["counts"] = json!(counts);
                return counts;
            }
            std::thread::sleep(TRAFFIC_POLL);
        }
    }
}

/// What the network and the nodes have counted.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Counts {
    /// By the switch.
    pub(super) carried: Carried,
    /// TCP connections that nodes lost to a reset.
    pub(super) connections_reset: u64,
    /// Segments that nodes threw away for their checksum.
    pub(super) checksum_errors: u64,
}

impl Counts {
    fn now(claim: &NetworkClaim, nodes: &[NodeId]) -> Counts {
        let fabric = claim.fabric();
        let mut counts = Counts { carried: fabric.carried(), ..Counts::default() };
        for tcp in nodes.iter().filter_map(|&node| fabric.tcp_counters(node).ok()) {
            counts.connections_reset += tcp.resets;
            counts.checksum_errors += tcp.checksum_errors;
        }
        counts
    }

    fn since(self, earlier: Counts) -> Counts {
        Counts {
            carried: self.carried.since(earlier.carried),
            connections_reset: self.connections_reset.saturating_sub(earlier.connections_reset),
            checksum_errors: self.checksum_errors.saturating_sub(earlier.checksum_errors),
        }
    }

    /// `812 packets met it: 79 lost`.
    fn words(&self) -> String {
        let Carried {
            packets,
            lost,
            duplicated,
            reordered,
            corrupted,
            reset,
            forgotten,
            overflowed,
        } = self.carried;
        let parts = [
            (lost, "lost"),
            (duplicated, "sent twice"),
            (reordered, "held back"),
            (corrupted, "corrupted"),
            (reset, "answered by resets"),
            (forgotten, "of old connections dropped"),
            (overflowed, "dropped from full queues"),
        ];
        let mut parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if self.connections_reset > 0 {
            parts.push(format!("{} reset", counted(self.connections_reset, "connection")));
        }
        if self.checksum_errors > 0 {
            let errors = counted(self.checksum_errors, "wrong checksum");
            parts.push(format!("{errors} seen by nodes"));
        }
        let packets = counted(packets, "packet");
        if parts.is_empty() {
            format!("{packets} met it")
        } else {
            format!("{packets} met it: {}", parts.join(", "))
        }
    }
}

/// Trains of all links together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Pooled {
    pub(super) sent: u32,
    pub(super) arrived: u32,
    pub(super) duplicates: u32,
    pub(super) overtaken: u32,
    /// The median of the links' median delays.
    pub(super) delay: Option<Duration>,
}

impl Pooled {
    fn of(measured: &[Measured]) -> Pooled {
        let mut delays: Vec<Duration> = measured.iter().filter_map(|link| link.delay).collect();
        delays.sort_unstable();
        Pooled {
            sent: measured.iter().map(|link| link.sent).sum(),
            arrived: measured.iter().map(|link| link.arrived).sum(),
            duplicates: measured.iter().map(|link| link.duplicates).sum(),
            overtaken: measured.iter().map(|link| link.overtaken).sum(),
            delay: delays.get(delays.len() / 2).copied(),
        }
    }
}

/// Is `count` of `sent` what a chance gives, within four standard deviations and two packets?
pub(super) fn is_about(count: u32, sent: u32, chance: f64) -> bool {
    let sent = f64::from(sent);
    let deviation = (sent * chance * (1.0 - chance)).sqrt();
    (f64::from(count) - sent * chance).abs() <= 4.0 * deviation + 2.0
}

/// One of these values, each as likely.
pub(super) fn one_of<T: Copy>(values: &[T], rng: &mut ChaCha8Rng) -> T {
    values[rng.random_range(0..values.len())]
}

/// `30%`, `2.5%`.
pub(super) fn percent(chance: f64) -> String {
    format!("{}%", (chance * 1000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_taken_for_a_chance_only_if_it_is_near() {
        assert!(is_about(30, 100, 0.3) && is_about(45, 100, 0.3) && is_about(15, 100, 0.3));
        assert!(!is_about(0, 100, 0.3) && !is_about(60, 100, 0.3));
        assert!(!is_about(0, 200, 0.1), "no loss at all is not taken for ten percent");
    }

    #[test]
    fn chances_are_printed_in_percent() {
        assert_eq!([0.3, 0.025, 1.0].map(percent), ["30%", "2.5%", "100%"]);
    }

    #[test]
    fn counts_say_only_what_happened() {
        let mut counts = Counts::default();
        assert_eq!(counts.words(), "0 packets met it");
        counts.carried = Carried { packets: 9, lost: 2, ..Carried::default() };
        assert_eq!(counts.words(), "9 packets met it: 2 lost");
    }
}
