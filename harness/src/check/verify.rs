//! `verify`: is what `check` wrote really a proof?

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use workloads::evidence::{self, Evidence, Outcome};

use super::args::VerifyArgs;
use super::history::Source;
use super::spending::Spending;
use crate::{exit_code, output};

/// Confirms evidence from the history alone: 0 if it is a proof, 1 if it is wrong, 2 if it proves nothing.
pub fn verify(args: &VerifyArgs) -> anyhow::Result<i32> {
    let name = args.evidence.display();
    let file = File::open(&args.evidence).with_context(|| format!("open {name}"))?;
    let evidence: Evidence =
        serde_json::from_reader(BufReader::new(file)).with_context(|| format!("read {name}"))?;
    let source = Source::new(&args.history, &args.reading);
    let unlimited = Spending::begin(Duration::MAX, usize::MAX, Arc::new(AtomicBool::new(false)));
    let history = source.operations(&unlimited)?;
    let verification = evidence::verify(&evidence, &history.operations);
    let claim = format!(
        "{} is {:?} ({}, {})",
        source.name(),
        evidence.verdict,
        evidence.model,
        evidence.property
    );
    let (code, verdict) = match &verification.outcome {
        Outcome::Confirmed => (exit_code::VALID, "confirmed".to_owned()),
        Outcome::Refuted(why) => (exit_code::INVALID, format!("refuted: {why}")),
        Outcome::Unproved(why) => (exit_code::UNKNOWN, format!("not proved: {why}")),
    };
    if args.json {
        let findings = serde_json::to_string_pretty(&verification)?;
        output::result(&format!("{findings}\n"));
        return Ok(code);
    }
    let mut text = format!("{claim}: {verdict}\n");
    for finding in &verification.findings {
        text.push_str(&match &finding.outcome {
            Outcome::Confirmed => format!("  confirmed   {}\n", finding.claim),
            Outcome::Refuted(why) => format!("  refuted     {}: {why}\n", finding.claim),
            Outcome::Unproved(why) => format!("  not proved  {}: {why}\n", finding.claim),
        });
    }
    output::result(&text);
    Ok(code)
}
