//! Compares the checkers with definitions that are too simple to be wrong, on as many histories as one
//! likes, and prints what was compared.
//!
//! ```text
//! cargo run -p workloads --example differential -- --cases 1000000 --seed 1
//! cargo run -p workloads --example differential -- --cases 10000 --only queue
//! ```
//!
//! `--cases` is the number of random histories of all campaigns together, which share it evenly.
//! Before them, each campaign takes all histories of a small size, unless `--random-only` is given.
//! Ends with 1 if anybody was wrong.

#![expect(clippy::print_stdout, reason = "this is a command-line tool")]

use std::error::Error;
use std::process::ExitCode;

use workloads::differential::{Campaign, Tally, campaigns};
// The register of stateright is shared with the tests of the crate, which are inside of it.
use workloads::history;

mod reference;
#[path = "../../src/checker/linearizable/stateright_register.rs"]
mod stateright_register;

const USAGE: &str = "usage: differential [--cases N] [--seed N] [--only WORD] [--random-only]";

struct Options {
    cases: u64,
    seed: u64,
    only: Option<String>,
    random_only: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut options = Options { cases: 100_000, seed: 1, only: None, random_only: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        match argument.as_str() {
            "--cases" => options.cases = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--only" => options.only = Some(value()?),
            "--random-only" => options.random_only = true,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(if run(&options) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the campaigns; how often somebody was wrong.
fn run(options: &Options) -> u64 {
    let is_wanted = |words: &str| options.only.as_deref().is_none_or(|only| words.contains(only));
    let chosen: Vec<Campaign> = campaigns()
        .into_iter()
        .filter(|it| is_wanted(it.subject()) || is_wanted(it.property()))
        .collect();
    let testers: Vec<&Campaign> =
        chosen.iter().filter(|it| it.subject() == "register" && it.has_histories()).collect();
    let rows = chosen.len() + if testers.is_empty() { 0 } else { reference::TESTERS.len() };
    let share = options.cases.div_ceil(rows.max(1) as u64);
    // Seeds of different runs do not overlap.
    let first = options.seed.wrapping_shl(32);
    let seeds = first..first.saturating_add(share);
    println!(
        "{:<22} {:<33} {:<48} {:>8} {:>8} {:>8} {:>8} {:>8} {:>5}",
        "subject", "property", "against", "cases", "hold", "open", "proved", "unproved", "wrong"
    );
    let mut all = Tally::default();
    for campaign in &chosen {
        let mut told = |which: &str, tally: Tally| {
            let against = format!("{}: {which}", campaign.against());
            print(campaign.subject(), campaign.property(), &against, &tally);
            all.add(tally);
        };
        if !options.random_only
            && let Some((tally, size)) = campaign.exhaustive()
        {
            told(&format!("all of {size}"), tally);
        }
        let mut tally = Tally::default();
        for seed in seeds.clone() {
            campaign.random(seed, &mut tally);
        }
        told("random", tally);
    }
    if let Some(campaign) = testers.first() {
        for (property, holds) in reference::TESTERS {
            let tally = reference::compare(campaign, property, holds, seeds.clone());
            print("register", property, "stateright: random", &tally);
            all.add(tally);
        }
    }
    print("all", "", "", &all);
    all.disagreements
}

fn print(subject: &str, property: &str, against: &str, tally: &Tally) {
    println!(
        "{subject:<22} {property:<33} {against:<48} {:>8} {:>8} {:>8} {:>8} {:>8} {:>5}",
        tally.cases, tally.holds, tally.open, tally.confirmed, tally.unproved, tally.disagreements
    );
    for told in &tally.told {
        println!("{told}");
    }
}
