//! Everything a server must know, resolved once and passed down.
//!
//! ```text
//! defaults < --config FILE < --set KEY=VALUE < flags ──> Settings ──resolve──> ServerConfig
//!                                                           ^                      │
//!                                                           └── --print-config ────┘
//! ```
//!
//! [`Settings`] is what a person writes, [`ServerConfig`] what the server works with; each can be
//! made from the other. The defaults are in `settings.rs` and nowhere else; `sample.toml` tells
//! them to people, and a test holds it to them.

mod args;
mod check;
mod duration;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod server_config;
mod settings;
#[cfg(test)]
mod tests;

pub use args::{Peers, ServeArgs, StorageKind, UsageError};
pub use check::ConfigError;
pub(crate) use duration::parse as parse_duration;
#[cfg(any(test, fuzzing))]
pub use fuzz::settings as fuzz;
pub use server_config::{
    HttpConfig, Limits, Mode, RocksdbConfig, SecurityConfig, ServerConfig, SnapshotConfig, Storage,
    TlsFiles,
};
pub use settings::{SAMPLE, Settings, SettingsError, Timing};
