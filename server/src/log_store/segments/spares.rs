//! Files that are ready to become segments, prepared on a thread of their own.
//!
//! Preparing a file is writing all of it once, or, if it was used before, overwriting its first
//! sector, so that it has no head any more. Both are synced. The log never waits for it: where no
//! spare is ready, it takes an empty file, which grows and is slower.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use crate::log_store::LogStoreError;

use super::files::{FileSystem, Slot, io_error};

/// Spares that are kept when segments are not needed any more; the other files are removed.
const SPARES_MAX: usize = 2;
/// A disk writes this much at once or not at all, so that a head is whole or gone.
const SECTOR_BYTES: usize = 512;
/// Zeros are written and synced in such pieces, so that the log's own syncs do not wait for long.
const CHUNK_BYTES: usize = 1 << 20;

/// Where files are prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log_store) enum Preparation {
    /// On a thread.
    InBackground,
    /// Where it is asked for, so that a test sees the same order every time.
    #[cfg(test)]
    AtOnce,
}

/// The spare files of a journal.
pub(super) struct Spares {
    workshop: Workshop,
    jobs: Jobs,
    ready: Receiver<Option<Slot>>,
    shelf: Vec<Slot>,
    /// Jobs that will put something, or nothing, into `ready`.
    under_way: usize,
    /// Nobody has asked for a spare since the last one was taken.
    is_wanted: bool,
    next_id: u32,
}

enum Job {
    Make(u32),
    Prepare(Slot),
    Remove(Slot),
}

enum Jobs {
    Thread {
        jobs: Option<Sender<Job>>,
        thread: Option<JoinHandle<()>>,
    },
    #[cfg(test)]
    AtOnce {
        done: Sender<Option<Slot>>,
    },
}

impl Spares {
    /// No spares yet. Files made from now on have greater ids than this.
    pub(super) fn start(
        files: Arc<dyn FileSystem>,
        segment_bytes: usize,
        preparation: Preparation,
        last_id: u32,
    ) -> Result<Spares, LogStoreError> {
        let workshop = Workshop { files, segment_bytes, stops: Arc::default() };
        let (done, ready) = channel();
        let jobs = match preparation {
            Preparation::InBackground => {
                let (jobs, waiting) = channel();
                let worker = workshop.clone();
                let thread = Builder::new()
                    .name("log-spares".into())
                    .spawn(move || worker.run(&waiting, &done))
                    .map_err(io_error("start a thread for", workshop.files.directory()))?;
                Jobs::Thread { jobs: Some(jobs), thread: Some(thread) }
            }
            #[cfg(test)]
            Preparation::AtOnce => Jobs::AtOnce { done },
        };
        Ok(Spares {
            workshop,
            jobs,
            ready,
            shelf: Vec::new(),
            under_way: 0,
            is_wanted: true,
            next_id: last_id + 1,
        })
    }

    /// A file for the next segment, prepared if there is one.
    pub(super) fn take(&mut self) -> Result<Slot, LogStoreError> {
        self.collect();
        self.is_wanted = true;
        match self.shelf.pop() {
            Some(slot) => Ok(slot),
            None => self.create(),
        }
    }

    /// Sees to it that there will be a file for the next segment, once a segment: where there is no
    /// space for it, asking again and again would take what little there is from others.
    pub(super) fn want_one(&mut self) {
        if std::mem::take(&mut self.is_wanted) {
            self.collect();
            if self.shelf.is_empty() && self.under_way == 0 {
                let id = self.new_id();
                self.order(Job::Make(id));
            }
        }
    }

    /// A prepared file, made from this one or a new one, however long it takes.
    pub(super) fn prepare_now(&mut self, old: Option<Slot>) -> Result<(), LogStoreError> {
        let slot = match old {
            Some(slot) => slot,
            None => self.create()?,
        };
        match self.workshop.prepare(&slot) {
            Ok(()) => {
                self.shelf.push(slot);
                Ok(())
            }
            Err(error) => {
                self.workshop.remove(slot);
                Err(error)
            }
        }
    }

    /// Takes back a file of which nothing is needed any more, and this fact is durable.
    pub(super) fn give_back(&mut self, slot: Slot) {
        self.collect();
        let enough = self.shelf.len() + self.under_way >= SPARES_MAX;
        self.order(if enough { Job::Remove(slot) } else { Job::Prepare(slot) });
    }

    fn create(&mut self) -> Result<Slot, LogStoreError> {
        let id = self.new_id();
        Slot::create(&*self.workshop.files, id)
    }

    fn new_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    fn collect(&mut self) {
        for done in self.ready.try_iter() {
            self.under_way -= 1;
            self.shelf.extend(done);
        }
    }

    /// The queue has no limit of its own: there is at most one job for each file.
    fn order(&mut self, job: Job) {
        self.under_way += usize::from(!matches!(job, Job::Remove(_)));
        match &self.jobs {
            // The thread lives as long as the sender.
            Jobs::Thread { jobs, .. } => drop(jobs.as_ref().map(|jobs| jobs.send(job))),
            #[cfg(test)]
            Jobs::AtOnce { done } => self.workshop.perform(job, done),
        }
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        match &mut self.jobs {
            Jobs::Thread { jobs, thread } => {
                self.workshop.stops.store(true, Ordering::Relaxed);
                drop(jobs.take());
                if let Some(thread) = thread.take() {
                    // If it panicked, the panic hook has said so, and nothing depends on it.
                    let _ = thread.join();
                }
            }
            #[cfg(test)]
            Jobs::AtOnce { .. } => {}
        }
    }
}

#[derive(Clone)]
struct Workshop {
    files: Arc<dyn FileSystem>,
    segment_bytes: usize,
    stops: Arc<AtomicBool>,
}

impl Workshop {
    fn run(&self, jobs: &Receiver<Job>, done: &Sender<Option<Slot>>) {
        while let Ok(job) = jobs.recv() {
            self.perform(job, done);
        }
    }

    fn perform(&self, job: Job, done: &Sender<Option<Slot>>) {
        let slot = match job {
            Job::Make(id) => Slot::create(&*self.files, id),
            Job::Prepare(slot) => Ok(slot),
            Job::Remove(slot) => return self.remove(slot),
        };
        let prepared = slot.and_then(|slot| match self.prepare(&slot) {
            Ok(()) => Ok(slot),
            Err(error) => {
                self.remove(slot);
                Err(error)
            }
        });
        if let Err(error) = &prepared
            && !self.stops.load(Ordering::Relaxed)
        {
            // Not fatal: the write path meets the same disk, and is the one to judge.
            tracing::warn!("no spare file for the log: {error}");
        }
        // Whoever does not wait any more is shutting down.
        let _ = done.send(prepared.ok());
    }

    fn prepare(&self, slot: &Slot) -> Result<(), LogStoreError> {
        let mut size = slot.size()? as usize;
        if size > 0 {
            slot.write(&[0; SECTOR_BYTES], 0)?;
            slot.sync()?;
        }
        if size > self.segment_bytes {
            slot.truncate(self.segment_bytes as u64)?;
            slot.sync()?;
        }
        let zeros = vec![0; CHUNK_BYTES.min(self.segment_bytes.saturating_sub(size))];
        while size < self.segment_bytes {
            if self.stops.load(Ordering::Relaxed) {
                return Err(io_error("prepare", &slot.path)(io::ErrorKind::Interrupted.into()));
            }
            let count = zeros.len().min(self.segment_bytes - size);
            slot.write(&zeros[..count], size as u64)?;
            slot.sync()?;
            size += count;
        }
        Ok(())
    }

    fn remove(&self, slot: Slot) {
        let removed = self.files.remove(&slot.name).and_then(|()| self.files.sync_directory());
        if let Err(error) = removed {
            tracing::warn!("a file of the log stays: remove {}: {error}", slot.path.display());
        }
    }
}
