//! What a check has spent, and a watch over it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use workloads::checker::Budget;

use super::memory;
use crate::{output, plural};

/// How often the watch looks.
const LOOK: Duration = Duration::from_millis(10);
/// From when on a check is long enough to tell how it goes, and how often on a terminal.
const PROGRESS: Duration = Duration::from_secs(2);
/// How often elsewhere.
const PROGRESS_ELSEWHERE: Duration = Duration::from_secs(15);
/// How long a checker may go on after it was told to stop, at least.
const GRACE: Duration = Duration::from_millis(250);
/// How long after Ctrl-C.
const GRACE_INTERRUPTED: Duration = Duration::from_secs(1);

/// A budget of time and memory that begins now.
pub(super) struct Spending {
    began: Instant,
    time: Duration,
    memory: usize,
    /// Resident bytes, as last seen.
    resident: AtomicUsize,
    interrupted: Arc<AtomicBool>,
    /// Events read so far; the highest bit says that all are.
    events: AtomicU64,
}

const ALL_READ: u64 = 1 << 63;

impl Spending {
    pub(super) fn begin(time: Duration, memory: usize, interrupted: Arc<AtomicBool>) -> Spending {
        Spending {
            began: Instant::now(),
            time,
            memory,
            resident: AtomicUsize::new(memory::resident()),
            interrupted,
            events: AtomicU64::new(0),
        }
    }

    /// Notes that so many events were read, all of them or not yet.
    pub(super) fn read(&self, events: u64, all: bool) {
        self.events.store(if all { events | ALL_READ } else { events }, Ordering::Relaxed);
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// What ran out, even with this share on top of it; for a checker that does not ask.
    fn overrun(&self) -> Option<String> {
        let resident = self.resident.load(Ordering::Relaxed);
        if resident > self.memory.saturating_add(self.memory / 12) {
            return Some(self.out_of_memory());
        }
        let grace = (self.time / 12).max(GRACE);
        (self.elapsed() > self.time.saturating_add(grace)).then(|| self.out_of_time())
    }

    fn out_of_memory(&self) -> String {
        format!("the memory budget of {} MiB", self.memory >> 20)
    }

    fn out_of_time(&self) -> String {
        format!("the time budget of {} s", self.time.as_secs_f64())
    }

    fn progress(&self) -> String {
        let events = self.events.load(Ordering::Relaxed);
        let doing = match events & ALL_READ {
            0 => format!("reading: {}", plural::counted(events, "event")),
            _ => format!("checking {}", plural::counted(events & !ALL_READ, "event")),
        };
        format!(
            "{doing}, {} s of {} s, {} MiB of {} MiB",
            self.elapsed().as_secs(),
            self.time.as_secs_f64(),
            self.resident.load(Ordering::Relaxed) >> 20,
            self.memory >> 20
        )
    }
}

impl Budget for Spending {
    fn exhausted(&self, bytes: usize) -> Option<String> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Some("stopped by Ctrl-C".to_owned());
        }
        if bytes.max(self.resident.load(Ordering::Relaxed)) > self.memory {
            return Some(self.out_of_memory());
        }
        (self.elapsed() >= self.time).then(|| self.out_of_time())
    }
}

/// How work under a watch ended.
pub(super) enum Ended<T> {
    /// By itself.
    Done(T),
    /// It was left behind, because it went on after this ran out.
    LeftBehind(String),
    /// By a panic, whose message is printed.
    Panicked,
}

/// Does work on a thread of its own, tells how it goes, and leaves it behind if it does not stop.
pub(super) fn watched<T: Send + 'static>(
    spending: &Arc<Spending>,
    name: &str,
    work: impl FnOnce(&Spending) -> T + Send + 'static,
) -> std::io::Result<Ended<T>> {
    let (sender, receiver) = sync_channel(1);
    let theirs = Arc::clone(spending);
    std::thread::Builder::new().name("check".to_owned()).spawn(move || {
        // Nobody is there to take it if this was left behind.
        let _ = sender.send(work(&theirs));
    })?;
    let mut line = ProgressLine::new(name);
    let mut interrupted: Option<Instant> = None;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(result) => return Ok(Ended::Done(result)),
            Err(RecvTimeoutError::Disconnected) => return Ok(Ended::Panicked),
            Err(RecvTimeoutError::Timeout) => {}
        }
        spending.resident.store(memory::resident(), Ordering::Relaxed);
        line.tell(spending);
        if let Some(spent) = spending.overrun() {
            return Ok(Ended::LeftBehind(spent));
        }
        if spending.interrupted.load(Ordering::Relaxed)
            && interrupted.get_or_insert_with(Instant::now).elapsed() > GRACE_INTERRUPTED
        {
            return Ok(Ended::LeftBehind("stopped by Ctrl-C".to_owned()));
        }
    }
}

/// How a long check goes, on stderr.
struct ProgressLine<'a> {
    name: &'a str,
    on_terminal: bool,
    told: Option<Instant>,
}

impl<'a> ProgressLine<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, on_terminal: std::io::stderr().is_terminal(), told: None }
    }

    fn tell(&mut self, spending: &Spending) {
        let (first, every) = match self.on_terminal {
            true => (PROGRESS, Duration::from_secs(1)),
            false => (PROGRESS_ELSEWHERE, PROGRESS_ELSEWHERE),
        };
        if spending.elapsed() < first || self.told.is_some_and(|told| told.elapsed() < every) {
            return;
        }
        self.told = Some(Instant::now());
        let text = format!("{}: {}", self.name, spending.progress());
        if self.on_terminal {
            // A terminal that is gone is no reason to stop.
            let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
        } else {
            output::note(&text);
        }
    }
}

impl Drop for ProgressLine<'_> {
    fn drop(&mut self) {
        if self.on_terminal && self.told.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
