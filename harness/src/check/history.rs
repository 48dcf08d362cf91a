//! Histories from files, folders of runs, and stdin.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use workloads::checker::Budget;
use workloads::history::{
    EventReader, Operation, Pairing, ProcessReuse, ReadOptions, TruncatedTail,
};

use super::args::ReadingArgs;
use super::spending::Spending;
use crate::plural;

/// Events between two questions to the budget.
const EVENTS_PER_QUESTION: u64 = 4096;

/// Where a history is.
#[derive(Debug, Clone)]
pub(super) struct Source {
    path: PathBuf,
    options: ReadOptions,
    reuse: ProcessReuse,
}

/// What was read.
pub(super) struct ReadHistory {
    pub(super) operations: Vec<Operation>,
    pub(super) events: u64,
    /// What a person should know, a sentence each.
    pub(super) notes: Vec<String>,
    /// The budget that ran out before the end.
    pub(super) spent: Option<String>,
}

impl Source {
    /// A file, the folder of a run, or `-` for stdin.
    pub(super) fn new(path: &Path, reading: &ReadingArgs) -> Source {
        let is_run = path.is_dir();
        // Only a run of our own may have been cut short by a kill, and keeps to our rules.
        let (tail, reuse) = match is_run {
            true => (TruncatedTail::Tolerate, ProcessReuse::Refuse),
            false => (TruncatedTail::Refuse, ProcessReuse::Rename),
        };
        let path = if is_run { path.join("history.jsonl") } else { path.to_owned() };
        Source { path, options: reading.options(tail), reuse }
    }

    /// What it is called in messages.
    pub(super) fn name(&self) -> String {
        match self.path.as_os_str() == "-" {
            true => "stdin".to_owned(),
            false => self.path.display().to_string(),
        }
    }

    fn open(&self) -> anyhow::Result<Box<dyn BufRead>> {
        if self.path.as_os_str() == "-" {
            return Ok(Box::new(BufReader::new(std::io::stdin())));
        }
        let file = File::open(&self.path).with_context(|| format!("open {}", self.name()))?;
        Ok(Box::new(BufReader::with_capacity(1 << 18, file)))
    }

    /// The events, one at a time.
    pub(super) fn events(&self) -> anyhow::Result<EventReader<'static>> {
        EventReader::new(self.open()?, &self.options).with_context(|| self.name())
    }

    /// All operations, or those before the budget ran out.
    pub(super) fn operations(&self, spending: &Spending) -> anyhow::Result<ReadHistory> {
        let mut reader = self.events()?;
        let mut pairing = Pairing::new(self.reuse);
        let mut events = 0;
        let mut spent = None;
        for event in reader.by_ref() {
            let event = event.with_context(|| self.name())?;
            pairing.push(&event).with_context(|| format!("judge {}", self.name()))?;
            events += 1;
            if events % EVENTS_PER_QUESTION == 0 {
                spending.read(events, false);
                spent = spending.exhausted(0);
                if spent.is_some() {
                    break;
                }
            }
        }
        spending.read(events, true);
        let mut notes = reader.notes();
        if pairing.renamed() > 0 {
            notes.push(format!(
                "{} went on after an info; what followed is taken as by new processes",
                plural::counted(pairing.renamed() as u64, "process")
            ));
        }
        Ok(ReadHistory { operations: pairing.finish(), events, notes, spent })
    }
}
