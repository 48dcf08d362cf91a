//! Judges one generated history of a collection, and prints what that took.
//!
//! ```text
//! cargo run --release -p workloads --example collections -- \
//!     queue [operations] [clients] [crashes %] [valid|phantom|duplicate|lost|order] [inserts %] [seed]
//! ```
//!
//! CPU seconds are those of the check alone; the peak of memory includes the operations.

#![expect(clippy::print_stdout, reason = "this is a command-line tool")]
#![expect(clippy::disallowed_methods, reason = "files are for the rim, which this is")]

use std::error::Error;

use workloads::checker::linearizable::Unlimited;
use workloads::checker::{CheckOptions, checker};
use workloads::generator::collection::{CollectionHistory, CollectionKind, Violation, plant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument =
        |at: usize, usual: &str| arguments.get(at).cloned().unwrap_or_else(|| usual.to_owned());
    let model = argument(0, "queue");
    let kind = match model.as_str() {
        "queue" => CollectionKind::Queue,
        "unordered-queue" => CollectionKind::Bag,
        "stack" => CollectionKind::Stack,
        "priority-queue" => CollectionKind::PriorityQueue,
        "set" => CollectionKind::Set,
        "set-full" => CollectionKind::GrowOnlySet,
        "log" => CollectionKind::Log,
        other => return Err(format!("no generator for `{other}`").into()),
    };
    let history = CollectionHistory {
        kind,
        seed: argument(6, "1").parse()?,
        clients: argument(2, "10").parse()?,
        operations: argument(1, "100000").parse()?,
        crashes: argument(3, "0").parse()?,
        inserts: argument(5, "50").parse()?,
    };
    let mut operations = history.generate();
    let violation = argument(4, "valid");
    let planted = match violation.as_str() {
        "valid" => true,
        "phantom" => plant(kind, Violation::Phantom, &mut operations),
        "duplicate" => plant(kind, Violation::Duplicate, &mut operations),
        "lost" => plant(kind, Violation::Lost, &mut operations),
        "order" => plant(kind, Violation::Order, &mut operations),
        other => return Err(format!("no violation is called `{other}`").into()),
    };
    if !planted {
        return Err("there is no place for the violation".into());
    }
    let info = checker(&model, Some("linearizable")).ok_or("the model has no checker")?;
    let options = CheckOptions::default();
    let (before, held) = (cpu()?, memory("VmHWM")?);
    let check = (info.check)(&operations, &options, &Unlimited)?;
    let seconds = (cpu()? - before) as f64 / 100.0;
    println!(
        "{model} {} ops, {} clients, {} % crashed, {violation}: {:?} in {seconds:.2} CPU-s, peak {} MB \
         ({} MB before)",
        history.operations,
        history.clients,
        history.crashes,
        check.verdict,
        memory("VmHWM")? / 1024,
        held / 1024,
    );
    println!("  {}", check.reason.as_ref().unwrap_or(&check.summary));
    if let Some(counterexample) = check.counterexamples.first() {
        println!("  {} operations:", counterexample.operations.len());
        for step in counterexample.explanation.iter().take(10) {
            println!("    {step}");
        }
    }
    Ok(())
}

/// Time spent by this process in its own code, in ticks of 10 ms.
fn cpu() -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("expected a name in /proc/self/stat")?;
    let user = after_name.split_whitespace().nth(11).ok_or("expected user time")?;
    Ok(user.parse()?)
}

/// A line of `/proc/self/status`, in KiB.
fn memory(name: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name)).ok_or("expected a line")?;
    Ok(line.split_whitespace().nth(1).ok_or("expected a number")?.parse()?)
}
