//! How fast a history is read, and what judging one takes.
//!
//! ```text
//! cargo run -p workloads --example synthetic -- list-append --operations 300000 --keys 100 > H.jsonl
//! cargo run -p workloads --example bench_history -- read H.jsonl
//! cargo run -p workloads --example bench_history -- judge register linearizable 10000000 10 0.01 100
//! ```
//!
//! All times are the least of three. `read` prints CPU seconds and megabytes a CPU second, of the events
//! alone and of the operations that they are paired to. `judge` generates a history of a model (operations, clients, share of crashes,
//! keys, and at the end a violation, if any), and prints CPU seconds of its check and memory before it
//! and at most, the history included. `harness bench --checkers` does that for a whole table.

#![expect(clippy::print_stdout, reason = "this is a command-line tool")]
#![expect(clippy::disallowed_methods, reason = "files are for the rim, which this is")]

use std::error::Error;
use std::fs;
use std::io::Cursor;

use workloads::checker::linearizable::Unlimited;
use workloads::checker::{CheckOptions, checker};
use workloads::history::{EventReader, Keyed, Pairing, ProcessReuse, ReadOptions, TruncatedTail};
use workloads::synthetic::{SyntheticOptions, generate, synthetic};

const USAGE: &str = "usage: bench_history read FILE...
       bench_history judge MODEL PROPERTY OPERATIONS CLIENTS CRASHES KEYS [VIOLATION]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["read", files @ ..] => files.iter().try_for_each(|file| read(file)),
        ["judge", model, property, operations, clients, crashes, keys, violation @ ..] => {
            let options = SyntheticOptions {
                operations: operations.parse()?,
                concurrency: clients.parse()?,
                crash_rate: crashes.parse()?,
                keys: keys.parse()?,
                at: 0.5,
                seed: 1,
            };
            judge(model, property, violation.first().copied(), &options)
        }
        _ => Err(USAGE.into()),
    }
}

fn read(file: &str) -> Result<(), Box<dyn Error>> {
    let text = fs::read(file)?;
    let megabytes = text.len() as f64 / 1e6;
    let options = ReadOptions { format: None, tail: TruncatedTail::Tolerate, keyed: Keyed::ByTag };
    let events = || EventReader::new(Box::new(Cursor::new(&text)), &options);
    let (count, alone) = least(|| {
        let mut count = 0_u64;
        for event in events()? {
            event?;
            count += 1;
        }
        Ok(count)
    })?;
    let (operations, paired) = least(|| {
        let mut pairing = Pairing::new(ProcessReuse::Rename);
        for event in events()? {
            pairing.push(&event?)?;
        }
        Ok(pairing.finish())
    })?;
    println!(
        "{file}: {megabytes:.0} MB, {count} events: {alone:.3} CPU s, {:.0} MB/s; {} operations: \
         {paired:.3} CPU s, {:.0} MB/s",
        megabytes / alone,
        operations.len(),
        megabytes / paired,
    );
    Ok(())
}

fn judge(
    name: &str,
    property: &str,
    violation: Option<&str>,
    options: &SyntheticOptions,
) -> Result<(), Box<dyn Error>> {
    let model = synthetic(name).ok_or("no such model")?;
    let judge = checker(name, Some(property)).ok_or("no such checker")?;
    let planted = match violation {
        None => None,
        Some(name) => Some(model.violation(name).ok_or("no such violation")?),
    };
    let (history, _) = generate(model, planted, options).ok_or("no place for the violation")?;
    // Where the kernel does not forget the peak, it is that of the generation too.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let before = memory("VmRSS:");
    let (check, cpu) =
        least(|| Ok((judge.check)(&history, &CheckOptions::default(), &Unlimited)?))?;
    println!(
        "{name} {property} {}: {} operations, {:?}: {cpu:.3} CPU s, {before} MB before, {} MB at most",
        violation.unwrap_or("valid"),
        history.len(),
        check.verdict,
        memory("VmHWM:"),
    );
    Ok(())
}

/// What something gives, and the least CPU seconds that it took. What it gave is dropped outside of that.
fn least<T>(
    mut something: impl FnMut() -> Result<T, Box<dyn Error>>,
) -> Result<(T, f64), Box<dyn Error>> {
    let mut timed = || -> Result<(T, f64), Box<dyn Error>> {
        let began = cpu_seconds();
        let result = something()?;
        Ok((result, cpu_seconds() - began))
    };
    let mut best = timed()?.1;
    best = best.min(timed()?.1);
    let (result, last) = timed()?;
    Ok((result, best.min(last)))
}

/// Time of this thread on a core, in seconds.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|it| it.parse::<f64>().ok());
    nanoseconds.unwrap_or(0.0) / 1e9
}

/// A line of the status of this process, in megabytes.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse::<u64>().ok()).unwrap_or(0) * 1024
        / 1_000_000
}
