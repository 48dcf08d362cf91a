//! Judges every register history of a manifest and prints where the verdicts differ.
//!
//! ```text
//! cargo run --release -p workloads --example manifest -- path/to/MANIFEST.tsv [limit in seconds]
//! ```
//!
//! The manifest is a table with tabs; the columns file, model, property, verdict and init count.

#![expect(clippy::print_stdout, reason = "this is a command-line tool")]
#![expect(clippy::disallowed_types, reason = "files and clocks are for the rim, which this is")]
#![expect(clippy::disallowed_methods, reason = "files and clocks are for the rim, which this is")]

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use workloads::checker::linearizable::{LinearizableOptions, check};
use workloads::checker::{Budget, Check, Verdict};
use workloads::history::jsonl::{TruncatedTail, read_events};
use workloads::history::operations;
use workloads::model::model;

struct Deadline {
    at: Instant,
    bytes: std::sync::atomic::AtomicUsize,
}

impl Budget for Deadline {
    fn exhausted(&self, bytes: usize) -> Option<String> {
        self.bytes.fetch_max(bytes, std::sync::atomic::Ordering::Relaxed);
        (Instant::now() > self.at).then(|| "time budget".to_owned())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("expected the path of a manifest")?);
    let seconds: u64 = arguments.next().map_or(Ok(60), |text| text.parse())?;
    let explain = arguments.next().is_some();
    let text = std::fs::read_to_string(&path)?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().ok_or("expected a header")?.split('\t').collect();
    let column = |name: &str| header.iter().position(|&column| column == name);
    let [Some(file), Some(name), Some(property), Some(verdict), Some(init)] =
        ["file", "model", "property", "verdict", "init"].map(column)
    else {
        return Err("expected the columns file, model, property, verdict, init".into());
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let (mut agree, mut unknown, mut disagree, mut slowest) = (0, 0, 0, Vec::new());
    for line in lines {
        let row: Vec<&str> = line.split('\t').collect();
        if model(row[name]).is_none() || row[property] != "linearizable" {
            continue;
        }
        let (check, time, bytes) = judge(&folder.join(row[file]), row[name], row[init], seconds)?;
        let expected = match row[verdict] {
            "linearizable" => Verdict::Valid,
            _ => Verdict::Invalid,
        };
        match check.verdict {
            verdict if verdict == expected => agree += 1,
            Verdict::Unknown => unknown += 1,
            Verdict::Valid | Verdict::Invalid => disagree += 1,
        }
        if check.verdict != expected {
            println!(
                "{}: expected {expected:?}, got {:?} {:?}",
                row[file], check.verdict, check.reason
            );
        }
        if explain && let Some(counterexample) = check.counterexamples.first() {
            println!("{} ({} operations)", row[file], counterexample.operations.len());
            for step in &counterexample.explanation {
                println!("    {step}");
            }
        }
        slowest.push((time, bytes, row[file]));
    }
    println!("{agree} agree, {unknown} unknown, {disagree} disagree");
    let total: Duration = slowest.iter().map(|(time, ..)| *time).sum();
    println!("check time {:.3} s in all; slowest:", total.as_secs_f64());
    slowest.sort_unstable_by(|a, b| b.cmp(a));
    for (time, bytes, file) in slowest.iter().take(8) {
        println!("  {:>9.3} ms {:>8} kB  {file}", time.as_secs_f64() * 1e3, bytes / 1024);
    }
    Ok(())
}

fn judge(
    path: &Path,
    name: &str,
    init: &str,
    seconds: u64,
) -> Result<(Check, Duration, usize), Box<dyn Error>> {
    let (events, _) = read_events(BufReader::new(File::open(path)?), TruncatedTail::Refuse)?;
    let operations = operations(&events)?;
    let options = LinearizableOptions { initial: init.parse()?, threads: 1 };
    let model = model(name).ok_or("expected a model")?;
    let start = Instant::now();
    let budget = Deadline { at: start + Duration::from_secs(seconds), bytes: 0.into() };
    let check = check(&operations, model, &options, &budget)?;
    Ok((check, start.elapsed(), budget.bytes.into_inner()))
}
