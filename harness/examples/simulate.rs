//! Runs seeds of the simulated world: `simulate FIRST END [BUG|none] [all|outside|history] [--trace]`.

use std::io::Write;

use harness::simulation::Checks;
use server::bug::Bugs;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |position: usize, default: u64| -> anyhow::Result<u64> {
        Ok(arguments.get(position).map(|text| text.parse()).transpose()?.unwrap_or(default))
    };
    let seeds = number(0, 0)?..number(1, 100)?;
    let command = harness::simulation::SimulateCommand {
        seeds,
        nodes: None,
        threads: 2,
        bugs: bugs(arguments.get(2))?,
        checks: match arguments.get(3).map(String::as_str) {
            Some("history") => Checks::History,
            Some("outside") => Checks::Outside,
            _ => Checks::All,
        },
        trace: arguments.iter().any(|argument| argument == "--trace"),
    };
    let mut out = std::io::stdout().lock();
    let code = harness::simulation::simulate(&command, &mut out)?;
    out.flush()?;
    std::process::exit(code);
}

#[cfg(feature = "planted-bugs")]
fn bugs(name: Option<&String>) -> anyhow::Result<Bugs> {
    match name.map(String::as_str) {
        None | Some("none") => Ok(Bugs::NONE),
        Some(name) => server::bug::Bug::from_name(name)
            .map(Bugs::planted)
            .ok_or_else(|| anyhow::anyhow!("no bug is called `{name}`")),
    }
}

#[cfg(not(feature = "planted-bugs"))]
fn bugs(_name: Option<&String>) -> anyhow::Result<Bugs> {
    Ok(Bugs::NONE)
}
