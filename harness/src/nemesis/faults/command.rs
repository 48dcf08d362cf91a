//! Faults that an adapter's file names: commands of its author.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::nemesis::fault::{ActiveFault, Arrangement, Fault, FaultKind};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::system::FaultCommand;

/// Commands that break something, and undo it.
pub const COMMAND: FaultKind = FaultKind {
    name: "command",
    about: "Commands of the adapter's file break something and undo it; one of them at a time, drawn by \
            the seed. Not part of `all`.",
    help: "\
How: a [[fault]] of the file given by --adapter has a name and two commands, install and heal; harness/ADAPTERS.md has the manual. \
Each is run by the harness, and must end within 30 s.
Seen to act: the command ends with status 0; the record has the beginning of what it wrote. Whether something is broken is for the \
command to find out, and to say by its status.
Finds: what its author wants to find. For clusters that the harness does not run (--system external), and for systems with \
weaknesses of their own.",
    nodes_min: 1,
    forgets: false,
    arrangements: &[Arrangement::Commands],
    variants: |_| vec![Arc::new(AnyCommand) as Arc<dyn Fault>],
};

/// A command has ended by then.
const LIMIT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// What is kept of what a command wrote.
const OUTPUT_BYTES_MAX: u64 = 2_000;

#[derive(Debug)]
struct AnyCommand;

impl Fault for AnyCommand {
    fn variant(&self) -> String {
        "any".to_owned()
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        record.description = "command".to_owned();
        let Some(fault) = surroundings.control.fault_commands().choose(rng).cloned() else {
            return Err(Skipped::new("there is no [[fault]] in a file given by --adapter"));
        };
        record.description = format!("command: {}", fault.name);
        record.parameters = json!({ "install": fault.install, "heal": fault.heal });
        let seen = perform(&fault.install);
        record.installed_time = Some(surroundings.now());
        // One that failed may have broken something all the same.
        Ok(Installed::new(Broken(fault), seen))
    }
}

struct Broken(FaultCommand);

impl ActiveFault for Broken {
    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let seen = perform(&self.0.heal);
        record.healed_time = Some(surroundings.now());
        if let Seen::Unclear { reason, .. } = &seen {
            record.heal_failure = Some(reason.clone());
        }
        seen
    }
}

/// Runs a command to its end.
fn perform(argv: &[String]) -> Seen {
    let command = argv.join(" ");
    match run(argv) {
        Ok((Some(0), output)) => {
            let evidence = json!({ "status": 0, "output": output });
            Seen::Yes { evidence, summary: format!("`{command}` ended with status 0") }
        }
        Ok((status, output)) => {
            let status = status.map_or("a signal".to_owned(), |code| format!("status {code}"));
            let reason = format!("`{command}` ended with {status}");
            Seen::Unclear { reason, evidence: json!({ "output": output }) }
        }
        Err(error) => {
            let reason = format!("run `{command}`: {error}");
            Seen::Unclear { reason, evidence: Value::Null }
        }
    }
}

/// The status and the beginning of the output. A command that takes too long is ended.
fn run(argv: &[String]) -> std::io::Result<(Option<i32>, String)> {
    let [program, arguments @ ..] = argv else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stdout) = stdout {
            // Whatever could be read is shown; the rest is passed over, so that nobody waits to write it.
            let _ = (&mut stdout).take(OUTPUT_BYTES_MAX).read_to_end(&mut text);
            let _ = std::io::copy(&mut stdout, &mut std::io::sink());
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(LOOK_AGAIN);
    };
    // A process that it left behind may hold its output open for ever.
    while !reader.is_finished() && began.elapsed() < LIMIT {
        std::thread::sleep(LOOK_AGAIN);
    }
    let output = match reader.is_finished() {
        true => reader.join().unwrap_or_default(),
        false => String::new(),
    };
    Ok((status.code(), output))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str) -> Seen {
        perform(&["sh".to_owned(), "-c".to_owned(), text.to_owned()])
    }

    #[test]
    fn the_status_says_whether_it_acts() {
        let Seen::Yes { evidence, .. } = shell("echo cut") else { panic!("it ended well") };
        assert_eq!(evidence["output"], "cut");
        let Seen::Unclear { reason, evidence } = shell("echo no; exit 3") else {
            panic!("it failed")
        };
        assert!(reason.ends_with("ended with status 3"), "{reason}");
        assert_eq!(evidence["output"], "no");
        let absent = perform(&["/no/such/program".to_owned()]);
        assert!(
            matches!(absent, Seen::Unclear { reason, .. } if reason.starts_with("run `/no/such"))
        );
    }
}
