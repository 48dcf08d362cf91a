//! The binary under test, in a folder of its own.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::common::witness;
use crate::run_folder::RunFolder;

/// What the machine lacks.
pub(crate) struct Skipped(pub(crate) String);

/// An unused user id. Nothing is created for it.
const ORDINARY: u32 = 54321;

/// A short run ends long before this, also on a busy machine.
const END_TIMEOUT: Duration = Duration::from_secs(120);

/// Pause between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// As whom the binary runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// As this program.
    Same,
    /// As somebody without any capability.
    Ordinary,
}

/// A folder where the binary may be started. Its name is in the environment of all that it starts.
pub(crate) struct Place {
    folder: TempDir,
    user: User,
    program: PathBuf,
}

impl Place {
    /// A fresh folder.
    pub(crate) fn new() -> Place {
        Place::of(User::Same).unwrap_or_else(|Skipped(reason)| panic!("{reason}"))
    }

    /// A fresh folder of that user, with a copy of the binary that the user may read.
    pub(crate) fn of(user: User) -> Result<Place, Skipped> {
        let folder = tempfile::Builder::new().prefix("breakwater-").tempdir_in("/tmp");
        let folder = folder.expect("/tmp is writable");
        let built = PathBuf::from(env!("CARGO_BIN_EXE_harness"));
        let program = match user {
            User::Same => built,
            User::Ordinary => {
                if !nix::unistd::geteuid().is_root() {
                    return Err(Skipped("the tests were not started by root".to_owned()));
                }
                let open = fs::Permissions::from_mode(0o777);
                fs::set_permissions(folder.path(), open.clone()).expect("it is our folder");
                let copy = folder.path().join("harness");
                fs::copy(built, &copy).expect("/tmp has room");
                fs::set_permissions(&copy, open).expect("it is our file");
                copy
            }
        };
        Ok(Place { folder, user, program })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the binary there, in a process group of its own.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running<'_> {
        self.start_command(self.command(arguments))
    }

    /// Starts a command made by [`Place::command`].
    pub(crate) fn start_command(&self, mut command: Command) -> Running<'_> {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.path().join(name));
        let create = |path| File::create(path).expect("the folder is ours");
        command.stdout(create(&stdout)).stderr(create(&stderr));
        let child = command.spawn().expect("the binary can be started");
        Running { child, stdout, stderr, place: self }
    }

    /// The command, with no input.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.path())
            .env("BREAKWATER_TEST", self.token())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .process_group(0);
        if self.user == User::Ordinary {
            command.uid(ORDINARY).gid(ORDINARY);
        }
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// A run that must end with this code. Skips where the platform that was asked for cannot be had.
    #[track_caller]
    pub(crate) fn expect_run(&self, code: i32, arguments: &[&str]) -> Result<Ended, Skipped> {
        let ended = self.run(arguments).unless_skipped()?;
        ended.assert_code(code);
        Ok(ended)
    }

    /// The folder of the only run in `results`.
    #[track_caller]
    pub(crate) fn only_run(&self) -> RunFolder {
        let mut runs = self.runs();
        assert_eq!(runs.len(), 1, "exactly one run: {runs:?}");
        RunFolder(runs.remove(0))
    }

    /// The folders of all runs in `results`.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let entries = |path: &Path| -> Vec<PathBuf> {
            let Ok(read) = fs::read_dir(path) else { return Vec::new() };
            read.flatten()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path())
                .collect()
        };
        entries(&self.path().join("results")).iter().flat_map(|group| entries(group)).collect()
    }

    fn token(&self) -> String {
        self.path().file_name().expect("it has a name").to_string_lossy().into_owned()
    }

    /// Pids of its nodes, the processes of their stubs left out.
    pub(crate) fn nodes(&self) -> Vec<i32> {
        witness::processes(&self.token(), "node")
    }

    /// Nothing that was started from here may be left.
    #[track_caller]
    pub(crate) fn assert_nothing_runs(&self) {
        let token = self.token();
        witness::eventually("no process is left", || witness::processes(&token, "").is_empty());
    }
}

/// The binary while it runs. Killed when dropped.
pub(crate) struct Running<'a> {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    place: &'a Place,
}

impl Running<'_> {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// As Ctrl-C in a terminal: to the whole group.
    pub(crate) fn interrupt(&self) {
        killpg(self.pid(), Signal::SIGINT).expect("it runs");
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Waits until the run has recorded some operations; skips if it cannot run here.
    #[track_caller]
    pub(crate) fn await_operations(mut self) -> Result<Self, Skipped> {
        const EVENTS: usize = 300;
        let recorded = |place: &Place| {
            let runs = place.runs();
            let history = runs.first().map(|run| run.join("history.jsonl"));
            let text = history.and_then(|path| fs::read(path).ok()).unwrap_or_default();
            text.iter().filter(|&&byte| byte == b'\n').count()
        };
        if self.until("operations are recorded", |running| recorded(running.place) >= EVENTS) {
            return Ok(self);
        }
        let ended = self.wait().unless_skipped()?;
        panic!("it ended early: {ended:?}");
    }

    /// Waits for a text on stderr.
    #[track_caller]
    pub(crate) fn await_stderr(&mut self, text: &str) {
        let seen = self.until(text, |running| running.stderr().contains(text));
        assert!(seen, "it ended without {text:?}: {}", self.stderr());
    }

    /// Waits for a condition; false if the process ended before.
    #[track_caller]
    fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + END_TIMEOUT;
        loop {
            if condition(self) {
                return true;
            }
            if self.child.try_wait().expect("it is our child").is_some() {
                return condition(self);
            }
            assert!(Instant::now() < deadline, "never {what}: {}", self.stderr());
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ended {
        self.until("the end", |_| false);
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Ended {
            status: self.child.wait().expect("it is our child"),
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// How the binary ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// None if a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) {
        let Ended { status, stdout, stderr } = self;
        assert_eq!(self.code(), Some(code), "{status}\n{stdout}\n{stderr}");
        for text in [stdout, stderr] {
            assert!(!text.contains(" panicked at "), "{text}");
        }
    }

    pub(crate) fn unless_skipped(self) -> Result<Ended, Skipped> {
        let lacks = self.stderr.lines().find(|line| line.contains("cannot be had here"));
        match lacks {
            Some(line) => Err(Skipped(line.trim_start_matches("error: ").to_owned())),
            None => Ok(self),
        }
    }
}
