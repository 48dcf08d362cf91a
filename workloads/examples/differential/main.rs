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
//! The table is that of DIFFERENTIAL.md, which explains it. Ends with 1 if anybody was wrong.

#![expect(clippy::print_stdout, reason = "this is a command-line tool")]
#![expect(clippy::disallowed_types, reason = "clocks are for the rim, which this is")]
#![expect(clippy::disallowed_methods, reason = "clocks are for the rim, which this is")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

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
    let began = Instant::now();
    let is_wanted = |words: &str| options.only.as_deref().is_none_or(|only| words.contains(only));
    let chosen: Vec<Campaign> = campaigns()
        .into_iter()
        .filter(|it| is_wanted(it.subject()) || is_wanted(it.property()))
        .collect();
    let testers: Vec<(&Campaign, reference::Named)> = reference::TESTERS
        .iter()
        .filter_map(|named| {
            let of = |it: &&Campaign| it.subject() == "register" && it.property() == named.0;
            Some((chosen.iter().find(of)?, *named))
        })
        .collect();
    let rows = chosen.len() + testers.len();
    let share = options.cases.div_ceil(rows.max(1) as u64);
    // Seeds of different runs do not overlap.
    let first = options.seed.wrapping_shl(32);
    let seeds = first..first.saturating_add(share);
    println!("{}\n{}", row(&HEAD.map(str::to_owned)), row(&HEAD.map(|_| "---".to_owned())));
    let mut all = Tally::default();
    for campaign in &chosen {
        let table = Rows { subject: campaign.subject(), property: campaign.property() };
        let against = campaign.against();
        if !options.random_only {
            let began = Instant::now();
            if let Some((tally, size)) = campaign.exhaustive() {
                all.add(table.print(&format!("{against}: all of {size}"), tally, began));
            }
        }
        if share == 0 {
            continue;
        }
        let (mut tally, began) = (Tally::default(), Instant::now());
        for seed in seeds.clone() {
            campaign.random(seed, &mut tally);
        }
        all.add(table.print(&format!("{against}: random"), tally, began));
    }
    for (campaign, (property, holds)) in testers {
        let table = Rows { subject: "register", property };
        if !options.random_only {
            let began = Instant::now();
            if let Some((tally, size)) = reference::compare_small(campaign, property, holds) {
                all.add(table.print(&format!("stateright: all of {size}"), tally, began));
            }
        }
        if share == 0 {
            continue;
        }
        let began = Instant::now();
        let tally = reference::compare(campaign, property, holds, seeds.clone());
        all.add(table.print("stateright: random", tally, began));
    }
    Rows { subject: "all", property: "" }.print("", all.clone(), began);
    all.disagreements
}

const HEAD: [&str; 10] =
    ["subject", "property", "against", "cases", "hold", "open", "proved", "unproved", "wrong", "s"];

/// A row of a table in Markdown, in columns for those who read it as it is.
fn row(cells: &[String; 10]) -> String {
    let [subject, property, against, numbers @ ..] = cells;
    let mut text = format!("| {subject:<22} | {property:<33} | {against:<72} |");
    for number in numbers {
        text += &format!(" {number:>8} |");
    }
    text
}

/// Rows of one campaign.
struct Rows {
    subject: &'static str,
    property: &'static str,
}

impl Rows {
    /// Prints a tally and gives it back.
    fn print(&self, against: &str, tally: Tally, began: Instant) -> Tally {
        let numbers = [
            tally.cases,
            tally.holds,
            tally.open,
            tally.confirmed,
            tally.unproved,
            tally.disagreements,
            began.elapsed().as_secs(),
        ];
        let [a, b, c, d, e, f, g] = numbers.map(|it| it.to_string());
        let (subject, property) = (self.subject.to_owned(), self.property.to_owned());
        println!("{}", row(&[subject, property, against.to_owned(), a, b, c, d, e, f, g]));
        for told in &tally.told {
            println!("{told}");
        }
        tally
    }
}
