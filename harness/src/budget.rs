//! What a check may spend: wall-clock time and memory.

use std::time::{Duration, Instant};

use workloads::checker::Budget;

/// A budget of time and bytes.
pub struct CheckBudget {
    deadline: Instant,
    time: Duration,
    bytes: usize,
}

impl CheckBudget {
    /// A budget that starts now.
    pub fn start(time: Duration, bytes: usize) -> CheckBudget {
        CheckBudget { deadline: Instant::now() + time, time, bytes }
    }
}

impl Budget for CheckBudget {
    fn exhausted(&self, bytes: usize) -> Option<String> {
        if bytes > self.bytes {
            return Some(format!("the memory budget of {} MiB", self.bytes >> 20));
        }
        if Instant::now() >= self.deadline {
            return Some(format!("the time budget of {} s", self.time.as_secs_f64()));
        }
        None
    }
}
