//! Writers that do not rest, and what became of each of their writes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proto::client::{Client, ClientOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::eventually::eventually;

const WRITERS: u64 = 4;
/// From the start of one write of a writer to the start of its next, if it is answered by then.
const PACE: Duration = Duration::from_millis(8);
/// Entries in a key, so that no value grows large.
const ENTRIES: u64 = 100;

/// Writers at work. Each appends its own numbers, from 1, to keys of its own.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    acknowledged: Arc<AtomicU64>,
    writers: JoinSet<Written>,
    started: Instant,
    marks: Vec<(Instant, String)>,
}

/// What one writer was told.
#[derive(Debug, Default)]
struct Written {
    writer: u64,
    acknowledged: BTreeSet<u64>,
    /// Surely without an effect.
    refused: BTreeSet<u64>,
    in_doubt: BTreeSet<u64>,
    times: Vec<Instant>,
}

/// What all of them were told.
#[derive(Debug)]
pub(crate) struct Told {
    writers: Vec<Written>,
    pub(crate) longest_gap: Duration,
    /// What was done to the cluster before and during it.
    pub(crate) gap_began: String,
}

impl Load {
    /// Starts writers that find the nodes in a cluster file, which may change.
    pub(crate) fn start(cluster_file: &Path) -> Load {
        let (stop, stopping) = watch::channel(false);
        let acknowledged = Arc::new(AtomicU64::new(0));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            // Half of them let the nodes forward, half go to the leader.
            let follow_leader = writer % 2 == 0;
            let options = ClientOptions {
                timeout: Duration::from_secs(15),
                attempt_timeout: Duration::from_secs(1),
                follow_leader,
                seed: writer,
                ..ClientOptions::new()
            };
            let client = Client::from_cluster_file(cluster_file, options).unwrap();
            writers.spawn(write(writer, client, stopping.clone(), Arc::clone(&acknowledged)));
        }
        Load { stop, acknowledged, writers, started: Instant::now(), marks: Vec::new() }
    }

    /// Remembers when this was done to the cluster.
    pub(crate) fn mark(&mut self, what: impl Into<String>) {
        self.marks.push((Instant::now(), what.into()));
    }

    /// Waits until so many more writes are acknowledged.
    pub(crate) async fn goes_on(&self, writes: u64) {
        let before = self.acknowledged.load(Ordering::SeqCst);
        eventually("writes are acknowledged", async || {
            (self.acknowledged.load(Ordering::SeqCst) >= before + writes).then_some(())
        })
        .await;
    }

    /// Lets the writers end their last write.
    pub(crate) async fn finish(self) -> Told {
        let _ = self.stop.send(true);
        let stopped = Instant::now();
        let writers = self.writers.join_all().await;
        let mut times: Vec<Instant> = vec![self.started, stopped];
        times.extend(writers.iter().flat_map(|it| &it.times));
        times.retain(|time| *time <= stopped);
        times.sort_unstable();
        let gaps = times.windows(2).map(|pair| (pair[1] - pair[0], pair[0]));
        let (longest_gap, began) = gaps.max().unwrap();
        let mut marks = self.marks.iter().filter(|(time, _)| *time < began + longest_gap);
        let gap_began = marks.next_back().map_or("the start", |(_, what)| what).to_owned();
        Told { writers, longest_gap, gap_began }
    }
}

async fn write(
    writer: u64,
    mut client: Client,
    stopping: watch::Receiver<bool>,
    acknowledged: Arc<AtomicU64>,
) -> Written {
    client.open_session().await.unwrap();
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut written = Written { writer, ..Written::default() };
    for number in 1.. {
        pace.tick().await;
        if *stopping.borrow() {
            break;
        }
        match client.append(key(writer, number / ENTRIES), format!("{number} ")).await {
            Ok(_) => {
                written.acknowledged.insert(number);
                written.times.push(Instant::now());
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => {
                let fate = match error.is_indefinite() {
                    true => &mut written.in_doubt,
                    false => &mut written.refused,
                };
                fate.insert(number);
                // A session may be in doubt too, and a new one is as good.
                client.forget_session();
                let _ = client.open_session().await;
            }
        }
    }
    written
}

fn key(writer: u64, part: u64) -> String {
    format!("load/{writer}/{part}")
}

impl Told {
    /// Reads everything back: what was acknowledged is there, once and in order; what was refused is
    /// not.
    pub(crate) async fn is_kept(&self, client: &mut Client) {
        for Written { writer, acknowledged, refused, in_doubt, .. } in &self.writers {
            let last =
                acknowledged.last().copied().unwrap_or(0).max(*in_doubt.last().unwrap_or(&0));
            let mut found = Vec::new();
            for part in 0..=last / ENTRIES {
                let Some(value) = client.get(key(*writer, part)).await.unwrap().found else {
                    continue;
                };
                let text = String::from_utf8(value.value.to_vec()).unwrap();
                found.extend(text.split_whitespace().map(|it| it.parse::<u64>().unwrap()));
            }
            assert!(found.is_sorted_by(|a, b| a < b), "writer {writer}: out of order or twice");
            let found: BTreeSet<u64> = found.into_iter().collect();
            let lost: Vec<_> = acknowledged.difference(&found).collect();
            assert!(lost.is_empty(), "writer {writer}: acknowledged and lost: {lost:?}");
            let undead: Vec<_> = refused.intersection(&found).collect();
            assert!(undead.is_empty(), "writer {writer}: refused and there: {undead:?}");
            let foreign: Vec<_> = found
                .iter()
                .filter(|it| !acknowledged.contains(*it) && !in_doubt.contains(*it))
                .collect();
            assert!(foreign.is_empty(), "writer {writer}: never written: {foreign:?}");
        }
    }

    /// How many writes were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.writers.iter().map(|it| it.acknowledged.len()).sum()
    }
}
