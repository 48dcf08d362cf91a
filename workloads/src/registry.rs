//! The table of workloads. A new workload is one file and one line here.

use crate::workload::{REGISTER, Workload};

/// All workloads, by name.
pub const WORKLOADS: &[&Workload] = &[&REGISTER];

/// The workload of this name, if there is one.
pub fn workload(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().copied().find(|workload| workload.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::model;
    use crate::workload::Expectation;

    #[test]
    fn workloads_are_found_by_unique_names_and_expect_a_model_that_exists() {
        for (number, listed) in WORKLOADS.iter().enumerate() {
            assert!(WORKLOADS[..number].iter().all(|other| other.name != listed.name));
            assert_eq!(workload(listed.name).unwrap().about, listed.about);
            let Expectation::Linearizable(name) = listed.expectation;
            assert!(model(name).is_some(), "{name}");
        }
        assert!(workload("unheard-of").is_none());
    }
}
