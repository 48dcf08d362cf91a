//! Stopped clients, which go on in the middle of what they did.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::nemesis::fault::{ActiveFault, Arrangement, Fault, FaultKind};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, PROBE_PATIENCE, Seen, Skipped, Surroundings};
use crate::pausable::{Observed, PausableClient};
use crate::plural::counted;

/// Clients that stop.
pub const CLIENT_PAUSE: FaultKind = FaultKind {
    name: "client-pause",
    about: "Clients stop in the middle of whatever they do, as for a garbage collection, and go on when the \
            fault heals as if no time had passed. Finds locks and leases that protect nothing once \
            they ended unseen.",
    help: "\
How: clients are stopped in the harness: one of them, half, or all but one, whatever each is doing. A stopped client sends nothing, \
keeps no lease alive, and does not see what arrives. Its time does not count against --operation-timeout.
Seen to act: every one of them tries to go on and does not, ends no operation, and tries again with success afterwards; the record \
says how many were in the middle of an operation.
Finds: writes under a lock whose lease ended meanwhile (workload lock-set), which no lock service can prevent alone: what the lock \
protects must refuse them, by fencing tokens or by a condition on the lock. Leases live for 1 or 2 s, so that a fault should last \
longer: --interval 7s or more.
Nodes keep running: a quorum is always left. Works beside every other fault, on every system.",
    nodes_min: 1,
    forgets: false,
    arrangements: &[Arrangement::Clients],
    variants: |_| {
        // Half comes twice as often: it leaves many holders of locks, and others who want them.
        [Share::Half, Share::One, Share::Half, Share::AllButOne]
            .map(|share| Arc::new(ClientPause { share }) as Arc<dyn Fault>)
            .into()
    },
};

/// Pause between looks at clients.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// How many of the clients.
#[derive(Debug, Clone, Copy)]
enum Share {
    One,
    Half,
    AllButOne,
}

#[derive(Debug)]
struct ClientPause {
    share: Share,
}

impl Fault for ClientPause {
    fn variant(&self) -> String {
        match self.share {
            Share::One => "one",
            Share::Half => "half",
            Share::AllButOne => "all but one",
        }
        .to_owned()
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        record.description = format!("client-pause: {}", self.variant());
        let clients = surroundings.control.clients();
        if clients.is_empty() {
            return Err(Skipped::new("there are no clients that can be stopped"));
        }
        let all = clients.len();
        let number = match self.share {
            Share::One => 1,
            Share::Half => all.div_ceil(2),
            Share::AllButOne => (all - 1).max(1),
        };
        let mut chosen: Vec<usize> = (0..all).collect();
        chosen.shuffle(rng);
        chosen.truncate(number);
        chosen.sort_unstable();
        record.description = format!("client-pause: {number} of {}", counted(all as u64, "client"));
        record.parameters = json!({ "share": self.variant(), "clients": chosen });
        let stopped: Vec<PausableClient> =
            chosen.iter().map(|&number| clients.client(number)).collect();
        stopped.iter().for_each(PausableClient::stop);
        let are_held = all_seen(&stopped, |client| client.is_held);
        record.installed_time = Some(surroundings.now());
        let then: Vec<Observed> = stopped.iter().map(PausableClient::observe).collect();
        let busy = then.iter().filter(|client| client.is_busy).count();
        let evidence = json!({ "stopped": number, "in_the_middle_of_an_operation": busy });
        let seen = match are_held {
            true => Seen::Yes {
                evidence,
                summary: format!(
                    "{} seen to be stopped, {busy} in the middle of an operation",
                    counted(number as u64, "client")
                ),
            },
            false => Seen::Unclear { reason: "not every client stopped".to_owned(), evidence },
        };
        Ok(Installed::new(StoppedClients { stopped, then }, seen))
    }
}

/// Are all clients seen so, in time?
fn all_seen(clients: &[PausableClient], wanted: impl Fn(Observed) -> bool) -> bool {
    let began = Instant::now();
    while !clients.iter().all(|client| wanted(client.observe())) {
        if began.elapsed() > PROBE_PATIENCE {
            return false;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    true
}

/// Clients that stand still, and what they did when they were stopped.
struct StoppedClients {
    stopped: Vec<PausableClient>,
    then: Vec<Observed>,
}

impl ActiveFault for StoppedClients {
    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let before = self.stopped.iter().zip(&self.then);
        let moved = before.filter(|(client, then)| client.observe().ended != then.ended).count();
        self.stopped.iter().for_each(PausableClient::resume);
        record.healed_time = Some(surroundings.now());
        let began = Instant::now();
        let go_on = all_seen(&self.stopped, |client| !client.is_held);
        let evidence = json!({
            "ended_operations_while_stopped": moved,
            "went_on_within_ms": began.elapsed().as_millis() as u64,
        });
        let clients = counted(self.stopped.len() as u64, "client");
        match moved == 0 && go_on {
            true => Seen::Yes { evidence, summary: format!("{clients} going on") },
            false => {
                let reason = format!("{moved} of {clients} ended operations while stopped");
                Seen::Unclear { reason, evidence }
            }
        }
    }
}
