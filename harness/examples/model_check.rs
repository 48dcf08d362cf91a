//! Explores the model-checked world: `model_check DEPTH STATES SECONDS [BUG|none]`.

use std::io::Write;
use std::time::Duration;

use harness::model_check::{Limits, ModelCheckCommand, model_check_command};
use server::bug::Bugs;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |position: usize, default: usize| -> anyhow::Result<usize> {
        Ok(arguments.get(position).map(|text| text.parse()).transpose()?.unwrap_or(default))
    };
    let command = ModelCheckCommand {
        limits: Limits {
            depth: number(0, 40)?,
            states: number(1, 2_500_000)?,
            time: Duration::from_secs(number(2, 90)? as u64),
            threads: 2,
        },
        bugs: bugs(arguments.get(3))?,
    };
    let mut out = std::io::stdout().lock();
    let code = model_check_command(&command, &mut out)?;
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
