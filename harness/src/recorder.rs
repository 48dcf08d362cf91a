//! Writes the history while it happens: every event is in the kernel's hands before the run goes on.
//!
//! A harness that is killed therefore leaves a history that can be judged; at worst the last line is
//! cut short, which readers tolerate.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use workloads::history::Event;

/// An open file of JSON lines.
pub struct Recorder {
    file: File,
    line: Vec<u8>,
}

impl Recorder {
    /// Creates the file. Refuses one that is already there.
    pub fn create(path: &Path) -> io::Result<Recorder> {
        Ok(Recorder { file: File::create_new(path)?, line: Vec::new() })
    }

    /// Appends one object.
    pub fn append(&mut self, object: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, object)?;
        self.line.push(b'\n');
        self.file.write_all(&self.line)
    }
}

/// A history in memory and on disk, with indices.
pub struct HistoryRecorder {
    recorder: Recorder,
    events: Vec<Event>,
}

impl HistoryRecorder {
    /// An empty history.
    pub fn create(path: &Path) -> io::Result<HistoryRecorder> {
        Ok(HistoryRecorder { recorder: Recorder::create(path)?, events: Vec::new() })
    }

    /// Appends an event; gives it its index.
    pub fn append(&mut self, mut event: Event) -> io::Result<&Event> {
        event.index = self.events.len() as u64;
        self.recorder.append(&event)?;
        self.events.push(event);
        Ok(self.events.last().expect("an event was just pushed"))
    }

    /// All events so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The history, to be judged.
    pub fn into_events(self) -> Vec<Event> {
        self.events
    }
}
