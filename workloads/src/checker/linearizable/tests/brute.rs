//! A checker so simple that it must be right: all orders, one after the other.

use crate::model::{Entry, RegisterOp};

/// Whether some order explains the entries; no initial value means any.
pub(super) fn is_linearizable(entries: &[Entry<RegisterOp>], initial: Option<u32>) -> bool {
    extend(entries, &mut vec![false; entries.len()], initial)
}

fn extend(entries: &[Entry<RegisterOp>], done: &mut [bool], state: Option<u32>) -> bool {
    if entries.iter().zip(&*done).all(|(entry, &done)| done || entry.is_crashed()) {
        return true;
    }
    for next in 0..entries.len() {
        let must_wait = (0..entries.len())
            .any(|other| !done[other] && entries[other].completed < entries[next].invoked);
        if done[next] || must_wait {
            continue;
        }
        let (expected, new) = match entries[next].op {
            RegisterOp::Read(value) => (Some(value), Some(value)),
            RegisterOp::Write(value) => (None, Some(value)),
            RegisterOp::Cas { expected, new } => (Some(expected), Some(new)),
        };
        if expected.is_some() && state.is_some() && expected != state {
            continue;
        }
        done[next] = true;
        let explained = extend(entries, done, new);
        done[next] = false;
        if explained {
            return true;
        }
    }
    false
}
