//! What a node does: the driver's part, on virtual time.
//!
//! Inputs are stepped into the replica when they arrive; its effects are performed a little later,
//! for several inputs at once, as a real loop does.

use raft::eraftpb::Message;
use rand::RngExt;
use server::replica::{Effects, Input};
use server::state_machine::Applied;

use super::coverage::Counter;
use super::disk::Crash;
use super::event::Event;
use super::observe::DisplayMessage;
use super::report::Violation;
use super::world::World;

/// Of the ticks that a node slept through, so many are delivered late, with the next one.
const LATE_TICKS_MAX: u64 = 2;

impl World {
    pub(super) fn start_node(&mut self, node: usize) {
        let stale = self.nodes[node].state_is_stale();
        let logger = self.logger.clone();
        let started = self.guarded(node, |world| world.nodes[node].start(&logger));
        match started {
            None => return,
            Some(Err(error)) => {
                let id = self.nodes[node].id.0;
                self.found(Violation::Recovery { node: id, message: error.to_string() });
                return;
            }
            Some(Ok(())) => {}
        }
        self.trace.line(self.now, format_args!("n{} starts", self.nodes[node].id));
        if self.nodes[node].boot > 1 {
            self.coverage.count(Counter::Restarts);
            self.coverage.add(Counter::StaleStates, u64::from(stale));
        }
        let id = self.nodes[node].id;
        let installed = self.nodes[node].installed.map_or(0, |(position, _)| position.index.0);
        let is_behind = self.nodes[node].disk.durable().len() < installed;
        self.coverage.add(Counter::LogResets, u64::from(is_behind));
        if let Some(running) = &self.nodes[node].running {
            let result = self.watch.restarted(id, running.replica.term());
            self.must_hold(result);
        }
        self.wake_soon(node);
    }

    pub(super) fn crash_node(&mut self, node: usize, crash: Crash) {
        let target = &mut self.nodes[node];
        let Some(running) = target.running.take() else { return };
        target.paused_until = 0;
        self.coverage.add(Counter::CrashesBeforeInstall, u64::from(running.install.is_some()));
        let lost = target.disk.crash(crash, self.now, &mut self.disk_rng);
        self.coverage.add(Counter::LostWrites, lost as u64);
        self.coverage.count(match crash {
            Crash::Kill => Counter::Kills,
            Crash::PowerLoss => Counter::PowerLosses,
        });
        self.trace.line(self.now, format_args!("n{} down {crash:?} lost {lost}", target.id));
    }

    pub(super) fn tick(&mut self, node: usize) {
        let target = &mut self.nodes[node];
        if target.paused_until > self.now {
            target.ticks_missed += 1;
            return;
        }
        // The server's clock makes up for some of the ticks that it slept through.
        let late = std::mem::take(&mut target.ticks_missed).min(LATE_TICKS_MAX);
        for _ in 0..=late {
            self.step(node, Input::Tick);
        }
        self.step(node, Input::Lull);
    }

    pub(super) fn message(&mut self, from: usize, to: usize, message: Message) {
        self.trace.line(
            self.now,
            format_args!("n{} hears n{} {}", to + 1, from + 1, DisplayMessage(&message)),
        );
        self.step(to, Input::Message(message));
    }

    pub(super) fn disk_done(&mut self, node: usize, boot: u64) {
        if self.nodes[node].boot != boot || self.nodes[node].running.is_none() {
            return;
        }
        if self.nodes[node].paused_until > self.now {
            let delay = self.nodes[node].paused_until - self.now;
            self.schedule(delay, Event::DiskDone { node, boot });
            return;
        }
        let number = self.nodes[node].disk.finish_write();
        self.trace.line(self.now, format_args!("n{} wrote {number}", node + 1));
        self.step(node, Input::Persisted(number));
        self.write_soon(node);
    }

    pub(super) fn apply_done(&mut self, node: usize, boot: u64) {
        if self.nodes[node].boot != boot {
            return;
        }
        let paused_until = self.nodes[node].paused_until;
        if paused_until > self.now {
            self.schedule(paused_until - self.now, Event::ApplyDone { node, boot });
            return;
        }
        let id = self.nodes[node].id;
        let Some(running) = &mut self.nodes[node].running else { return };
        running.applying = false;
        let entries = std::mem::take(&mut running.to_apply);
        let Some(last) = entries.last().map(|entry| entry.index) else {
            return self.install_snapshot(node);
        };
        let applied = running.machine.apply(&entries);
        for entry in &entries {
            let result = self.watch.applies(id, entry);
            self.must_hold(result);
        }
        match applied {
            Ok(Applied { entries, leases, events: _ }) => {
                self.see_state(node, &leases);
                self.trace.line(self.now, format_args!("n{id} applied {last}"));
                self.step(node, Input::Applied { index: last, entries, leases });
                self.apply_soon(node);
            }
            Err(error) => {
                self.found(Violation::Crash { node: id.0, message: error.to_string() });
            }
        }
    }

    /// Performs what the replica wants done.
    pub(super) fn wake(&mut self, node: usize, boot: u64) {
        if self.nodes[node].boot != boot {
            return;
        }
        let paused_until = self.nodes[node].paused_until;
        if paused_until > self.now {
            self.schedule(paused_until - self.now, Event::Wake { node, boot });
            return;
        }
        let effects = self.guarded(node, |world| {
            let running = world.nodes[node].running.as_mut()?;
            running.awake = false;
            Some(running.replica.take_effects())
        });
        if let Some(Some(effects)) = effects {
            self.perform(node, effects);
            self.look(node);
        }
    }

    fn perform(&mut self, node: usize, effects: Effects) {
        let id = self.nodes[node].id;
        let Effects {
            messages,
            snapshots,
            persist,
            committed,
            install,
            reads,
            take_snapshot,
            replies,
        } = effects;
        for batch in persist {
            self.coverage.count(Counter::LogWrites);
            self.coverage.add(Counter::Compactions, u64::from(batch.compact.is_some()));
            let installed = self.nodes[node].installed;
            let Some(running) = &mut self.nodes[node].running else { return };
            let mut reset = None;
            if let (Some(position), Some((installed, digest))) = (batch.reset, installed) {
                assert_eq!(position, installed, "a log is reset to the installed snapshot only");
                running.log.reset(position.index.0, digest);
                reset = Some(digest);
            }
            if let Some(first) = batch.entries.first() {
                if running.log.append(&batch.entries) > 0 {
                    self.coverage.count(Counter::Truncations);
                }
                let result = self.watch.appended(id, &running.log, first.index);
                self.must_hold(result);
            }
            self.nodes[node].disk.queue(batch, reset, self.now);
        }
        self.write_soon(node);
        for message in messages {
            let result = self.watch.sent(&message);
            self.must_hold(result);
            let to = message.to as usize - 1;
            let flights = self.network.send(self.now, node, to, &mut self.coverage);
            if let [Some(first), second] = flights {
                if let Some(second) = second {
                    let message = Box::new(message.clone());
                    self.send(node, to, second, message);
                }
                self.send(node, to, first, Box::new(message));
            }
        }
        for snapshot in snapshots {
            self.send_snapshot(node, snapshot);
        }
        self.see_configurations(&committed);
        if let Some(running) = &mut self.nodes[node].running {
            running.to_apply.extend(committed);
            running.install = install.or(running.install.take());
        }
        self.apply_soon(node);
        if take_snapshot {
            self.take_snapshot_soon(node);
        }
        for request in reads {
            self.answer_read(node, request);
        }
        for (request, reply) in replies {
            self.answer(node, request, reply);
        }
    }

    fn send(
        &mut self,
        from: usize,
        to: usize,
        flight: super::network::Flight,
        message: Box<Message>,
    ) {
        let delay = flight.arrival - self.now;
        let lives = [self.nodes[from].lives, self.nodes[to].lives];
        self.schedule(delay, Event::Arrive { from, to, lives, flight, message });
    }

    pub(super) fn step(&mut self, node: usize, input: Input) {
        let stepped = self.guarded(node, |world| {
            let running = world.nodes[node].running.as_mut()?;
            running.replica.step(input);
            Some(())
        });
        if let Some(Some(())) = stepped {
            self.wake_soon(node);
        }
    }

    fn wake_soon(&mut self, node: usize) {
        let boot = self.nodes[node].boot;
        let Some(running) = &mut self.nodes[node].running else { return };
        if !std::mem::replace(&mut running.awake, true) {
            let delay = self.loop_rng.random_range(5..120);
            self.schedule(delay, Event::Wake { node, boot });
        }
    }

    fn write_soon(&mut self, node: usize) {
        let boot = self.nodes[node].boot;
        let Some(sync) = self.nodes[node].disk.start_write() else { return };
        let slow = self.nodes[node].disk_slow_until > self.now;
        let delay = match (sync, slow) {
            (false, _) => self.disk_rng.random_range(10..60),
            (true, true) => self.disk_rng.random_range(10_000..150_000),
            (true, false) if self.disk_rng.random_bool(0.03) => {
                self.disk_rng.random_range(2_000..25_000)
            }
            (true, false) => self.disk_rng.random_range(200..1_500),
        };
        self.schedule(delay, Event::DiskDone { node, boot });
    }

    pub(super) fn apply_soon(&mut self, node: usize) {
        let slow = self.nodes[node].apply_slow_until > self.now;
        let boot = self.nodes[node].boot;
        let Some(running) = &mut self.nodes[node].running else { return };
        if running.applying || (running.to_apply.is_empty() && running.install.is_none()) {
            return;
        }
        running.applying = true;
        let delay = match slow {
            true => self.disk_rng.random_range(20_000..400_000),
            false => self.disk_rng.random_range(20..300),
        };
        self.schedule(delay, Event::ApplyDone { node, boot });
    }
}
