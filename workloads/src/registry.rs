//! The table of workloads. A new workload is one file and one line here.

use crate::workload::Workload;

/// All workloads, by name.
pub const WORKLOADS: &[&Workload] = &[];

/// The workload of this name, if there is one.
pub fn workload(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().copied().find(|workload| workload.name == name)
}
