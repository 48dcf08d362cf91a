//! Which data directories a cluster began with, so that a node that lost its own cannot take part as
//! the member that it was.
//!
//! A voter has promised things: whom it votes for, and which entries it has. One that starts as
//! before with an empty directory would make up its mind anew, and with it and one that was away
//! there is a majority that forgets what another majority decided. Neither of the two can see that:
//! to them the cluster is new. So a new cluster takes its time:
//!
//! ```text
//! Gathering ── met all other first members, and is on the record of each ──> Founder
//! Joined       began with --join: no configuration, no vote, until a leader has added it
//! ```
//!
//! - every data directory has an incarnation, a random number; without a directory it is the process
//!   that has one;
//! - a node that gathers says nothing of Raft to anybody, and hears nothing;
//! - a founder knows the incarnation of every first member, durably, and one that joined those of the
//!   founders that it has met. Neither ever learns another one of a first member: whoever comes with
//!   another one, and does not come to be added, has lost its data and is refused;
//! - nobody who belongs to the cluster lets anyone begin it anew.
//!
//! What holds: whoever takes part in a decision (an election, or an entry that is committed) is a
//! founder, or was added. A first member that lost its data would have to gather again, for which it
//! needs every other first member, and each founder among them refuses it; so it does not take part
//! as it was while any other first member that took part keeps its data. Raft asks for no more: it
//! lives with the loss of fewer members than make a majority. A member that was added and lost its data has
//! no configuration and no vote if it is started with `--join`, and wants to begin the cluster anew
//! if not, which everybody refuses.
//!
//! What does not hold: a directory that is replaced by an older copy of itself is not told apart; and
//! first members that are all without data, or a single one, begin a cluster of their own again, if
//! they are not told of those who came later.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::bug::{Bug, Bugs};
use crate::data_dir::DataDirError;
use crate::types::NodeId;

/// What a node is to its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is to begin a cluster, and has not met all other first members yet.
    Gathering,
    /// It is one of the members that the cluster began with.
    Founder,
    /// It was added later, or is going to be.
    Joined,
}

/// What is kept in the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundersRecord {
    /// What the node is.
    pub standing: Standing,
    /// The incarnations of first members, as far as they were met.
    pub incarnations: BTreeMap<u64, u64>,
}

impl FoundersRecord {
    /// Of a node that starts for the first time.
    pub fn new(standing: Standing) -> FoundersRecord {
        FoundersRecord { standing, incarnations: BTreeMap::new() }
    }
}

/// What a node says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    /// Who it is.
    pub node: NodeId,
    /// Its data directory's name.
    pub incarnation: u64,
    /// What it is to the cluster.
    pub standing: Standing,
}

/// A peer is not who it says, or it cannot be written down who it is.
#[derive(Debug, thiserror::Error)]
pub enum MeetError {
    /// It was a first member, with another directory.
    #[error(
        "node {0} has lost its data: its data directory is not the one that it began this cluster \
         with\nhint: remove it (`server ctl member remove {0}`), delete its data, start it with \
         --join, and add it again"
    )]
    LostData(NodeId),
    /// It believes that the cluster is new.
    #[error(
        "node {0} wants to begin a cluster, and this node belongs to one already\n\
         hint: delete its data, start it with --join, and add it (`server ctl member add`)"
    )]
    BeginsAnew(NodeId),
    /// The record cannot be kept.
    #[error("write down who node {node} is: {source}")]
    Keep {
        /// The peer.
        node: NodeId,
        /// Why not.
        source: DataDirError,
    },
}

/// Keeps a record, durably.
pub type Keep = Box<dyn Fn(&FoundersRecord) -> Result<(), DataDirError> + Send + Sync>;

/// Whom this node has met, and what it is itself.
pub struct Founders {
    node: NodeId,
    incarnation: u64,
    /// The first members but this one.
    others: BTreeSet<NodeId>,
    state: Mutex<State>,
    standing: watch::Sender<Standing>,
    keep: Keep,
    bugs: Bugs,
}

struct State {
    record: FoundersRecord,
    /// Those who have this node on their record.
    known_to: BTreeSet<NodeId>,
}

impl Founders {
    /// Of a node of this incarnation. While it gathers, `first` are the members that the cluster is
    /// to begin with, this one included.
    pub fn new(
        node: NodeId,
        incarnation: u64,
        mut first: BTreeSet<NodeId>,
        record: FoundersRecord,
        keep: Keep,
    ) -> Result<Founders, DataDirError> {
        first.remove(&node);
        let standing = watch::Sender::new(record.standing);
        let state = Mutex::new(State { record, known_to: BTreeSet::new() });
        let bugs = Bugs::NONE;
        let founders = Founders { node, incarnation, others: first, state, standing, keep, bugs };
        // From now on it is what it is, whatever the next start says.
        (founders.keep)(&founders.lock().record)?;
        founders.begin(&mut founders.lock())?;
        if founders.standing() == Standing::Gathering {
            let others: Vec<u64> = founders.others.iter().map(|node| node.0).collect();
            tracing::info!(
                node = node.0,
                ?others,
                "the cluster begins when this node has met all its other first members"
            );
        }
        Ok(founders)
    }

    /// With planted bugs.
    pub fn with_bugs(self, bugs: Bugs) -> Founders {
        Founders { bugs, ..self }
    }

    /// What this node says of itself.
    pub fn greeting(&self) -> Greeting {
        let (node, incarnation) = (self.node, self.incarnation);
        Greeting { node, incarnation, standing: self.standing() }
    }

    /// What this node is.
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Returns once this node may take part.
    pub async fn gathered(&self) {
        let mut standing = self.standing.subscribe();
        // The sender is here, so that this cannot fail.
        let _ = standing.wait_for(|standing| *standing != Standing::Gathering).await;
    }

    /// A peer said who it is. On return it is on the record, if it has to be. Waits for the disk.
    pub fn hear(&self, peer: Greeting) -> Result<(), MeetError> {
        let Greeting { node, incarnation, standing } = peer;
        let mut state = self.lock();
        let known = state.record.incarnations.get(&node.0).copied();
        match (state.record.standing, standing) {
            // It has no vote that it could have lost.
            (_, Standing::Joined) => Ok(()),
            _ if known == Some(incarnation) => Ok(()),
            _ if self.bugs.has(Bug::FoundersForget) => self.write_down(&mut state, peer),
            (Standing::Gathering, _) if self.others.contains(&node) => {
                // Whatever was there before has taken part in nothing that this node knows of.
                state.known_to.remove(&node);
                self.write_down(&mut state, peer)
            }
            _ if known.is_some() => Err(MeetError::LostData(node)),
            (_, Standing::Gathering) => Err(MeetError::BeginsAnew(node)),
            // One that the others know, or this node would not hear of the cluster.
            (_, Standing::Founder) => self.write_down(&mut state, peer),
        }
    }

    fn write_down(&self, state: &mut State, peer: Greeting) -> Result<(), MeetError> {
        let Greeting { node, incarnation, .. } = peer;
        let mut record = state.record.clone();
        record.incarnations.insert(node.0, incarnation);
        (self.keep)(&record).map_err(|source| MeetError::Keep { node, source })?;
        state.record = record;
        Ok(())
    }

    /// A peer, which was heard, has this node on its record. Waits for the disk.
    pub fn known_to(&self, peer: NodeId) -> Result<(), MeetError> {
        let mut state = self.lock();
        state.known_to.insert(peer);
        self.begin(&mut state).map_err(|source| MeetError::Keep { node: peer, source })
    }

    /// Goes on from gathering, if everybody is there.
    fn begin(&self, state: &mut State) -> Result<(), DataDirError> {
        let mut record = state.record.clone();
        let all_met = self.others.iter().all(|other| {
            state.known_to.contains(other) && record.incarnations.contains_key(&other.0)
        });
        if record.standing == Standing::Gathering && all_met {
            record.standing = Standing::Founder;
            (self.keep)(&record)?;
            state.record = record;
            self.standing.send_replace(Standing::Founder);
            tracing::info!(node = self.node.0, "all first members have met");
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A record is replaced as a whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Founders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Founders")
            .field("node", &self.node)
            .field("incarnation", &self.incarnation)
            .field("record", &self.lock().record)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// What a node has on its disk.
    type Disk = Arc<Mutex<Option<FoundersRecord>>>;

    /// Node `node` of the first members 1, 2 and 3.
    fn start(node: u64, incarnation: u64, disk: &Disk, first: Standing) -> Founders {
        let record = disk.lock().unwrap().clone().unwrap_or_else(|| FoundersRecord::new(first));
        let disk = Arc::clone(disk);
        let keep = move |record: &FoundersRecord| {
            *disk.lock().unwrap() = Some(record.clone());
            Ok(())
        };
        let members = [1, 2, 3].map(NodeId).into();
        Founders::new(NodeId(node), incarnation, members, record, Box::new(keep)).unwrap()
    }

    fn gathering(node: u64, incarnation: u64) -> (Founders, Disk) {
        let disk = Disk::default();
        (start(node, incarnation, &disk, Standing::Gathering), disk)
    }

    /// One greets the other; both go on if the other is content.
    fn meet(one: &Founders, other: &Founders) -> Result<(), MeetError> {
        other.hear(one.greeting())?;
        one.hear(other.greeting())?;
        one.known_to(other.node)
    }

    fn all_meet(all: &[&Founders]) {
        for one in all {
            for other in all.iter().filter(|other| other.node != one.node) {
                meet(one, other).unwrap();
            }
        }
    }

    #[test]
    fn nobody_takes_part_before_everybody_knows_it() {
        let ((one, _), (two, _), (three, _)) =
            (gathering(1, 11), gathering(2, 12), gathering(3, 13));
        meet(&one, &two).unwrap();
        meet(&two, &one).unwrap();
        // Two is a majority, but to forget one of them would leave nobody who remembers.
        assert_eq!([one.standing(), two.standing()], [Standing::Gathering; 2]);
        meet(&one, &three).unwrap();
        assert_eq!(one.standing(), Standing::Founder);
        assert_eq!(two.standing(), Standing::Gathering);
        meet(&two, &three).unwrap();
        meet(&three, &one).unwrap();
        meet(&three, &two).unwrap();
        assert_eq!([two.standing(), three.standing()], [Standing::Founder; 2]);
    }

    #[test]
    fn a_founder_that_lost_its_data_is_refused_by_each_that_kept_its_own() {
        let ((one, _), (two, disk), (three, _)) =
            (gathering(1, 11), gathering(2, 12), gathering(3, 13));
        all_meet(&[&one, &two, &three]);
        let (wiped, _) = gathering(1, 99);
        for other in [&two, &three] {
            let error = meet(&wiped, other).unwrap_err();
            assert!(matches!(error, MeetError::LostData(NodeId(1))), "{error}");
            let error = meet(other, &wiped).unwrap_err();
            assert!(matches!(error, MeetError::LostData(NodeId(1))), "{error}");
        }
        assert_eq!(wiped.standing(), Standing::Gathering);
        // Also after a restart of those who know, and if another one is lost meanwhile.
        let two = start(2, 12, &disk, Standing::Gathering);
        assert_eq!(two.standing(), Standing::Founder);
        let (also_wiped, _) = gathering(3, 98);
        meet(&wiped, &also_wiped).unwrap();
        assert!(matches!(meet(&wiped, &two), Err(MeetError::LostData(_))));
        assert_eq!(wiped.standing(), Standing::Gathering);
        // Whoever comes back to be added is welcome.
        let joining = start(1, 97, &Disk::default(), Standing::Joined);
        meet(&joining, &two).unwrap();
        meet(&two, &joining).unwrap();
        meet(&start(3, 13, &Disk::default(), Standing::Joined), &two).unwrap();
        assert_eq!(joining.standing(), Standing::Joined);
    }

    #[test]
    fn a_restart_while_the_cluster_gathers_does_no_harm() {
        let ((one, disk), (two, _), (three, _)) =
            (gathering(1, 11), gathering(2, 12), gathering(3, 13));
        meet(&one, &two).unwrap();
        // With its directory, and without.
        let one = start(1, 11, &disk, Standing::Gathering);
        meet(&one, &three).unwrap();
        assert_eq!(one.standing(), Standing::Gathering, "whom it is known to is asked again");
        let (one, _) = gathering(1, 21);
        all_meet(&[&one, &two, &three]);
        for node in [&one, &two, &three] {
            assert_eq!(node.standing(), Standing::Founder);
        }
        assert!(matches!(meet(&gathering(1, 11).0, &two), Err(MeetError::LostData(_))));
    }

    #[test]
    fn one_that_was_added_lets_nobody_begin_anew_and_knows_founders_by_their_word() {
        let joined = start(9, 19, &Disk::default(), Standing::Joined);
        let (anew, _) = gathering(1, 11);
        assert!(matches!(joined.hear(anew.greeting()), Err(MeetError::BeginsAnew(NodeId(1)))));
        let founder = Greeting { standing: Standing::Founder, ..anew.greeting() };
        joined.hear(founder).unwrap();
        let other = Greeting { incarnation: 12, ..founder };
        assert!(matches!(joined.hear(other), Err(MeetError::LostData(NodeId(1)))));
        joined.hear(founder).unwrap();
    }

    #[test]
    fn one_node_alone_waits_for_nobody() {
        let record = FoundersRecord::new(Standing::Gathering);
        let keep = Box::new(|_: &FoundersRecord| Ok(()));
        let alone = Founders::new(NodeId(1), 11, [NodeId(1)].into(), record, keep).unwrap();
        assert_eq!(alone.standing(), Standing::Founder);
        let stranger = Greeting { node: NodeId(2), incarnation: 12, standing: Standing::Gathering };
        assert!(matches!(alone.hear(stranger), Err(MeetError::BeginsAnew(_))));
    }
}
