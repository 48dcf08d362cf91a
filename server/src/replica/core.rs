//! The replica: engine, proposals, reads, and who does what with them.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::config::{AppliedState, ReplicaConfig, ReplicaError};
use super::effects::{Effects, Rejection, Reply};
use super::input::Input;
use super::leases::Leases;
use super::members::Members;
use super::proposals::Proposals;
use super::reads::{Purpose, Reads};
use super::recovery::{fit, in_order_of_text, up_to};
use super::snapshots::Snapshots;
use super::status::{MemberStatus, ReplicaStatus};
use super::transfer::{Transfer, candidate};
use crate::bug::Bug;
use crate::bug_state::{self, LeaseClock};
use crate::command::{Command, LogCommand, Outcome, OutcomeKind};
use crate::consensus::{Engine, EngineConfig, ProposeError};
use crate::log_store::{LogPosition, RecoveredLog};
use crate::membership::Configuration;
use crate::state_machine::LeaseChange;
use crate::types::{LogIndex, NodeId, RequestId, Role, Term};

/// One replica of one group. See the module's head for its contract.
#[derive(Debug)]
pub struct Replica {
    pub(super) config: ReplicaConfig,
    pub(super) engine: Engine,
    proposals: Proposals,
    reads: Reads,
    members: Members,
    transfer: Transfer,
    pub(super) leases: Leases,
    snapshots: Snapshots,
    applied: LogIndex,
    pub(super) ticks: u64,
    pub(super) effects: Effects,
    seen: Seen,
}

/// What was last shown of the members. Made anew at every tick and when the group looks different,
/// because a status is asked for far more often.
#[derive(Debug, Default)]
struct Seen {
    key: (Option<NodeId>, Term, LogIndex),
    members: Arc<Vec<MemberStatus>>,
}

impl Replica {
    /// Resumes a replica from what its log store and state store held.
    pub fn new(
        config: ReplicaConfig,
        recovered: RecoveredLog,
        state: &AppliedState,
    ) -> Result<Replica, ReplicaError> {
        let recovered = match config.bugs {
            bugs if bugs.has(Bug::LogKeyOrder) => in_order_of_text(recovered),
            bugs if bugs.has(Bug::InterruptedStart) && bug_state::was_interrupted() => {
                up_to(recovered, state.position.index)
            }
            _ => recovered,
        };
        let fitting = fit(recovered, state)?;
        let engine_config = EngineConfig {
            id: config.id,
            election_ticks: config.election_ticks,
            heartbeat_ticks: config.heartbeat_ticks,
            seed: config.seed,
            bugs: config.bugs,
            logger: config.logger.clone(),
        };
        let (log, reset) = (fitting.log, fitting.reset);
        let engine = Engine::new(config.engine, &engine_config, log, state, reset)?;
        let newest = engine.newest_snapshot().map_or(engine.base().index, |newest| newest.index);
        let mut replica = Replica {
            engine,
            proposals: Proposals::default(),
            reads: Reads::new(config.boot),
            members: Members::new(config.election_ticks),
            transfer: Transfer::default(),
            leases: Leases::new(&state.leases),
            snapshots: Snapshots::new(config.compaction, newest),
            applied: state.position.index,
            ticks: 0,
            effects: Effects::default(),
            seen: Seen::default(),
            config,
        };
        replica.see_members();
        Ok(replica)
    }

    /// Takes in one thing that happened.
    pub fn step(&mut self, input: Input) {
        match input {
            Input::Tick => self.tick(),
            Input::Lull => self.engine.announce_commit(),
            Input::Message(message) => {
                self.members.heard_of(NodeId(message.from), self.ticks);
                self.engine.message(message);
            }
            Input::Write { request, command } => self.write(request, &command),
            Input::Read { request } => self.read(request),
            Input::KeepAlive { request, lease } => self.keep_alive(request, lease),
            Input::ChangeMembers { request, change, timeout_ticks } => {
                let deadline = self.ticks.saturating_add(timeout_ticks);
                let engine = &mut self.engine;
                let started = self.members.change(engine, request, &change, self.ticks, deadline);
                self.reject_unless(request, started);
            }
            Input::TransferLeader { request, to } => self.transfer_leader(request, to),
            Input::TakeSnapshot { request } => {
                self.effects.replies.extend(self.snapshots.request(request));
            }
            Input::Persisted(number) => self.engine.persisted(number),
            Input::Applied { index, entries, leases } => {
                self.applied = index;
                self.engine.applied(index);
                self.leases.applied(&leases, self.ticks);
                self.effects.replies.extend(self.proposals.applied(index, entries));
            }
            Input::Installed { position, leases } => self.installed(position, &leases),
            Input::SnapshotTaken { position, configuration } => {
                let replies = self.snapshots.taken(&mut self.engine, position, configuration);
                self.effects.replies.extend(replies);
            }
            Input::SnapshotFailed => {
                self.effects.replies.extend(self.snapshots.failed(self.ticks));
            }
            Input::SnapshotSent { to, ok } => self.engine.snapshot_sent(to, ok),
            Input::Unreachable(peer) => self.engine.unreachable(peer),
        }
    }

    /// Everything that should be done because of the inputs so far.
    pub fn take_effects(&mut self) -> Effects {
        self.settle_reads();
        self.members.drive(&mut self.engine, self.ticks);
        let led = self.engine.is_leader();
        let ready = self.engine.take_ready();
        self.effects.messages.extend(ready.messages);
        self.effects.snapshots.extend(ready.snapshots);
        self.effects.persist.extend(ready.persist);
        let bytes = ready.committed.iter().map(|entry| entry.data.len() as u64).sum();
        self.snapshots.handed_out(bytes);
        self.effects.committed.extend(ready.committed);
        self.effects.install = ready.install.or(self.effects.install.take());
        if led && !self.engine.is_leader() && self.is_removed() {
            // Nobody will tell it what becomes of its entries.
            self.effects.replies.extend(self.proposals.forget(LogIndex(u64::MAX)));
        }
        for (context, index) in ready.reads {
            let index = match self.config.bugs.has(Bug::ReadBeforeApply) {
                false => index,
                true => LogIndex(0),
            };
            self.reads.confirm(&context, index);
            if let Some(lease) = LeaseClock::of(self.config.bugs) {
                lease.confirmed(&context, index);
            }
        }
        self.release_reads();
        if self.seen.key != self.seen_key() {
            self.see_members();
        }
        let members = self.members.settle(&self.engine, self.applied, self.ticks);
        self.effects.replies.extend(members);
        self.effects.replies.extend(self.transfer.settle(&self.engine, self.ticks));
        self.effects.take_snapshot = self.snapshots.take(&self.engine, self.applied, self.ticks);
        std::mem::take(&mut self.effects)
    }

    /// What this replica looks like from outside.
    pub fn status(&self) -> ReplicaStatus {
        let configuration = self.engine.configuration();
        let voters = configuration.voters.iter().chain(&configuration.voters_outgoing);
        let voters: BTreeSet<NodeId> = voters.copied().map(NodeId).collect();
        ReplicaStatus {
            id: self.config.id,
            role: self.engine.role(),
            term: self.engine.term(),
            leader: self.engine.leader(),
            committed: self.engine.committed(),
            applied: self.applied,
            persisted: self.engine.persisted_index(),
            first_index: LogIndex(self.engine.base().index.0 + 1),
            last_index: self.engine.last_index(),
            log_bytes: self.engine.log().bytes(),
            snapshot: self.engine.newest_snapshot(),
            voters: voters.into_iter().collect(),
            members: Arc::clone(&self.seen.members),
            removed: self.is_removed(),
        }
    }

    /// Entries by which each other node is behind, as the leader knows; empty elsewhere.
    pub fn lags(&self) -> BTreeMap<NodeId, u64> {
        let last = self.engine.last_index();
        let members = self.engine.configuration().members().into_iter();
        let others = members.filter(|member| *member != self.config.id);
        others
            .filter_map(|member| {
                let matched = self.engine.progress(member)?.matched;
                Some((member, last.0.saturating_sub(matched.0)))
            })
            .collect()
    }

    /// What it is; cheap, unlike [`Self::status`].
    pub fn role(&self) -> Role {
        self.engine.role()
    }

    /// Is there something that an [`Input::Lull`] would do?
    pub fn awaits_lull(&self) -> bool {
        self.engine.has_unannounced_commit()
    }

    /// Its term.
    pub fn term(&self) -> Term {
        self.engine.term()
    }

    /// The commit index.
    pub fn committed(&self) -> LogIndex {
        self.engine.committed()
    }

    /// The group's configuration, as far as this replica knows.
    pub fn configuration(&self) -> &Configuration {
        self.engine.configuration()
    }

    /// Ticks since the last sign of a leader, or of a leader's last quorum check.
    pub fn election_elapsed(&self) -> usize {
        self.engine.election_elapsed()
    }

    /// From now on every election timeout is this long, for a model checker that makes ticks itself.
    pub fn pin_election_timeout(&mut self, ticks: usize) {
        self.engine.pin_election_timeout(ticks);
    }

    /// Feeds everything that can influence this replica's future to `hasher`.
    ///
    /// Two replicas with the same fingerprint behave alike from here on, provided `heartbeat_ticks`
    /// is 1 (see [`Engine::fingerprint`]), requests never time out, and no operator changes
    /// members.
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.engine.fingerprint(hasher);
        self.proposals.hash(hasher);
        self.reads.hash(hasher);
        self.members.fingerprint(hasher);
        self.transfer.hash(hasher);
        self.leases.fingerprint(self.ticks, hasher);
        self.snapshots.fingerprint(self.ticks, hasher);
        self.applied.hash(hasher);
    }

    fn tick(&mut self) {
        self.ticks += 1;
        if let Some(lease) = LeaseClock::of(self.config.bugs) {
            lease.tick();
        }
        self.engine.tick();
        self.members.tick(&self.engine);
        self.see_members();
        self.revoke_leases();
        let expired = self.proposals.expire(self.ticks);
        self.effects.replies.extend(expired);
        let expired = self.reads.expire(self.ticks);
        self.effects.replies.extend(expired);
    }

    fn write(&mut self, request: RequestId, command: &LogCommand) {
        if self.engine.is_leader() && self.drops_writes() && can_be_answered_unapplied(command) {
            self.effects.replies.push((request, self.done(self.applied)));
            return;
        }
        let rejection = if let Some((limit, max)) = self.limit_reached(command) {
            match self.engine.is_leader() {
                true => Rejection::AtLimit { limit, max },
                false => Rejection::NotLeader { leader: self.engine.leader() },
            }
        } else {
            match self.engine.propose(command.encode_entry()) {
                Ok((index, term)) => {
                    self.proposed(request, command, index, term);
                    return;
                }
                Err(ProposeError::NotLeader) => {
                    Rejection::NotLeader { leader: self.engine.leader() }
                }
                Err(ProposeError::Dropped) => Rejection::Busy,
            }
        };
        if self.config.bugs.has(Bug::UncheckedError) && can_be_answered_unapplied(command) {
            self.effects.replies.push((request, self.done(self.applied)));
            return;
        }
        self.effects.replies.push((request, Reply::Rejected(rejection)));
    }

    /// The limit that keeps a command from being proposed, by name, and what it allows.
    fn limit_reached(&self, command: &LogCommand) -> Option<(&'static str, u64)> {
        let grants = matches!(command.command, Some(Command::GrantLease(_)));
        let log_bytes_max = self.config.compaction.log_bytes_max;
        if self.proposals.len() >= self.config.pending_writes_max {
            Some(("proposals", self.config.pending_writes_max as u64))
        } else if grants && self.leases.len() >= self.config.leases_max {
            Some(("leases", self.config.leases_max as u64))
        } else if self.engine.log().bytes() >= log_bytes_max {
            Some(("log-bytes", log_bytes_max))
        } else {
            None
        }
    }

    /// Does a planted bug acknowledge writes now, and drop them?
    fn drops_writes(&self) -> bool {
        let bugs = self.config.bugs;
        (bugs.has(Bug::TransferAcks) && self.engine.transferee().is_some())
            || (bugs.has(Bug::SnapshotAcks) && self.snapshots.is_awaited())
            || (bugs.has(Bug::EndingAcks) && bug_state::is_ending())
            || (bugs.has(Bug::OverloadAcks) && bug_state::is_overloaded())
            || (bugs.has(Bug::LateSyncAcks) && bug_state::is_write_late())
    }

    /// The answer to a write that nobody looked at; for planted bugs.
    fn done(&self, index: LogIndex) -> Reply {
        let kind = OutcomeKind::Done as i32;
        let outcome = Outcome { revision: index.0, kind, ..Outcome::default() };
        Reply::Applied { term: self.engine.term(), outcome }
    }

    fn proposed(&mut self, request: RequestId, command: &LogCommand, index: LogIndex, term: Term) {
        if self.config.bugs.has(Bug::EarlyAck) && can_be_answered_unapplied(command) {
            self.effects.replies.push((request, self.done(index)));
            return;
        }
        let deadline = self.ticks.saturating_add(self.config.request_timeout_ticks);
        let older = self.proposals.insert(index, term, request, deadline);
        self.effects.replies.extend(older);
    }

    fn read(&mut self, request: RequestId) {
        let bugs = self.config.bugs;
        let is_out = || !self.engine.configuration().keeps(self.config.id);
        let holds_lease = || LeaseClock::of(bugs).is_some_and(|lease| lease.holds(self.applied));
        if bugs.has(Bug::LocalReads)
            || (bugs.has(Bug::RemovedReads) && is_out())
            || holds_lease()
            || (bugs.has(Bug::KnockReads) && self.engine.is_leader() && bug_state::majority_opens())
        {
            self.effects.reads.push(request);
            return;
        }
        self.queue_read(request, Purpose::Read);
    }

    pub(super) fn queue_read(&mut self, request: RequestId, purpose: Purpose) {
        let queued = if !self.engine.is_leader() {
            Err(Rejection::NotLeader { leader: self.engine.leader() })
        } else if self.reads.len() >= self.config.pending_reads_max {
            let max = self.config.pending_reads_max as u64;
            Err(Rejection::AtLimit { limit: "reads", max })
        } else {
            let deadline = self.ticks.saturating_add(self.config.request_timeout_ticks);
            self.reads.push(request, purpose, deadline);
            Ok(())
        };
        self.reject_unless(request, queued);
    }

    fn transfer_leader(&mut self, request: RequestId, to: Option<NodeId>) {
        let (engine, members, ticks) = (&mut self.engine, &self.members, self.ticks);
        let deadline = ticks.saturating_add(2 * self.config.election_ticks as u64);
        let started = if engine.is_leader() {
            candidate(engine, to, |node| members.is_active(engine, node, ticks))
                .and_then(|to| self.transfer.start(engine, request, to, deadline))
                .map_err(Rejection::from)
        } else {
            Err(Rejection::NotLeader { leader: engine.leader() })
        };
        self.reject_unless(request, started);
    }

    fn installed(&mut self, position: LogPosition, leases: &[LeaseChange]) {
        self.applied = position.index;
        self.engine.installed();
        self.snapshots.installed(position);
        self.leases = Leases::new(leases);
        self.effects.replies.extend(self.proposals.forget(position.index));
    }

    /// Was this replica removed from its group?
    fn is_removed(&self) -> bool {
        let members = self.engine.configuration().members();
        !members.is_empty() && !members.contains(&self.config.id)
    }

    fn reject_unless(&mut self, request: RequestId, started: Result<(), Rejection>) {
        if let Err(rejection) = started {
            self.effects.replies.push((request, Reply::Rejected(rejection)));
        }
    }

    /// Refuses reads that lost their leader, and sends the queued ones off.
    fn settle_reads(&mut self) {
        let refused = self.reads.leadership(
            self.engine.is_leader(),
            self.engine.term(),
            self.engine.leader(),
        );
        self.effects.replies.extend(refused);
        if self.engine.can_read_index() {
            let reuse = self.config.bugs.has(Bug::ReusedReadContext);
            if let Some(context) = self.reads.next_batch(self.engine.term(), reuse) {
                if let Some(lease) = LeaseClock::of(self.config.bugs) {
                    lease.asks(&context);
                }
                self.engine.read_index(context);
            }
        }
    }

    fn release_reads(&mut self) {
        for (request, purpose) in self.reads.release(self.applied) {
            match purpose {
                Purpose::Read => self.effects.reads.push(request),
                Purpose::KeepAlive(lease) => self.answer_keep_alive(request, lease),
            }
        }
    }

    fn see_members(&mut self) {
        let members = Arc::new(self.members.status(&self.engine, self.ticks));
        self.seen = Seen { key: self.seen_key(), members };
    }

    fn seen_key(&self) -> (Option<NodeId>, Term, LogIndex) {
        (self.engine.leader(), self.engine.term(), self.engine.configuration_index())
    }

    /// Where the log begins and what is left of it, as (term, data); for the invariants of tests.
    pub fn log(&self) -> (LogPosition, impl Iterator<Item = (Term, &[u8])>) {
        let entries = self.engine.log().entries_slice().iter();
        (self.engine.base(), entries.map(|entry| (Term(entry.term), &entry.data[..])))
    }
}

/// Only answers that need no state can be given before the entry is applied.
fn can_be_answered_unapplied(command: &LogCommand) -> bool {
    matches!(command.command, Some(Command::Put(_) | Command::Delete(_)))
}
