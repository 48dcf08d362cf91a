//! Writes a synthetic history as JSON lines.
//!
//! ```text
//! cargo run --release -p workloads --example synthetic -- queue --operations 1000 --violation fifo-swap
//! ```
//!
//! Without a model it lists the models with their properties and violations. Exit code 2 means that the
//! history had no place for the violation.

#![expect(clippy::print_stdout, reason = "this is a command-line tool")]

use std::error::Error;
use std::io::{BufWriter, Write, stdout};
use std::process::ExitCode;
use std::str::FromStr;

use workloads::history::jsonl::write_event;
use workloads::synthetic::{SYNTHETIC, SyntheticOptions, generate, synthetic, to_events};

const USAGE: &str = "expected MODEL [--operations 1000] [--concurrency 10] [--crash-rate 0.0] [--keys 1] \
                     [--at 0.5] [--seed 1] [--violation NAME]";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for model in SYNTHETIC {
            let violations: Vec<&str> = model.violations.iter().map(|it| it.name).collect();
            println!("{:<15} {:<28} {}", model.model, model.property, violations.join(", "));
        }
        return Ok(ExitCode::SUCCESS);
    };
    let model = synthetic(&name).ok_or("no such model\nhint: without arguments, all are listed")?;
    let mut options = SyntheticOptions {
        operations: 1000,
        concurrency: 10,
        crash_rate: 0.0,
        keys: 1,
        at: 0.5,
        seed: 1,
    };
    let mut violation = None;
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--operations" => options.operations = parse(&value)?,
            "--concurrency" => options.concurrency = parse(&value)?,
            "--crash-rate" => options.crash_rate = parse(&value)?,
            "--keys" => options.keys = parse(&value)?,
            "--at" => options.at = parse(&value)?,
            "--seed" => options.seed = parse(&value)?,
            "--violation" => {
                violation = Some(model.violation(&value).ok_or("the model has no such violation")?);
            }
            _ => return Err(USAGE.into()),
        }
    }
    let Some((history, planted)) = generate(model, violation, &options) else {
        eprintln!("no place for this violation\nhint: more --operations, or another --seed");
        return Ok(ExitCode::from(2));
    };
    if let Some(planted) = planted {
        eprintln!("planted: {planted}");
    }
    let mut out = BufWriter::new(stdout().lock());
    for event in to_events(&history) {
        write_event(&mut out, &event)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn parse<T: FromStr<Err: Error + 'static>>(text: &str) -> Result<T, Box<dyn Error>> {
    Ok(text.parse()?)
}
