//! For tests: ends the process, as far as the file system can tell, at any step.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::files::{Files, Step};

/// Lets some steps happen, then half of one, then none.
#[derive(Debug)]
pub(super) struct Fuse(Mutex<State>);

#[derive(Debug)]
struct State {
    steps_left: usize,
    blown: bool,
    volatile: Vec<Volatile>,
}

/// What a power loss would take back.
#[derive(Debug, PartialEq)]
enum Volatile {
    Data(PathBuf),
    Name(PathBuf),
    Move { from: PathBuf, to: PathBuf, replaced: Option<Vec<u8>> },
}

impl Fuse {
    pub(super) fn new(steps: usize) -> Arc<Fuse> {
        let state = State { steps_left: steps, blown: false, volatile: Vec::new() };
        Arc::new(Fuse(Mutex::new(state)))
    }

    pub(super) fn files(self: &Arc<Fuse>) -> Files {
        Files { fuse: Some(Arc::clone(self)) }
    }

    /// Were there fewer steps than it would have let happen?
    pub(super) fn is_whole(&self) -> bool {
        !self.0.lock().unwrap().blown
    }

    pub(super) fn burn(&self, step: Step<'_>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.steps_left > 0 {
            state.steps_left -= 1;
            state.note(step);
            return Ok(());
        }
        if !std::mem::replace(&mut state.blown, true) {
            state.note(step);
            half(step);
        }
        Err(io::Error::other("the process has ended"))
    }

    /// Takes back, last first, what was not made durable.
    pub(super) fn lose_power(&self) {
        for volatile in self.0.lock().unwrap().volatile.drain(..).rev() {
            match volatile {
                Volatile::Data(path) => {
                    if path.exists() {
                        File::create(path).unwrap();
                    }
                }
                Volatile::Name(path) if path.is_dir() => fs::remove_dir_all(path).unwrap(),
                Volatile::Name(path) => drop(fs::remove_file(path)),
                Volatile::Move { from, to, replaced } => {
                    if fs::rename(&to, &from).is_ok()
                        && let Some(bytes) = replaced
                    {
                        fs::write(&to, bytes).unwrap();
                    }
                }
            }
        }
    }
}

impl State {
    fn note(&mut self, step: Step<'_>) {
        match step {
            Step::Create(path) => self.volatile.push(Volatile::Name(path.to_owned())),
            Step::Write(path, _) => {
                let data = Volatile::Data(path.to_owned());
                if !self.volatile.contains(&data) {
                    self.volatile.push(Volatile::Name(path.to_owned()));
                    self.volatile.push(data);
                }
            }
            Step::SyncFile(path) => self.volatile.retain(|it| *it != Volatile::Data(path.into())),
            Step::SyncDirectory(directory) => self.sync_directory(directory),
            Step::Rename(from, to) => {
                self.volatile.retain(|it| *it != Volatile::Name(from.into()));
                let (from, replaced) = (from.to_owned(), fs::read(to).ok());
                self.volatile.push(Volatile::Move { from, to: to.to_owned(), replaced });
            }
            Step::Remove(_) => {}
        }
    }

    /// Names and moves in it are there to stay, and what was moved is now known by its new name.
    fn sync_directory(&mut self, directory: &Path) {
        for volatile in std::mem::take(&mut self.volatile) {
            match volatile {
                Volatile::Name(path) if path.parent() == Some(directory) => {}
                Volatile::Move { from, to, .. } if to.parent() == Some(directory) => {
                    for earlier in &mut self.volatile {
                        if let Volatile::Data(path) | Volatile::Name(path) = earlier
                            && let Ok(rest) = path.strip_prefix(&from)
                        {
                            // Joining nothing would add a separator at the end.
                            let moved = rest.components().fold(to.clone(), |to, it| to.join(it));
                            *path = moved;
                        }
                    }
                }
                volatile => self.volatile.push(volatile),
            }
        }
    }
}

/// The steps that are not atomic can be seen half done.
fn half(step: Step<'_>) {
    match step {
        Step::Write(path, bytes) => {
            let mut file = File::options().append(true).open(path).unwrap();
            file.write_all(&bytes[..bytes.len() / 2]).unwrap();
        }
        Step::Remove(path) => drop(remove_one(path)),
        Step::Create(_) | Step::SyncFile(_) | Step::SyncDirectory(_) | Step::Rename(..) => {}
    }
}

fn remove_one(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        return Ok(());
    }
    match fs::read_dir(path)?.next() {
        Some(first) => {
            let first = first?.path();
            if first.is_dir() { fs::remove_dir_all(first) } else { fs::remove_file(first) }
        }
        None => Ok(()),
    }
}
