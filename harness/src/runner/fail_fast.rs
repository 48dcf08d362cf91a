//! `--fail-fast`: judges the history while it is made, and says when there is nothing more to find.

use std::time::Duration;

use workloads::checker::online::{Online, Violation};
use workloads::history::Event;
use workloads::workload::Workload;

/// Watches the events of a run for the first one that proves a violation.
pub struct FailFast {
    judge: Online,
    violation: Option<Violation>,
}

impl FailFast {
    /// A watch over the histories of a workload; none if it has no property that can be judged while
    /// the history is made.
    pub fn new(workload: &Workload) -> Option<FailFast> {
        let judge =
            workload.expectations.iter().find_map(|it| Online::of(it.model, it.property))?;
        Some(FailFast { judge, violation: None })
    }

    /// Takes the next event.
    pub fn push(&mut self, event: &Event) {
        if let Some(violation) = self.judge.push(event) {
            self.violation = Some(violation);
        }
    }

    /// What was proved, in a sentence; none if nothing was yet.
    pub fn proved(&self) -> Option<String> {
        self.violation.as_ref().map(|violation| {
            let time = Duration::from_nanos(violation.time).as_secs_f64();
            let key = violation.key.as_ref().map_or(String::new(), |key| format!(" of key {key}"));
            format!("event {} at {time:.3} s left no order{key} possible", violation.index)
        })
    }
}

#[cfg(test)]
mod tests {
    use workloads::history::notation;
    use workloads::registry::workload;

    use super::FailFast;

    #[test]
    fn the_event_that_proves_a_violation_ends_the_run() {
        let mut watch = FailFast::new(workload("register").unwrap()).unwrap();
        for event in &notation::parse("p0 w1 ; p1 w2 ; p0 r1").unwrap() {
            assert_eq!(watch.proved(), None, "{event:?}");
            watch.push(event);
        }
        let proved = watch.proved().unwrap();
        assert!(proved.starts_with("event 5 at "), "{proved}");
    }

    #[test]
    fn what_cannot_be_judged_meanwhile_has_no_watch() {
        assert!(FailFast::new(workload("kv").unwrap()).is_some());
        assert!(FailFast::new(workload("append").unwrap()).is_none());
    }
}
