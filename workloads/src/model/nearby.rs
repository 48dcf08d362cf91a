//! The operations of one key, brought into the cache some at a time.

use crate::history::{Operation, Value};

/// Operations that are brought into the cache together: few enough for the fastest one.
const TOGETHER: usize = 64;

/// The operations with their positions.
///
/// In a history of many keys those of one are far apart in memory. Loads that do not depend on each
/// other overlap, unlike those of the work that follows.
pub(super) fn nearby<'a>(
    operations: &'a [&'a Operation],
) -> impl Iterator<Item = (usize, &'a Operation)> {
    operations.chunks(TOGETHER).enumerate().flat_map(|(number, together)| {
        touch(together);
        let first = number * TOGETHER;
        together.iter().enumerate().map(move |(at, operation)| (first + at, *operation))
    })
}

fn touch(operations: &[&Operation]) {
    let length = |value: &Value| value.as_list().map_or(0, <[Value]>::len);
    let touched = operations.iter().fold(0, |touched, it| {
        let lists = length(&it.invoked) ^ length(&it.result);
        let moments = it.invoke_index ^ it.complete_index.unwrap_or(0);
        touched ^ it.f.len() ^ lists ^ moments as usize ^ it.outcome as usize
    });
    let firsts = operations.iter().fold(0, |touched, it| {
        let is_null = |value: &Value| value[0].is_null();
        touched ^ usize::from(is_null(&it.invoked)) ^ usize::from(is_null(&it.result))
    });
    std::hint::black_box((touched, firsts));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{notation, operations};

    #[test]
    fn each_operation_comes_once_and_in_order() {
        let text: String = (0..3 * TOGETHER as u64 / 2).map(|it| format!("p0 w{it} ; ")).collect();
        let history = operations(&notation::parse(&text).unwrap()).unwrap();
        let all: Vec<&Operation> = history.iter().collect();
        let seen: Vec<(usize, &Operation)> = nearby(&all).collect();
        assert_eq!(seen, all.iter().copied().enumerate().collect::<Vec<_>>());
        assert_eq!(nearby(&[]).count(), 0);
    }
}
