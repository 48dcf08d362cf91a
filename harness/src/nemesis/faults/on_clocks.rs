//! The wall clocks of some nodes set, seen to be, and set right again.
//!
//! ```text
//! draw a setting for each node ── set ── ask the node until what it says can come from the new
//!                                        setting only, and every offset of it was seen
//! ```
//!
//! The nodes are not held: other faults may hit them meanwhile, and a node that is down then is not
//! asked, because its clock waits for it. A node whose clock is set already is left alone.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::selector::Selector;
use crate::nemesis::fault::{ActiveFault, Fault, Situation};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{ClockReading, Installed, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::{ClockSetting, Clocks, ProcessState, SetClock};

pub(super) const MILLISECOND: i64 = 1_000_000;
pub(super) const SECOND: i64 = 1000 * MILLISECOND;

/// How long a node is asked until it has shown what was set.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two questions to a node, so that it answers clients too.
const ASK_AGAIN: Duration = Duration::from_millis(5);
/// Readings in a row that a clock which still strobes gives once in thirty times.
const STROBE_READINGS: usize = 5;
/// What a reading may be off besides its own uncertainty: the resolution of coarse clocks.
const SLACK: i64 = 5 * MILLISECOND;

/// How clocks are moved.
pub(super) trait ClockMotion: fmt::Debug + Clone + Copy + Send + Sync + 'static {
    /// In words: `clock jump`.
    const VERB: &'static str;

    /// Tells it from other ways of the same kind; empty if there is only one.
    fn variant(self) -> &'static str;

    /// What one node's clock is set to.
    fn draw(self, rng: &mut ChaCha8Rng) -> ClockSetting;
}

#[derive(Debug)]
struct OnClocks<M> {
    motion: M,
    selector: Selector,
}

/// Every motion on whichever nodes make sense.
pub(super) fn on_clocks<M: ClockMotion>(
    motions: &[M],
    situation: Situation,
) -> Vec<Arc<dyn Fault>> {
    // No node is lost, so that a quorum stays in any case.
    let selectors = Selector::variants(Situation { keep_quorum: false, ..situation });
    let pairs = motions.iter().flat_map(|&motion| {
        selectors.iter().map(move |&selector| Arc::new(OnClocks { motion, selector }) as _)
    });
    pairs.collect()
}

impl<M: ClockMotion> Fault for OnClocks<M> {
    fn variant(&self) -> String {
        match self.motion.variant() {
            "" => self.selector.variant().to_owned(),
            motion => format!("{}, {motion}", self.selector.variant()),
        }
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let verb = format!("{} {}", M::VERB, self.motion.variant());
        let verb = verb.trim_end();
        record.description = format!("{verb} {}", self.selector);
        let Some(clocks) = surroundings.platform.clocks() else {
            return Err(Skipped::new("clocks of nodes cannot be set here, see `harness doctor`"));
        };
        let chosen = self.selector.select(surroundings, rng)?;
        let is_true =
            |node| clocks.current(node).is_some_and(|it| it.setting == ClockSetting::TRUE);
        let chosen: Vec<NodeId> = chosen
            .into_iter()
            .filter(|&node| is_true(node) && is_running(surroundings, node))
            .collect();
        if chosen.is_empty() {
            let reason = "another fault moves these clocks, or the nodes are down";
            return Err(Skipped::new(reason));
        }
        record.description = self.selector.describe(verb, &chosen);
        record.targets.clone_from(&chosen);
        let mut settings = Map::new();
        let mut watched = Vec::new();
        let mut problems = Vec::new();
        for &node in &chosen {
            let setting = self.motion.draw(rng);
            settings.insert(node.to_string(), json!(setting));
            let before = clocks.current(node);
            match (before, clocks.set(node, setting)) {
                (Some(before), Ok(after)) => watched.push(Change { node, before, after }),
                (_, Err(error)) => problems.push(format!("{node}: {error}")),
                (None, Ok(_)) => problems.push(format!("{node} has no clock")),
            }
        }
        record.parameters = json!({ "selector": self.selector, "settings": settings });
        record.installed_time = Some(surroundings.now());
        let seen = watch(&watched, problems, surroundings);
        Ok(Installed::new(ActiveOnClocks { nodes: chosen }, seen))
    }
}

/// Nodes whose clocks are wrong.
struct ActiveOnClocks {
    nodes: Vec<NodeId>,
}

impl ActiveFault for ActiveOnClocks {
    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let mut changes = Vec::new();
        let mut problems = Vec::new();
        for &node in &self.nodes {
            match surroundings.platform.clocks().map(|clocks| set_right(clocks, node)) {
                Some(Ok(change)) => changes.push(change),
                Some(Err(reason)) => {
                    record.heal_failure = Some(reason.clone());
                    problems.push(reason);
                }
                None => problems.push(format!("{node} has lost its clock")),
            }
        }
        record.healed_time = Some(surroundings.now());
        watch(&changes, problems, surroundings)
    }
}

fn set_right(clocks: &dyn Clocks, node: NodeId) -> Result<Change, String> {
    let before = clocks.current(node).ok_or_else(|| format!("{node} has no clock"))?;
    let after = clocks
        .set(node, ClockSetting::TRUE)
        .map_err(|error| format!("set the clock of {node} right: {error}"))?;
    Ok(Change { node, before, after })
}

fn is_running(surroundings: &Surroundings<'_>, node: NodeId) -> bool {
    matches!(surroundings.platform.process().state(node), ProcessState::Running { .. })
}

/// A clock that was set anew.
#[derive(Debug, Clone, Copy)]
struct Change {
    node: NodeId,
    before: SetClock,
    after: SetClock,
}

impl Change {
    /// The offsets that the node may show when it is asked at this time.
    fn expected(self, at: i64) -> Vec<i64> {
        self.after.setting.offsets(at - self.after.since)
    }

    /// Readings of each offset that are enough. A clock that strobed was right half of the time.
    fn readings_min(self) -> usize {
        match self.before.setting.strobe {
            Some(_) => STROBE_READINGS,
            None => 1,
        }
    }

    /// Which expected offset a reading shows; none if it may as well come from the time before,
    /// from another offset, or fits nothing.
    fn shown(self, reading: ClockReading) -> Option<usize> {
        let expected = self.expected(reading.at);
        let earlier = self.before.setting.offsets(reading.at - self.before.since);
        // While the question was under way the clock may have drifted on.
        let drifted = self.expected(reading.at + reading.uncertainty)[0] - expected[0];
        let tolerance = reading.uncertainty + drifted.abs() + SLACK;
        let fits = |offset: i64| (reading.ahead - offset).abs() <= tolerance;
        let shown = expected.iter().position(|&offset| fits(offset))?;
        let mut others = expected.iter().chain(&earlier);
        others.all(|&offset| offset == expected[shown] || !fits(offset)).then_some(shown)
    }
}

/// Asks the nodes until each has shown what was set.
fn watch(changes: &[Change], mut problems: Vec<String>, surroundings: &Surroundings<'_>) -> Seen {
    let mut evidence = Map::new();
    let mut sentences = Vec::new();
    for change in changes {
        if !is_running(surroundings, change.node) {
            // A node that another fault has stopped finds its clock set when it goes on.
            evidence.insert(change.node.to_string(), json!({ "not_asked": "not running" }));
            sentences.push(format!("{} set while it is down", change.node));
            continue;
        }
        match watch_one(*change, surroundings) {
            Ok((seen, sentence)) => {
                evidence.insert(change.node.to_string(), seen);
                sentences.push(sentence);
            }
            Err(reason) => problems.push(reason),
        }
    }
    let evidence = Value::Object(evidence);
    if problems.is_empty() {
        Seen::Yes { evidence, summary: sentences.join(", ") }
    } else {
        Seen::Unclear { reason: problems.join("; "), evidence }
    }
}

fn watch_one(change: Change, surroundings: &Surroundings<'_>) -> Result<(Value, String), String> {
    let node = change.node;
    let deadline = Instant::now() + PATIENCE;
    let mut seen = vec![Vec::new(); change.expected(change.after.since).len()];
    let mut last = None;
    let mut asked = false;
    while seen.iter().any(|readings| readings.len() < change.readings_min()) {
        if Instant::now() >= deadline {
            return Err(match last {
                Some(ClockReading { ahead, uncertainty, .. }) => format!(
                    "{node} shows {} (give or take {}), which does not tell that it was set",
                    signed(ahead),
                    seconds(uncertainty)
                ),
                None => format!("{node} does not say what its wall clock shows"),
            });
        }
        if std::mem::replace(&mut asked, true) {
            std::thread::sleep(ASK_AGAIN);
        }
        let Some(reading) = surroundings.control.wall_clock(node) else { continue };
        last = Some(reading);
        match change.shown(reading) {
            Some(shown) => seen[shown].push(reading),
            None => seen.iter_mut().for_each(Vec::clear),
        }
    }
    let mut readings = Vec::new();
    let mut words = Vec::new();
    for (shown, of_offset) in seen.iter().enumerate() {
        let reading = of_offset.last().expect("the loop above ends when there are readings");
        let asked = change.expected(reading.at)[shown];
        words.push(signed(reading.ahead));
        readings.push(json!({
            "asked_ns": asked,
            "measured_ns": reading.ahead,
            "uncertainty_ns": reading.uncertainty,
        }));
    }
    Ok((Value::Array(readings), format!("{node} seen at {}", words.join(" and "))))
}

/// `+1.500 s`.
fn signed(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { '-' } else { '+' };
    format!("{sign}{}", seconds(nanoseconds))
}

fn seconds(nanoseconds: i64) -> String {
    let milliseconds = nanoseconds.unsigned_abs() / MILLISECOND.unsigned_abs();
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Strobe;

    const TRUE: SetClock = SetClock { setting: ClockSetting::TRUE, since: 0 };

    fn change(setting: ClockSetting) -> Change {
        Change { node: NodeId(1), before: TRUE, after: SetClock { setting, since: 0 } }
    }

    fn reading(at: i64, ahead: i64, uncertainty: i64) -> ClockReading {
        ClockReading { at, ahead, uncertainty }
    }

    #[test]
    fn a_jump_is_seen_by_a_reading_that_only_it_explains() {
        let jump = change(ClockSetting { offset: -200 * MILLISECOND, ..ClockSetting::TRUE });
        assert_eq!(jump.shown(reading(0, -199 * MILLISECOND, MILLISECOND)), Some(0));
        assert_eq!(jump.shown(reading(0, 0, MILLISECOND)), None, "not moved");
        assert_eq!(jump.shown(reading(0, 200 * MILLISECOND, MILLISECOND)), None, "wrong way");
        let slow = reading(0, -150 * MILLISECOND, 300 * MILLISECOND);
        assert_eq!(jump.shown(slow), None, "an unmoved clock explains it too");
    }

    #[test]
    fn a_drift_is_seen_once_it_is_far_enough() {
        let drift = change(ClockSetting { drift_ppm: 100_000, ..ClockSetting::TRUE });
        let early = reading(20 * MILLISECOND, 2 * MILLISECOND, MILLISECOND);
        assert_eq!(drift.shown(early), None);
        assert_eq!(drift.shown(reading(SECOND, 100 * MILLISECOND, MILLISECOND)), Some(0));
    }

    #[test]
    fn both_sides_of_a_strobe_are_told_apart() {
        let strobe = Some(Strobe { swing: SECOND, half_period: 1 });
        let strobe = change(ClockSetting { strobe, ..ClockSetting::TRUE });
        assert_eq!(strobe.shown(reading(0, 0, MILLISECOND)), Some(0));
        assert_eq!(strobe.shown(reading(0, SECOND, MILLISECOND)), Some(1));
        assert_eq!(strobe.shown(reading(0, SECOND / 2, MILLISECOND)), None);
        assert_eq!(strobe.shown(reading(0, SECOND / 2, SECOND)), None);
    }

    #[test]
    fn a_clock_that_was_set_right_is_seen_to_be() {
        let setting = ClockSetting { offset: SECOND, ..ClockSetting::TRUE };
        let before = SetClock { setting, since: 0 };
        let after = SetClock { setting: ClockSetting::TRUE, since: 5 };
        let healed = Change { node: NodeId(1), before, after };
        assert_eq!(healed.shown(reading(9, 0, MILLISECOND)), Some(0));
        assert_eq!(healed.shown(reading(9, SECOND, MILLISECOND)), None);
    }

    #[test]
    fn amounts_are_written_in_seconds() {
        assert_eq!(signed(-1_500_000_000), "-1.500 s");
        assert_eq!(signed(90 * SECOND + MILLISECOND), "+90.001 s");
    }
}
