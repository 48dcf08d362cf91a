//! What operators may ask of a group's membership, and why it may be refused.

use crate::types::NodeId;

/// A change of a group's members.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MemberChange {
    /// A new member follows the log without a vote.
    Add {
        /// Who.
        node: NodeId,
        /// Where, `host:port`.
        address: String,
        /// If not, it becomes a voter by itself when it has caught up, and only then the change is
        /// complete.
        stay_learner: bool,
    },
    /// A learner that has caught up becomes a voter.
    Promote {
        /// Who.
        node: NodeId,
    },
    /// A voter becomes a learner.
    Demote {
        /// Who.
        node: NodeId,
    },
    /// A member leaves.
    Remove {
        /// Who.
        node: NodeId,
    },
    /// A new member takes the place of another one, in one step, when it has caught up.
    Replace {
        /// Who leaves; it may be dead.
        old: NodeId,
        /// Who comes.
        new: NodeId,
        /// Where, `host:port`.
        address: String,
    },
}

/// Why a change of members is refused. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MemberError {
    /// A node in mode single is alone by definition.
    #[error(
        "the node runs in mode single, where a group has one member\n\
         hint: start it with --mode replicated; it keeps its data"
    )]
    SingleMode,
    /// Nobody of this name.
    #[error("node {0} is not a member")]
    NotAMember(NodeId),
    /// It is there already.
    #[error("node {0} is a member already\nhint: a node that lost its data is removed first")]
    AlreadyMember(NodeId),
    /// It votes already.
    #[error("node {0} is a voter already")]
    AlreadyVoter(NodeId),
    /// It has no vote to lose.
    #[error("node {0} is a learner already")]
    AlreadyLearner(NodeId),
    /// A group needs a voter.
    #[error("node {0} is the last voter")]
    LastVoter(NodeId),
    /// It would slow the group down.
    #[error("node {node} is {lag} entries behind\nhint: try again when it has caught up")]
    LearnerLags {
        /// The learner.
        node: NodeId,
        /// How far it is behind the leader (entries).
        lag: u64,
    },
    /// Too few of the new voters answer.
    #[error(
        "only {active} of the {voters} voters that it leads to answer\n\
         hint: bring nodes back, or add new ones, before removing others"
    )]
    WouldLoseQuorum {
        /// Voters that were heard of lately.
        active: usize,
        /// Voters after the change.
        voters: usize,
    },
    /// One change at a time.
    #[error("another change of members is under way\nhint: try again when it is complete")]
    ChangeInProgress,
    /// A group is small.
    #[error("a group has at most {0} members")]
    TooManyMembers(usize),
    /// Node 0 is nobody.
    #[error("node 0 does not exist")]
    NodeZero,
}

/// Why leadership is not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TransferError {
    /// Only voters can lead.
    #[error("node {0} is not a voter")]
    NotAVoter(NodeId),
    /// There is nobody else.
    #[error("there is no other voter that answers")]
    NoCandidate,
    /// One at a time.
    #[error("leadership is being handed over already")]
    InProgress,
    /// It did not take over in time; this replica still leads.
    #[error("node {0} did not take over in time")]
    Aborted(NodeId),
    /// Somebody else leads now.
    #[error("node {leader} leads now, instead of node {wanted}")]
    Other {
        /// Who was to lead.
        wanted: NodeId,
        /// Who does.
        leader: NodeId,
    },
}
