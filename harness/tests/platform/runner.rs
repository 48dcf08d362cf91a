//! Runs the cases, one process each.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cases::{CASES, Case, Check};
use crate::common::suite::{self, Outcome, Test};
use crate::common::witness;

/// Exit code of a scenario that cannot run here; its last line says why.
pub(crate) const SKIPPED: i32 = 77;

/// An unused user id. Nothing is created for it.
const ORDINARY: u32 = 54321;

const CASE_TIMEOUT: Duration = Duration::from_secs(120);

/// As whom a scenario runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// Real root.
    Root,
    /// Somebody without any capability.
    Ordinary,
}

/// A scenario's process, seen from outside.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// Occurs in the command line of everything it starts.
    pub(crate) token: String,
    pub(crate) output: PathBuf,
}

impl Running {
    /// What it has printed.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Waits for it to end.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + CASE_TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            if Instant::now() > deadline {
                self.child.kill().expect("it is our child");
                self.child.wait().expect("it is our child");
                panic!("not ended within {CASE_TIMEOUT:?}:\n{}", self.printed());
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// Runs every case for every user.
pub(crate) fn run(flags: &[&str]) {
    let tests = CASES.iter().flat_map(|case| {
        [User::Root, User::Ordinary].map(|user| {
            let name = format!("{}::{user:?}", case.name).to_lowercase();
            Test { name: name.clone(), run: Box::new(move || run_case(case, user, &name)) }
        })
    });
    suite::run(tests, flags)
}

fn run_case(case: &Case, user: User, name: &str) -> Outcome {
    // SAFETY: no arguments, cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    if user == User::Root && !root {
        return Outcome::Skipped("the tests were not started by root".to_owned());
    }
    let folder = tempfile::Builder::new().prefix("breakwater-").tempdir_in("/tmp");
    let folder = folder.expect("/tmp is writable");
    let mut running = match start_scenario(case, user, folder.path()) {
        Ok(running) => running,
        Err(error) => return Outcome::Failed(format!("{name}: {error}")),
    };
    let outside = match case.check {
        Check::Inside => Ok(()),
        Check::Outside(check) => {
            // A scenario that skips never says that it is ready; the check is told by its end.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&mut running)))
        }
    };
    let status = running.wait();
    let printed = running.printed();
    if status.code() == Some(SKIPPED) {
        return Outcome::Skipped(printed.lines().last().unwrap_or_default().to_owned());
    }
    let expected = match case.check {
        Check::Inside => status.success(),
        Check::Outside(_) => outside.is_ok(),
    };
    let clean = std::panic::catch_unwind(|| {
        witness::eventually("no process is left", || {
            witness::processes(&running.token, "").is_empty()
        });
    });
    if expected && clean.is_ok() {
        let measured = printed.lines().filter(|line| line.starts_with("measured"));
        Outcome::Passed(measured.map(str::to_owned).collect())
    } else {
        Outcome::Failed(format!("{status}\n{printed}"))
    }
}

/// Starts this program as another user, from a copy which that user may read.
fn start_scenario(case: &Case, user: User, folder: &Path) -> std::io::Result<Running> {
    let open = |mode| fs::Permissions::from_mode(mode);
    fs::set_permissions(folder, open(0o777))?;
    let program = folder.join("platform-test");
    fs::copy("/proc/self/exe", &program)?;
    fs::set_permissions(&program, open(0o755))?;
    let output = folder.join("output");
    let log = fs::File::create(&output)?;
    let mut command = Command::new(&program);
    command
        .args(["scenario", case.name])
        .arg(folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    // SAFETY: no arguments, cannot fail.
    if user == User::Ordinary && unsafe { libc::geteuid() } == 0 {
        command.uid(ORDINARY).gid(ORDINARY);
    }
    let token = folder.file_name().expect("it has a name").to_string_lossy().into_owned();
    Ok(Running { child: command.spawn()?, token, output })
}
