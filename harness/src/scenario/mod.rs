//! Scenarios: the faults of a run written down, one step each, with the options they need.
//!
//! ```toml
//! format = 1
//! about = "A write in flight on the leader when it is killed is lost."
//!
//! [options]
//! workload = "register"
//! nodes = 3
//! time-limit = "15s"
//!
//! [[step]]
//! at = "3s"
//! for = "5s"
//! fault = "partition"
//! variant = "leader, incoming"
//! ```
//!
//! `--scenario FILE` takes the place of `--faults`. The options are those of the command line by their
//! long names; whatever is on the command line too wins. A step without a variant is drawn one by
//! its seed, and without a seed it has the one of the run. Every run writes its own `scenario.toml`, which is what
//! `replay` repeats and `shrink` makes smaller.

mod expand;
mod file;
mod options;
mod plan;
mod step;

pub use expand::expand;
pub use file::{Scenario, ScenarioError};
pub use options::{Options, of_run};
pub use plan::{Setting, StepError, planned, steps};
pub use step::{Step, StepSeed};
