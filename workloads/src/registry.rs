//! The table of workloads. A new workload is one file and one line here.

use crate::workload::{self, Workload};

/// All workloads, by name.
pub const WORKLOADS: &[&Workload] = &[
    &workload::REGISTER,
    &workload::CAS_REGISTER,
    &workload::MULTI_REGISTER,
    &workload::KV,
    &workload::KV_APPEND,
    &workload::MIXED_SIZES,
    &workload::HOT_KEY,
    &workload::SET,
    &workload::SET_FULL,
    &workload::APPEND,
    &workload::WR,
    &workload::LONG_FORK,
    &workload::BANK,
    &workload::COUNTER,
    &workload::QUEUE,
    &workload::LOG,
    &workload::LOCK,
    &workload::LOCK_SET,
    &workload::LEASE,
    &workload::UNIQUE_IDS,
    &workload::WATCH,
    &workload::MONOTONIC,
    &workload::SEQUENTIAL,
    &workload::SESSION,
];

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
            for expectations in [listed.expectations, listed.local_expectations] {
                assert!(!expectations.is_empty(), "{}", listed.name);
            }
            for expected in listed.expectations.iter().chain(listed.local_expectations) {
                let found = checker(expected.model, Some(expected.property));
                assert!(found.is_some(), "{}: {expected:?}", listed.name);
            }
        }
        assert!(workload("unheard-of").is_none());
    }
}
