//! When each operation and each fault starts: synchronous decisions, no clock, no IO.
//!
//! The runner asks [`Scheduler::next`] with the time that has passed, does what it says, and reports
//! completions. The same scheduler therefore runs in real and in virtual time.
//!
//! Open loop: every worker has a schedule of its own, which does not wait for completions. A worker
//! that is held up starts late, and latency counts from the scheduled start.

use std::collections::VecDeque;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use workloads::generator::{Generator, Invocation};
use workloads::history::{Event, EventKind};

use crate::nemesis::Action;
use crate::nemesis::plan::PlannedFault;

/// A worker that is further behind than this gives up the starts it missed. Without a limit
/// a long fault would be followed by a burst that measures nothing but itself.
const BACKLOG_MAX: Duration = Duration::from_secs(1);

/// What a schedule is made from.
pub struct SchedulerOptions {
    /// Workers; each has one open operation at a time.
    pub concurrency: usize,
    /// Operations a second over all workers; none: closed loop, as fast as the system answers.
    pub rate: Option<f64>,
    /// No operation starts after this.
    pub time_limit: Duration,
    /// What repeats the schedule.
    pub seed: u64,
}

/// What the runner should do now.
#[derive(Debug, PartialEq)]
pub enum Decision {
    /// Let a worker invoke an operation.
    Invoke {
        /// The worker.
        worker: usize,
        /// Its current process.
        process: u64,
        /// What to invoke.
        invocation: Invocation,
        /// When it should have started.
        scheduled: Duration,
    },
    /// Give the nemesis something to do.
    Fault(Action),
    /// Nothing to do before this time, unless an operation completes.
    WaitUntil(Duration),
    /// Nothing to do before an operation completes.
    Pending,
    /// This phase is over, and no operation is open.
    Done,
}

struct Worker {
    process: u64,
    busy: bool,
    /// Next scheduled start.
    start: Duration,
    /// Operations of the final phase.
    last: VecDeque<Invocation>,
}

enum Phase {
    Main,
    Final,
}

/// The decisions of one run.
pub struct Scheduler {
    options: SchedulerOptions,
    generator: Box<dyn Generator>,
    workers: Vec<Worker>,
    /// By time.
    actions: VecDeque<(Duration, Action)>,
    rng: ChaCha8Rng,
    phase: Phase,
    shed: u64,
}

impl Scheduler {
    /// A scheduler at time 0.
    pub fn new(
        options: SchedulerOptions,
        generator: Box<dyn Generator>,
        plan: &[PlannedFault],
    ) -> Scheduler {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let mut actions: Vec<(Duration, Action)> = plan
            .iter()
            .enumerate()
            .flat_map(|(index, fault)| {
                [(fault.start, Action::Install(index)), (fault.stop, Action::Heal(index))]
            })
            .collect();
        actions.sort_by_key(|(time, _)| *time);
        let gap = gap_mean(&options);
        let workers = (0..options.concurrency)
            .map(|worker| Worker {
                process: worker as u64,
                busy: false,
                start: gap.mul_f64(rng.random_range(0.0..1.0)),
                last: VecDeque::new(),
            })
            .collect();
        Scheduler {
            options,
            generator,
            workers,
            actions: actions.into(),
            rng,
            phase: Phase::Main,
            shed: 0,
        }
    }

    /// What to do at `now`. Faults come first, so that they are on time.
    pub fn next(&mut self, now: Duration) -> Decision {
        match self.phase {
            Phase::Main => self.next_main(now),
            Phase::Final => self.next_final(now),
        }
    }

    /// An operation of `worker` completed with this event.
    pub fn completed(&mut self, worker: usize, completion: &Event, now: Duration) {
        let concurrency = self.workers.len() as u64;
        let gap = gap_mean(&self.options);
        let state = &mut self.workers[worker];
        state.busy = false;
        if completion.kind == EventKind::Info {
            // Its operation may still be open, so that this process must never act again.
            state.process += concurrency;
        }
        if self.options.rate.is_some() {
            let behind = now.saturating_sub(state.start);
            if behind > BACKLOG_MAX {
                self.shed += (behind.as_nanos() / gap.as_nanos().max(1)) as u64;
                state.start = now;
            }
        } else {
            state.start = now;
        }
        self.generator.observe(worker, completion);
    }

    /// Ends the main phase now: no further operations or faults.
    pub fn stop(&mut self) {
        self.options.time_limit = Duration::ZERO;
        self.actions.clear();
    }

    /// Starts the final phase: the generator's last operations, one after the other on each worker.
    pub fn begin_final(&mut self) {
        self.phase = Phase::Final;
        for (worker, state) in self.workers.iter_mut().enumerate() {
            state.last = self.generator.final_operations(worker).into();
        }
    }

    /// Scheduled starts that were given up because a worker was too far behind.
    pub fn shed(&self) -> u64 {
        self.shed
    }

    fn next_main(&mut self, now: Duration) -> Decision {
        if let Some((time, action)) = self.actions.front().copied()
            && time <= now
        {
            self.actions.pop_front();
            return Decision::Fault(action);
        }
        let next_action = self.actions.front().map(|(time, _)| *time);
        let over = now >= self.options.time_limit;
        let earliest = self
            .workers
            .iter()
            .enumerate()
            .filter(|(_, worker)| !worker.busy && !over)
            .map(|(index, worker)| (worker.start, index))
            .min();
        match earliest {
            Some((start, worker)) if start <= now => self.invoke(worker, start),
            Some((start, _)) => {
                let wake = start.min(self.options.time_limit);
                Decision::WaitUntil(next_action.map_or(wake, |time| time.min(wake)))
            }
            None => match next_action {
                Some(time) => Decision::WaitUntil(time),
                None if self.workers.iter().any(|worker| worker.busy) => Decision::Pending,
                None => Decision::Done,
            },
        }
    }

    fn next_final(&mut self, now: Duration) -> Decision {
        for (index, worker) in self.workers.iter_mut().enumerate() {
            if !worker.busy
                && let Some(invocation) = worker.last.pop_front()
            {
                worker.busy = true;
                let process = worker.process;
                return Decision::Invoke { worker: index, process, invocation, scheduled: now };
            }
        }
        match self.workers.iter().any(|worker| worker.busy) {
            true => Decision::Pending,
            false => Decision::Done,
        }
    }

    fn invoke(&mut self, worker: usize, scheduled: Duration) -> Decision {
        let invocation = self.generator.next(worker);
        // Uniform over [0, 2 gap): irregular, but with the asked rate.
        let gap = gap_mean(&self.options).mul_f64(self.rng.random_range(0.0..2.0));
        let state = &mut self.workers[worker];
        state.busy = true;
        state.start = scheduled + gap;
        Decision::Invoke { worker, process: state.process, invocation, scheduled }
    }
}

/// Mean time between two starts of one worker.
fn gap_mean(options: &SchedulerOptions) -> Duration {
    match options.rate {
        Some(rate) => Duration::from_secs_f64(options.concurrency as f64 / rate),
        None => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use workloads::history::{Process, Value};

    use super::*;

    struct Reads;

    impl Generator for Reads {
        fn next(&mut self, _worker: usize) -> Invocation {
            Invocation { f: "read", key: None, value: Value::Null }
        }
        fn observe(&mut self, _worker: usize, _completion: &Event) {}
        fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
            match worker {
                0 => vec![self.next(0)],
                _ => Vec::new(),
            }
        }
    }

    fn completion(process: u64, kind: EventKind) -> Event {
        Event {
            index: 0,
            time: 0,
            scheduled: None,
            process: Process::Client(process),
            kind,
            f: "read".into(),
            key: None,
            value: Value::Null,
            error: None,
            node: None,
        }
    }

    fn scheduler(concurrency: usize, rate: Option<f64>) -> Scheduler {
        let time_limit = Duration::from_secs(10);
        let options = SchedulerOptions { concurrency, rate, time_limit, seed: 1 };
        Scheduler::new(options, Box::new(Reads), &[])
    }

    #[test]
    fn a_process_that_ended_in_info_never_invokes_again() {
        let mut scheduler = scheduler(2, None);
        let Decision::Invoke { worker: 0, process: 0, .. } = scheduler.next(Duration::ZERO) else {
            panic!("worker 0 is free")
        };
        scheduler.completed(0, &completion(0, EventKind::Info), Duration::from_millis(1));
        // Worker 1 was due earlier.
        assert!(matches!(
            scheduler.next(Duration::from_millis(1)),
            Decision::Invoke { worker: 1, process: 1, .. }
        ));
        assert!(matches!(
            scheduler.next(Duration::from_millis(1)),
            Decision::Invoke { worker: 0, process: 2, .. }
        ));
    }

    #[test]
    fn an_open_loop_keeps_its_rate_whatever_the_answers_take() {
        let mut scheduler = scheduler(10, Some(100.0));
        let mut now = Duration::ZERO;
        let mut invoked = 0;
        let mut open: VecDeque<(Duration, usize, u64)> = VecDeque::new();
        loop {
            while open.front().is_some_and(|(done, ..)| *done <= now) {
                let (_, worker, process) = open.pop_front().expect("there is a front");
                scheduler.completed(worker, &completion(process, EventKind::Ok), now);
            }
            match scheduler.next(now) {
                Decision::Invoke { worker, process, scheduled, .. } => {
                    assert!(scheduled <= now);
                    invoked += 1;
                    open.push_back((now + Duration::from_millis(50), worker, process));
                }
                Decision::WaitUntil(time) => now = open.front().map_or(time, |o| o.0.min(time)),
                Decision::Pending => now = open.front().expect("an operation is open").0,
                Decision::Done => break,
                Decision::Fault(_) => unreachable!("there is no plan"),
            }
        }
        assert!((850..1150).contains(&invoked), "{invoked} operations in 10 s at 100/s");
    }

    #[test]
    fn the_final_phase_runs_each_workers_last_operations_once() {
        let mut scheduler = scheduler(3, Some(10.0));
        scheduler.stop();
        assert_eq!(scheduler.next(Duration::from_secs(1)), Decision::Done);
        scheduler.begin_final();
        let now = Duration::from_secs(2);
        assert!(matches!(scheduler.next(now), Decision::Invoke { worker: 0, .. }));
        assert_eq!(scheduler.next(now), Decision::Pending);
        scheduler.completed(0, &completion(0, EventKind::Ok), now);
        assert_eq!(scheduler.next(now), Decision::Done);
    }
}
