//! What is seen of nodes: by the invariants, by the trace, and when code of the store panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use raft::eraftpb::Message;
use server::state_machine::LeaseChange;
use server::types::Role;

use super::coverage::Counter;
use super::invariants::{InvariantViolation, NodeView};
use super::node::Running;
use super::options::Checks;
use super::report::Violation;
use super::world::World;

impl World {
    /// Shows the node to the invariants.
    pub(super) fn look(&mut self, node: usize) {
        let target = &mut self.nodes[node];
        let Some(running) = &mut target.running else { return };
        let Running { replica, log, role, machine, .. } = running;
        let before = std::mem::replace(role, replica.role());
        let newly_elected = *role == Role::Leader && before != Role::Leader;
        let view = NodeView {
            id: target.id,
            role: *role,
            term: replica.term(),
            committed: replica.committed(),
            applied: machine.applied().index,
            log,
            newly_elected,
        };
        if before != view.role {
            let (id, role, term) = (view.id, view.role.name(), view.term);
            self.trace.line(self.now, format_args!("n{id} {role} of {term}"));
        }
        let result = self.watch.stepped(view);
        if newly_elected && self.last_leader.replace(target.id) != Some(target.id) {
            self.coverage.count(Counter::LeaderChanges);
        }
        self.must_hold(result);
    }

    /// Shows the state of the node to the invariants, after leases changed in it.
    pub(super) fn see_state(&mut self, node: usize, leases: &[LeaseChange]) {
        let Some(running) = &self.nodes[node].running else { return };
        let (id, state) = (self.nodes[node].id, running.machine.store());
        let result = self.watch.has_state(id, running.machine.applied().index, state);
        self.must_hold(result);
        for change in leases {
            if let LeaseChange::Ended { id } = change {
                self.coverage.count(Counter::LeasesEnded);
                let result = self.watch.lease_kept.ended(*id, self.now);
                self.must_hold(result);
            }
        }
    }

    /// Runs code of the store; a panic in it is a finding.
    pub(super) fn guarded<T>(
        &mut self,
        node: usize,
        action: impl FnOnce(&mut World) -> T,
    ) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| action(self))) {
            Ok(result) => Some(result),
            Err(panic) => {
                let message = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_else(|| "a panic without a message".to_owned());
                self.found(Violation::Crash { node: self.nodes[node].id.0, message });
                None
            }
        }
    }

    pub(super) fn must_hold(&mut self, result: Result<(), InvariantViolation>) {
        if let Err(violation) = result
            && self.options.checks == Checks::All
        {
            self.found(Violation::Invariant(violation));
        }
    }

    /// Ends the run with a finding, unless there is one already. With [`Checks::History`] a node
    /// that breaks stays down, and clients go on.
    pub(super) fn found(&mut self, violation: Violation) {
        self.trace.line(self.now, format_args!("found {violation}"));
        if self.options.checks == Checks::History {
            if let Violation::Crash { node, .. } | Violation::Recovery { node, .. } = violation {
                self.nodes[node as usize - 1].running = None;
            }
            return;
        }
        self.violation.get_or_insert(violation);
    }
}

/// A Raft message in a few words; everything in it that decides what it does.
pub(super) struct DisplayMessage<'a>(pub(super) &'a Message);

impl std::fmt::Display for DisplayMessage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message = self.0;
        write!(
            f,
            "{:?} {} {}/{} c{} r{}/{} +{}",
            message.get_msg_type(),
            message.term,
            message.index,
            message.log_term,
            message.commit,
            u8::from(message.reject),
            message.reject_hint,
            message.entries.len(),
        )?;
        for byte in &message.context[..] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
