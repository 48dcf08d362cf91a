//! Starting, signalling and ending whole nodes, and seeing that it happened.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

use super::spawner::Spawner;
use super::stub::{Isolation, Stub, StubPlan};
use super::tree;
use crate::node_id::NodeId;
use crate::platform::clock::NodeClocks;
use crate::platform::wait::wait_readable;
use crate::platform::{Clocks, NodeCommand, PlatformError, ProcessControl, ProcessState};

/// How long a signal may take to show. A thread inside a slow fsync stops only when that returns.
const EFFECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two looks at /proc, which cannot be waited on.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// Before the signal is sent again, to those whom a fork has saved.
const SIGNAL_AGAIN: Duration = Duration::from_millis(20);

/// What holds a node's processes together.
#[derive(Debug)]
pub(crate) enum Containment {
    /// Namespaces of its own, and the network namespace made for the node.
    Namespaces(BTreeMap<NodeId, OwnedFd>),
    /// A subreaper, for this many nodes.
    Subreaper(u16),
}

/// The nodes of a platform.
#[derive(Debug)]
pub(crate) struct NodeProcesses {
    containment: Containment,
    spawner: Spawner,
    slots: BTreeMap<NodeId, Mutex<Slot>>,
    clocks: Option<NodeClocks>,
}

/// A node's place: a process or the status of the last one.
#[derive(Debug, Default)]
struct Slot {
    running: Option<Running>,
    status: Option<i32>,
}

#[derive(Debug)]
struct Running {
    stub: Stub,
    main: i32,
    /// Seen to be stopped as a whole; a main process inside vfork(2) does not show it.
    paused: bool,
}

/// What a signal is to do to a whole node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Pause,
    Resume,
}

impl NodeProcesses {
    /// No node runs yet.
    pub(crate) fn new(containment: Containment) -> Result<NodeProcesses, PlatformError> {
        let nodes: Vec<NodeId> = match &containment {
            Containment::Namespaces(networks) => networks.keys().copied().collect(),
            Containment::Subreaper(count) => (1..=*count).map(NodeId).collect(),
        };
        let slots = nodes.into_iter().map(|node| (node, Mutex::default())).collect();
        Ok(NodeProcesses { containment, spawner: Spawner::new()?, slots, clocks: None })
    }

    /// Gives every node that is started from now on a clock that can be set.
    pub(crate) fn arrange_clocks(&mut self) -> Result<(), PlatformError> {
        self.clocks = Some(NodeClocks::new(self.slots.keys().copied())?);
        Ok(())
    }

    /// The clocks of the nodes, if they were arranged.
    pub(crate) fn clocks(&self) -> Option<&dyn Clocks> {
        self.clocks.as_ref().map(|clocks| clocks as &dyn Clocks)
    }

    fn slot(&self, node: NodeId) -> Result<MutexGuard<'_, Slot>, PlatformError> {
        let slot = self.slots.get(&node);
        let slot = slot.ok_or_else(|| PlatformError::Unsupported(format!("there is no {node}")))?;
        Ok(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn isolation(&self, node: NodeId) -> Result<Isolation, PlatformError> {
        match &self.containment {
            Containment::Namespaces(networks) => networks
                .get(&node)
                .map(|network| Isolation::Namespaces { network: network.as_raw_fd() })
                .ok_or_else(|| PlatformError::Unsupported(format!("there is no {node}"))),
            Containment::Subreaper(_) => Ok(Isolation::Subreaper),
        }
    }

    /// Sends a signal to the whole node. Without a pid namespace a fork may slip through, so the
    /// callers look, and send again.
    fn signal(&self, running: &Running, signal: Signal) -> Result<(), PlatformError> {
        match self.containment {
            Containment::Namespaces(_) => running.stub.signal_all(signal as i32),
            Containment::Subreaper(_) => {
                for pid in members(running)?.into_keys() {
                    // A process that ended meanwhile needs no signal.
                    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
                }
                Ok(())
            }
        }
    }

    /// Signals until every process of the node shows the effect.
    fn signal_until(
        &self,
        node: NodeId,
        slot: &mut Slot,
        effect: Effect,
    ) -> Result<ProcessState, PlatformError> {
        let deadline = Instant::now() + EFFECT_TIMEOUT;
        let signal = match effect {
            Effect::Pause => Signal::SIGSTOP,
            Effect::Resume => Signal::SIGCONT,
        };
        let shows = |members: &BTreeMap<i32, i32>| match effect {
            Effect::Pause => tree::all_stopped(members),
            Effect::Resume => tree::none_stopped(members),
        };
        loop {
            slot.reap()?;
            let Some(running) = &mut slot.running else { return Ok(slot.state()) };
            self.signal(running, signal)?;
            let again = Instant::now() + SIGNAL_AGAIN;
            while Instant::now() < again {
                if shows(&members(running)?) {
                    running.paused = effect == Effect::Pause;
                    slot.reap()?;
                    return Ok(slot.state());
                }
                if running.ended_within(LOOK_AGAIN)? {
                    break;
                }
            }
            if Instant::now() >= deadline {
                let what = format!("{node}: wait for {signal} to show in the whole node");
                return Err(PlatformError::timeout(what, EFFECT_TIMEOUT));
            }
        }
    }

    fn kill_locked(&self, node: NodeId, slot: &mut Slot) -> Result<ProcessState, PlatformError> {
        slot.reap()?;
        if let Some(running) = &slot.running {
            match self.containment {
                // The namespace goes with its pid 1.
                Containment::Namespaces(_) => {
                    nix::sys::signal::kill(
                        nix::unistd::Pid::from_raw(running.stub.pid),
                        Signal::SIGKILL,
                    )
                    .map_err(|e| PlatformError::os(format!("kill {node}"), e.into()))?;
                }
                // The stub sees to what a fork may have saved, then ends.
                Containment::Subreaper(_) => self.signal(running, Signal::SIGKILL)?,
            }
            slot.await_end(node, EFFECT_TIMEOUT)?;
        }
        Ok(slot.state())
    }
}

impl ProcessControl for NodeProcesses {
    fn start(&self, node: NodeId, command: &NodeCommand) -> Result<ProcessState, PlatformError> {
        let mut slot = self.slot(node)?;
        slot.reap()?;
        if slot.running.is_some() {
            return Err(PlatformError::Unsupported(format!("{node} is running already")));
        }
        let clock = self.clocks.as_ref().map(|clocks| clocks.descriptor(node)).transpose()?;
        let (plan, ends) = StubPlan::new(self.isolation(node)?, node.to_string(), command, clock)?;
        let forked = self.spawner.fork(plan)?;
        let (stub, main) = Stub::await_start(forked, ends, &format!("start {node}"))?;
        let main = match self.containment {
            Containment::Namespaces(_) => outer_pid(stub.pid, main),
            Containment::Subreaper(_) => Some(main),
        };
        // A node that ended before it could be looked at is found to be gone by reap().
        let main = main.unwrap_or(stub.pid);
        slot.status = None;
        slot.running = Some(Running { stub, main, paused: false });
        slot.reap()?;
        Ok(slot.state())
    }

    fn kill(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        self.kill_locked(node, &mut *self.slot(node)?)
    }

    fn pause(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        self.signal_until(node, &mut *self.slot(node)?, Effect::Pause)
    }

    fn resume(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        self.signal_until(node, &mut *self.slot(node)?, Effect::Resume)
    }

    fn terminate(&self, node: NodeId, patience: Duration) -> Result<ProcessState, PlatformError> {
        let mut slot = self.slot(node)?;
        slot.reap()?;
        if let Some(running) = &slot.running {
            self.signal(running, Signal::SIGTERM)?;
            // A paused process would not see the signal.
            self.signal(running, Signal::SIGCONT)?;
            if running.ended_within(patience)? {
                slot.reap()?;
            }
        }
        self.kill_locked(node, &mut slot)
    }

    fn state(&self, node: NodeId) -> ProcessState {
        match self.slot(node) {
            // A failure to ask leaves the last known state.
            Ok(mut slot) => {
                let _ = slot.reap();
                slot.state()
            }
            Err(_) => ProcessState::Gone { status: None },
        }
    }
}

impl Drop for NodeProcesses {
    fn drop(&mut self) {
        for (&node, slot) in &self.slots {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            // What cannot be killed now ends with the harness: its pipe closes.
            let _ = self.kill_locked(node, &mut slot);
        }
    }
}

impl Slot {
    /// Notices a node that has ended by itself.
    fn reap(&mut self) -> Result<(), PlatformError> {
        let Some(running) = &self.running else { return Ok(()) };
        // The stub is a moment behind its main process.
        if matches!(tree::state(running.main), None | Some(b'Z' | b'X')) {
            running.ended_within(EFFECT_TIMEOUT)?;
        }
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        let status = waitid(Id::PIDFd(running.stub.pidfd.as_fd()), flags)
            .map_err(|errno| PlatformError::os("reap a node", errno.into()))?;
        let status = match status {
            WaitStatus::Exited(_, code) => code,
            WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
            WaitStatus::Stopped(..)
            | WaitStatus::PtraceEvent(..)
            | WaitStatus::PtraceSyscall(_)
            | WaitStatus::Continued(_)
            | WaitStatus::StillAlive => return Ok(()),
        };
        self.status = Some(status);
        self.running = None;
        Ok(())
    }

    fn await_end(&mut self, node: NodeId, patience: Duration) -> Result<(), PlatformError> {
        if let Some(running) = &self.running
            && !running.ended_within(patience)?
        {
            return Err(PlatformError::timeout(format!("wait for {node} to be gone"), patience));
        }
        self.reap()
    }

    fn state(&self) -> ProcessState {
        match &self.running {
            None => ProcessState::Gone { status: self.status },
            Some(Running { main, paused, .. }) if *paused || tree::state(*main) == Some(b'T') => {
                ProcessState::Stopped { pid: *main }
            }
            Some(Running { main, .. }) => ProcessState::Running { pid: *main },
        }
    }
}

impl Running {
    /// Waits for the stub to end; false if it has not.
    fn ended_within(&self, patience: Duration) -> Result<bool, PlatformError> {
        wait_readable(self.stub.pidfd.as_fd(), Instant::now() + patience)
            .map_err(|error| PlatformError::os("wait for a node to end", error))
    }
}

/// All processes of a node with their parents, without its stub.
fn members(running: &Running) -> Result<BTreeMap<i32, i32>, PlatformError> {
    tree::descendants(running.stub.pid)
        .map_err(|error| PlatformError::os("list the processes of a node", error))
}

/// The main process as we see it: the child of the stub whose own namespace calls it `inner`.
fn outer_pid(stub: i32, inner: i32) -> Option<i32> {
    let members = tree::descendants(stub).ok()?;
    members.into_keys().find(|&pid| tree::innermost_pid(pid) == Some(inner))
}
