//! The dispatcher: asks the scheduler, hands out work, records what happens.

use std::io;
use std::time::{Duration, Instant};

use workloads::generator::Invocation;
use workloads::history::{Event, EventKind, Process};

use super::fail_fast::FailFast;
use super::nemesis_thread::NemesisThread;
use super::worker::{WorkerGone, Workers};
use crate::nemesis::Action;
use crate::nemesis::record::{FaultRecord, replace_or_push};
use crate::recorder::{HistoryRecorder, Recorder};
use crate::scheduler::{Decision, Scheduler};
use crate::stop::Stop;
use crate::system::Completion;

/// What the dispatcher needs to know besides its parts.
pub struct DispatcherOptions {
    /// The start of the run; times of events count from here.
    pub began: Instant,
    /// The node that each worker speaks to, by name.
    pub nodes_of_workers: Vec<String>,
    /// Called about once a second with the state of the run.
    pub progress: Box<dyn FnMut(&Progress<'_>) + Send>,
    /// What ends the main phase when a violation is proved, if anything does.
    pub fail_fast: Option<FailFast>,
}

/// The state of a run in progress.
pub struct Progress<'a> {
    /// Since the start of the run.
    pub elapsed: Duration,
    /// All events so far.
    pub events: &'a [Event],
    /// The faults in force, in words.
    pub faults: &'a [String],
}

/// What a phase left behind.
#[derive(Debug, Default)]
pub struct Dispatched {
    /// Every fault of the run, as it was last seen.
    pub faults: Vec<FaultRecord>,
    /// The user stopped the run.
    pub interrupted: bool,
    /// What was proved so that the main phase ended early, in a sentence.
    pub proved: Option<String>,
}

/// The harness itself failed.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The history or the schedule cannot be written.
    #[error("write the history: {0}")]
    Record(#[from] io::Error),
    /// A client panicked.
    #[error(transparent)]
    Worker(#[from] WorkerGone),
    /// All workers ended.
    #[error("all workers ended by themselves")]
    Workers,
    /// The nemesis panicked.
    #[error("the nemesis ended by itself")]
    Nemesis,
}

/// Runs the phases of a schedule.
pub struct Dispatcher {
    options: DispatcherOptions,
    scheduler: Scheduler,
    workers: Workers,
    /// What each worker has open: process and invocation.
    open: Vec<Option<(u64, Invocation)>>,
    history: HistoryRecorder,
    schedule: Recorder,
    stop: Stop,
}

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

impl Dispatcher {
    /// A dispatcher over parts that are ready.
    pub fn new(
        options: DispatcherOptions,
        scheduler: Scheduler,
        workers: Workers,
        history: HistoryRecorder,
        schedule: Recorder,
        stop: Stop,
    ) -> Dispatcher {
        let open = options.nodes_of_workers.iter().map(|_| None).collect();
        Dispatcher { options, scheduler, workers, open, history, schedule, stop }
    }

    /// Runs the main phase until its time limit, or until the user stops it. Ends with all faults
    /// healed and no operation open.
    ///
    /// What happened is in `out` also if it fails.
    pub async fn run_main(
        &mut self,
        nemesis: &mut NemesisThread,
        out: &mut Dispatched,
    ) -> Result<(), RunnerError> {
        let mut result = self.drive(Some(nemesis), out).await;
        nemesis.perform(Action::HealAll);
        while nemesis.outstanding() > 0 {
            let records = nemesis.done().await.ok_or(RunnerError::Nemesis)?;
            // The heal goes on whether or not it can be written down.
            result = self.record_faults(records, out).and(result);
        }
        result
    }

    /// Runs the last operations.
    pub async fn run_final(&mut self) -> Result<(), RunnerError> {
        self.scheduler.begin_final();
        self.drive(None, &mut Dispatched::default()).await
    }

    /// The history, and how many scheduled starts were given up.
    pub fn finish(self) -> (Vec<Event>, u64) {
        (self.history.into_events(), self.scheduler.shed())
    }

    async fn drive(
        &mut self,
        mut nemesis: Option<&mut NemesisThread>,
        out: &mut Dispatched,
    ) -> Result<(), RunnerError> {
        let mut progress_due = PROGRESS_INTERVAL;
        loop {
            while let Some((worker, completion)) = self.workers.completion_now() {
                self.complete(worker, completion)?;
            }
            if nemesis.is_some() && self.stop.requested() && !out.interrupted {
                out.interrupted = true;
                self.scheduler.stop();
            }
            if nemesis.is_some() && out.proved.is_none() {
                out.proved = self.options.fail_fast.as_ref().and_then(FailFast::proved);
                if out.proved.is_some() {
                    self.scheduler.stop();
                }
            }
            let now = self.options.began.elapsed();
            if now >= progress_due {
                progress_due = now + PROGRESS_INTERVAL;
                let faults = nemesis.as_ref().map_or_else(Vec::new, |nemesis| nemesis.in_force());
                let events = self.history.events();
                (self.options.progress)(&Progress { elapsed: now, events, faults: &faults });
            }
            let wake = match self.scheduler.next(now) {
                Decision::Invoke { worker, process, invocation, scheduled } => {
                    self.invoke(worker, process, invocation, scheduled)?;
                    continue;
                }
                Decision::Fault(action) => {
                    if let Some(nemesis) = nemesis.as_mut() {
                        nemesis.perform(action);
                    }
                    continue;
                }
                Decision::WaitUntil(time) => time.min(progress_due),
                Decision::Pending => progress_due,
                Decision::Done => return Ok(()),
            };
            let nemesis_busy = nemesis.as_ref().is_some_and(|nemesis| nemesis.outstanding() > 0);
            let nemesis_done = async {
                match nemesis.as_mut() {
                    Some(nemesis) if nemesis_busy => nemesis.done().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                completion = self.workers.completion() => {
                    let (worker, completion) = completion.ok_or(RunnerError::Workers)?;
                    self.complete(worker, completion)?;
                }
                records = nemesis_done => {
                    let records = records.ok_or(RunnerError::Nemesis)?;
                    self.record_faults(records, out)?;
                }
                () = self.stop.wait(), if !out.interrupted => {}
                () = tokio::time::sleep_until((self.options.began + wake).into()) => {}
            }
        }
    }

    fn invoke(
        &mut self,
        worker: usize,
        process: u64,
        invocation: Invocation,
        scheduled: Duration,
    ) -> Result<(), RunnerError> {
        let time = self.now();
        let scheduled = scheduled.as_nanos() as u64;
        let event = Event {
            index: 0,
            time,
            scheduled: Some(scheduled).filter(|&scheduled| scheduled < time),
            process: Process::Client(process),
            kind: EventKind::Invoke,
            f: invocation.f.into(),
            key: invocation.key.clone(),
            value: invocation.value.clone(),
            error: None,
            node: Some(self.options.nodes_of_workers[worker].as_str().into()),
        };
        let event = self.history.append(event)?;
        if let Some(watch) = &mut self.options.fail_fast {
            watch.push(event);
        }
        self.open[worker] = Some((process, invocation.clone()));
        Ok(self.workers.invoke(worker, invocation)?)
    }

    fn complete(&mut self, worker: usize, completion: Completion) -> Result<(), RunnerError> {
        let (process, invocation) =
            self.open[worker].take().expect("a completion follows an invocation");
        let event = Event {
            index: 0,
            time: self.now(),
            scheduled: None,
            process: Process::Client(process),
            kind: completion.kind,
            f: invocation.f.into(),
            key: invocation.key,
            value: completion.value,
            error: completion.error.map(Into::into),
            node: Some(self.options.nodes_of_workers[worker].as_str().into()),
        };
        let now = self.options.began.elapsed();
        let event = self.history.append(event)?;
        if let Some(watch) = &mut self.options.fail_fast {
            watch.push(event);
        }
        self.scheduler.completed(worker, event, now);
        Ok(())
    }

    fn record_faults(
        &mut self,
        records: Vec<FaultRecord>,
        out: &mut Dispatched,
    ) -> Result<(), RunnerError> {
        for record in records {
            let written = self.schedule.append(&record);
            replace_or_push(&mut out.faults, record);
            written?;
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        self.options.began.elapsed().as_nanos() as u64
    }
}
