//! raft-rs logs with slog; this hands its lines to `tracing`.

use std::fmt::{self, Write as _};

use slog::{Drain, KV, Level, Never, OwnedKVList, Record};

/// A logger for raft-rs. What is news to it is a detail to us, so its INFO becomes DEBUG.
pub(crate) fn raft_logger() -> slog::Logger {
    slog::Logger::root(Bridge, slog::o!())
}

struct Bridge;

impl Drain for Bridge {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _context: &OwnedKVList) -> Result<(), Never> {
        macro_rules! emit {
            ($level:expr) => {
                if tracing::enabled!(target: "raft", $level) {
                    tracing::event!(target: "raft", $level, "{}", line(record));
                }
            };
        }
        match record.level() {
            Level::Critical | Level::Error => emit!(tracing::Level::ERROR),
            Level::Warning => emit!(tracing::Level::WARN),
            Level::Info => emit!(tracing::Level::DEBUG),
            Level::Debug | Level::Trace => emit!(tracing::Level::TRACE),
        }
        Ok(())
    }
}

/// The message and its values: `became leader term=3`.
fn line(record: &Record<'_>) -> String {
    let mut values = Values(record.msg().to_string());
    // Formatting into a string cannot fail.
    let _ = record.kv().serialize(record, &mut values);
    values.0
}

struct Values(String);

impl slog::Serializer for Values {
    fn emit_arguments(&mut self, key: slog::Key, value: &fmt::Arguments<'_>) -> slog::Result {
        write!(self.0, " {key}={value}").map_err(slog::Error::Fmt)
    }
}
