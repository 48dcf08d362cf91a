//! Workloads: a generator, the operations it uses, and what must hold.

mod register;

pub use register::REGISTER;

use crate::generator::{Generator, GeneratorOptions};

/// What a workload promises its checker. The harness runs the checker that this names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// Each key is a linearizable object of this model (a name in `model::MODELS`).
    Linearizable(&'static str),
}

/// A workload, by name. One file each, one line each in [`crate::registry::WORKLOADS`].
pub struct Workload {
    /// The name on the command line.
    pub name: &'static str,
    /// One paragraph on what it does and which mistakes it finds.
    pub about: &'static str,
    /// Operation kinds of which at least one must succeed, or the run proves nothing.
    pub required: &'static [&'static str],
    /// Clients that must share a key for a stale read to be seen.
    pub clients_per_key: usize,
    /// Builds the generator.
    pub generator: fn(&GeneratorOptions) -> Box<dyn Generator>,
    /// What must hold.
    pub expectation: Expectation,
}
