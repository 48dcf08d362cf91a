//! What befalls each frame of a shaped link, and when it goes on. Pure: time is a parameter.
//!
//! ```text
//! offer(frame) ──> lane of its link: lose? reset? hold back? twice? ──> heap by due time ──> take_due()
//! ```
//!
//! Invariants: a lane draws from a stream of its own, so that the same frames meet the same fate;
//! frames of a lane leave in order, but for those that are held back; what waits is bounded.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::segment::{Connection, Segment, turn_bit};
use crate::node_id::NodeId;
use crate::platform::{Carried, Connections, Link, LinkConditions};

/// How long a frame is held back for others to overtake it.
const HELD_BACK: Duration = Duration::from_millis(20);
/// What a link of limited rate queues: this long, but at least two full frames.
const QUEUE: Duration = Duration::from_millis(200);
const QUEUE_BYTES_MIN: u64 = 3_000;
/// Frames that wait, of all links together.
const WAITING_MAX: usize = 16_384;
/// Connections remembered as new, of all links together.
const OPENED_MAX: usize = 16_384;

/// A frame on its way out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    /// The node to which it goes.
    pub(super) to: NodeId,
    /// The frame.
    pub(super) frame: Vec<u8>,
}

/// All shaped links. Times are nanoseconds since any fixed moment.
#[derive(Debug, Default)]
pub(super) struct Shaper {
    lanes: BTreeMap<Link, Lane>,
    cut: BTreeSet<Link>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    offered: u64,
    opened: BTreeSet<Connection>,
    carried: Carried,
}

#[derive(Debug)]
struct Lane {
    conditions: LinkConditions,
    rng: ChaCha8Rng,
    /// When the frames before have left a link of limited rate.
    free_at: u64,
    /// When the last frame is due that is not held back.
    last_due: u64,
}

/// Where a frame is among those of its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    InOrder,
    HeldBack,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    due: u64,
    /// Frames that are due at once leave as they came.
    number: u64,
    link: Link,
    to: NodeId,
    frame: Vec<u8>,
}

impl Shaper {
    /// Shapes exactly these links from now on. What already waits still goes on when it is due.
    pub(super) fn replace(&mut self, conditions: &BTreeMap<Link, LinkConditions>, seed: u64) {
        self.lanes.retain(|link, lane| conditions.get(link) == Some(&lane.conditions));
        if !conditions.values().any(|conditions| conditions.connections == Connections::New) {
            self.opened.clear();
        }
        for (&link, &conditions) in conditions {
            self.lanes.entry(link).or_insert_with(|| Lane::new(link, conditions, seed));
        }
    }

    /// Carries nothing on exactly these links from now on, nor what waits there.
    pub(super) fn cut(&mut self, links: &BTreeSet<Link>) {
        self.waiting.retain(|Reverse(waiting)| !links.contains(&waiting.link));
        self.cut.clone_from(links);
    }

    /// What befell frames so far.
    pub(super) fn carried(&self) -> Carried {
        self.carried
    }

    /// Counts frames that were lost before they came here.
    pub(super) fn count_overflow(&mut self, frames: u64) {
        self.carried.overflowed += frames;
    }

    /// Takes a frame that came from `link.0` for `link.1`. Frames of links that are cut or not shaped are
    /// ignored: the bridge has dropped or carried them.
    pub(super) fn offer(&mut self, now: u64, link: Link, frame: &[u8]) {
        if self.cut.contains(&link) {
            return;
        }
        let Some(lane) = self.lanes.get_mut(&link) else { return };
        self.carried.packets += 1;
        let conditions = lane.conditions;
        let segment = Segment::of(frame);
        if let (Connections::New, Some(segment)) = (conditions.connections, segment) {
            let connection = segment.connection();
            if segment.is_opening() && self.opened.len() < OPENED_MAX {
                self.opened.insert(connection);
            }
            if !self.opened.contains(&connection) {
                self.carried.forgotten += 1;
                return;
            }
        }
        if lane.chance(conditions.loss) {
            self.carried.lost += 1;
            return;
        }
        if let Some(segment) = segment
            && lane.chance(conditions.resets)
        {
            let resets =
                [(link.0, segment.reset_to_sender()), (link.1, segment.reset_to_receiver())];
            self.carried.reset += 1;
            for (to, frame) in resets {
                if let Some(frame) = frame {
                    self.push(now, link, to, frame);
                }
            }
            return;
        }
        let mut frame = frame.to_vec();
        if lane.chance(conditions.corruption) {
            let at = lane.rng.random();
            turn_bit(&mut frame, at);
            self.carried.corrupted += 1;
        }
        let copy = lane.chance(conditions.duplication).then(|| frame.clone());
        let Some((due, place)) = lane.due(now, frame.len()) else {
            self.carried.overflowed += 1;
            return;
        };
        self.carried.reordered += u64::from(place == Place::HeldBack);
        self.push(due, link, link.1, frame);
        if let Some(copy) = copy {
            self.carried.duplicated += 1;
            self.push(due, link, link.1, copy);
        }
    }

    /// When the next frame is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.waiting.peek().map(|Reverse(waiting)| waiting.due)
    }

    /// The next frame that is due.
    pub(super) fn take_due(&mut self, now: u64) -> Option<Outgoing> {
        if self.next_due()? > now {
            return None;
        }
        self.waiting.pop().map(|Reverse(Waiting { to, frame, .. })| Outgoing { to, frame })
    }

    fn push(&mut self, due: u64, link: Link, to: NodeId, frame: Vec<u8>) {
        if self.waiting.len() >= WAITING_MAX {
            self.carried.overflowed += 1;
            return;
        }
        self.offered += 1;
        self.waiting.push(Reverse(Waiting { due, number: self.offered, link, to, frame }));
    }
}

impl Lane {
    fn new(link: Link, conditions: LinkConditions, seed: u64) -> Lane {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::from(link.0.0) << 16 | u64::from(link.1.0));
        Lane { conditions, rng, free_at: 0, last_due: 0 }
    }

    /// Draws only where there is a chance, so that one kind of fault does not shift another.
    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability.min(1.0))
    }

    /// When a frame of so many bytes arrives that comes now; none if the queue is full.
    fn due(&mut self, now: u64, bytes: usize) -> Option<(u64, Place)> {
        let LinkConditions { delay, jitter, reordering, rate, .. } = self.conditions;
        let mut due = now;
        if let Some(rate) = rate {
            let nanos = |bytes: u64| bytes.saturating_mul(8_000_000_000) / rate.max(1);
            let start = self.free_at.max(now);
            let queue = nanos(QUEUE_BYTES_MIN).max(QUEUE.as_nanos() as u64);
            if start - now > queue {
                return None;
            }
            self.free_at = start + nanos(bytes as u64);
            due = self.free_at;
        }
        let (delay, jitter) = (delay.as_nanos() as u64, jitter.as_nanos() as u64);
        let shift = if jitter == 0 { 0 } else { self.rng.random_range(0..=2 * jitter) };
        due += (delay + shift).saturating_sub(jitter);
        if self.chance(reordering) {
            return Some((due + HELD_BACK.as_nanos() as u64, Place::HeldBack));
        }
        self.last_due = self.last_due.max(due);
        Some((self.last_due, Place::InOrder))
    }
}

#[cfg(test)]
mod tests;
