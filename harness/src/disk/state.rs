//! A disk in use: its files, what goes wrong, and synchronisations that are answered later.
//!
//! ```text
//! FUSE session (1 thread) ── every request ──> State <── trouble, power loss ── nemesis
//!                                                ^
//!                          late thread ──────────┘ answers slow and stuck synchronisations
//! ```
//!
//! One lock for everything: a disk does one thing at a time too. A synchronisation that is late
//! holds its reply and nothing else, so that everything but it goes on.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, FileType};
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fuser::ReplyEmpty;
use nix::errno::Errno;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::inode::Inode;
use super::power::{PowerLoss, Unsynced};
use super::tree::Tree;
use super::trouble::{DiskCounters, Syncs, Trouble};
use super::undo::{Moment, NameRule};

/// What the session, the late thread and the nemesis share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something about late synchronisations has changed.
    changed: Condvar,
}

/// A disk in use.
pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) open_files: HashMap<u64, OpenFile>,
    pub(super) open_directories: HashMap<u64, Vec<(OsString, u64, FileType)>>,
    next_handle: u64,
    trouble: Trouble,
    rng: ChaCha8Rng,
    pub(super) counters: DiskCounters,
    late: Vec<LateSync>,
    is_ending: bool,
}

/// A file that the node has open.
#[derive(Clone)]
pub(super) struct OpenFile {
    pub(super) inode: Arc<Inode>,
    pub(super) file: Arc<File>,
}

/// A synchronisation that is not answered yet.
struct LateSync {
    /// None until it is not stuck any more.
    due: Option<Instant>,
    number: u64,
    moment: Moment,
    reply: ReplyEmpty,
}

impl Shared {
    /// The disk of a backing directory.
    pub(super) fn open(backing: &Path, rule: NameRule) -> io::Result<Shared> {
        let state = State {
            tree: Tree::open(backing, rule)?,
            open_files: HashMap::new(),
            open_directories: HashMap::new(),
            next_handle: 1,
            trouble: Trouble::NONE,
            rng: ChaCha8Rng::seed_from_u64(0),
            counters: DiskCounters::default(),
            late: Vec::new(),
            is_ending: false,
        };
        Ok(Shared { state: Mutex::new(state), changed: Condvar::new() })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power fails. Nobody has anything open any more, nor does the kernel know anything.
    pub(super) fn lose_power(&self, unsynced: Unsynced) -> io::Result<PowerLoss> {
        self.forget_open();
        let mut state = self.lock();
        state.counters.power_losses += 1;
        state.tree.lose_power(unsynced)
    }

    /// The kernel has let go, so that all that it knew and had open is forgotten.
    pub(super) fn forget_open(&self) {
        let mut state = self.lock();
        state.open_files.clear();
        state.open_directories.clear();
        state.tree.forget_all();
    }

    /// From now on this goes wrong, drawn from `seed`. What was stuck goes on as it says.
    pub(super) fn set_trouble(&self, trouble: Trouble, seed: u64) {
        let mut state = self.lock();
        state.trouble = trouble;
        state.rng = ChaCha8Rng::seed_from_u64(seed);
        if trouble.syncs != Syncs::Stuck {
            let now = Instant::now();
            for late in &mut state.late {
                late.due = Some(now);
            }
        }
        self.changed.notify_all();
    }

    /// Performs a synchronisation of a file or directory, now or later.
    pub(super) fn sync(&self, number: u64, reply: ReplyEmpty) {
        let mut state = self.lock();
        state.counters.syncs += 1;
        let share = state.trouble.sync_errors;
        if state.draw(share) {
            state.counters.failed_syncs += 1;
            reply.error(fuser::Errno::EIO);
            return;
        }
        let due = match state.trouble.syncs {
            Syncs::Prompt => {
                let moment = state.tree.now();
                state.tree.sync(number, moment);
                reply.ok();
                return;
            }
            Syncs::Ignored => {
                state.counters.ignored_syncs += 1;
                reply.ok();
                return;
            }
            Syncs::Slow(from, to) => Some(Instant::now() + state.rng.random_range(from..=to)),
            Syncs::Stuck => None,
        };
        state.counters.late_syncs += 1;
        let moment = state.tree.now();
        state.late.push(LateSync { due, number, moment, reply });
        self.changed.notify_all();
    }

    /// The late thread: answers what is due, until [`Shared::end`].
    pub(super) fn answer_late(&self) {
        let mut state = self.lock();
        while !state.is_ending {
            let wait = state.answer_due(Instant::now());
            let wait = wait.unwrap_or(Duration::MAX);
            let waited = self.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // Whoever waits gets an error when its reply is dropped.
        state.late.clear();
        state.is_ending = false;
    }

    /// Ends the late thread.
    pub(super) fn end(&self) {
        self.lock().is_ending = true;
        self.changed.notify_all();
    }
}

impl State {
    /// Answers what is due; the time until something else will be.
    fn answer_due(&mut self, now: Instant) -> Option<Duration> {
        let is_due = |late: &mut LateSync| late.due.is_some_and(|due| due <= now);
        let due: Vec<LateSync> = self.late.extract_if(.., is_due).collect();
        for late in due {
            self.tree.sync(late.number, late.moment);
            late.reply.ok();
        }
        let next = self.late.iter().filter_map(|late| late.due).min();
        next.map(|due| due.saturating_duration_since(now))
    }

    fn draw(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.random_bool(share.min(1.0))
    }

    /// A number for something that is open.
    pub(super) fn new_handle(&mut self) -> u64 {
        self.next_handle += 1;
        self.next_handle
    }

    /// What the node has open under this number.
    pub(super) fn open_file(&self, handle: u64) -> io::Result<OpenFile> {
        self.open_files.get(&handle).cloned().ok_or_else(|| Errno::EBADF.into())
    }

    /// Is there no room for something new?
    pub(super) fn refuse_if_full(&mut self) -> io::Result<()> {
        if !self.trouble.full {
            return Ok(());
        }
        self.counters.refused_full += 1;
        Err(Errno::ENOSPC.into())
    }

    /// Is the disk full?
    pub(super) fn is_full(&self) -> bool {
        self.trouble.full
    }

    /// Writes, if nothing goes wrong.
    pub(super) fn write(&mut self, open: &OpenFile, offset: u64, data: &[u8]) -> io::Result<()> {
        self.counters.writes += 1;
        if offset + data.len() as u64 > open.file.metadata()?.len() {
            self.refuse_if_full()?;
        }
        if self.draw(self.trouble.write_errors) {
            self.counters.failed_writes += 1;
            return Err(Errno::EIO.into());
        }
        self.tree.write(&open.inode, &open.file, offset, data)
    }
}
