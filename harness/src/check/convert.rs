//! `convert`: a history in another format.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};

use anyhow::Context;
use workloads::history::edn::EdnWriter;
use workloads::history::jsonl::write_event;

use super::args::{ConvertArgs, Target};
use super::history::Source;
use crate::{exit_code, output};

/// Reads one event at a time and writes it.
pub fn convert(args: &ConvertArgs) -> anyhow::Result<i32> {
    let source = Source::new(&args.file, &args.reading);
    let mut events = source.events()?;
    let to = args.output.as_ref().map_or("stdout".to_owned(), |path| path.display().to_string());
    let writing = || format!("write {to}");
    let mut sink: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(File::create(path).with_context(writing)?)),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let mut edn = EdnWriter::new();
    for event in events.by_ref() {
        let event = event.with_context(|| source.name())?;
        let written = match args.to {
            Target::Jsonl => write_event(&mut sink, &event),
            Target::Edn => edn.write(&mut sink, &event),
        };
        match written {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(exit_code::VALID),
            written => written.with_context(writing)?,
        }
    }
    sink.flush().with_context(writing)?;
    for note in events.notes() {
        output::note(&format!("{}: {note}", source.name()));
    }
    Ok(exit_code::VALID)
}
