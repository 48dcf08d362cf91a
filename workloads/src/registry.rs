//! The table of workloads. A new workload is one file and one line here.

use crate::workload::{
    APPEND, BANK, COUNTER, KV, LONG_FORK, QUEUE, REGISTER, SET, UNIQUE_IDS, WR, Workload,
};

/// All workloads, by name.
pub const WORKLOADS: &[&Workload] =
    &[&REGISTER, &KV, &SET, &APPEND, &WR, &LONG_FORK, &BANK, &COUNTER, &QUEUE, &UNIQUE_IDS];

/// The workload of this name, if there is one.
pub fn workload(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().copied().find(|workload| workload.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::checker;

    #[test]
    fn workloads_are_found_by_unique_names_and_expect_what_can_be_judged() {
        for (number, listed) in WORKLOADS.iter().enumerate() {
            assert!(WORKLOADS[..number].iter().all(|other| other.name != listed.name));
            assert_eq!(workload(listed.name).unwrap().about, listed.about);
            assert!(!listed.expectations.is_empty());
            for expected in listed.expectations {
                let found = checker(expected.model, Some(expected.property));
                assert!(found.is_some(), "{}: {expected:?}", listed.name);
            }
        }
        assert!(workload("unheard-of").is_none());
    }
}
