//! Delta debugging (Zeller, Hildebrandt 2002, `ddmin`): which items are needed for a failure.

/// The smallest list that was found to fail, given that the whole does. `fails` is asked about
/// ever finer complements; it may answer no when it has no time left.
pub(super) fn ddmin<T: Clone>(items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut items = items;
    let mut parts = 2;
    while items.len() > 1 {
        let length = items.len().div_ceil(parts);
        let reduced = (0..items.len()).step_by(length).find_map(|from| {
            let to = (from + length).min(items.len());
            let rest = [&items[..from], &items[to..]].concat();
            fails(&rest).then_some(rest)
        });
        match reduced {
            Some(rest) => {
                items = rest;
                parts = (parts - 1).max(2);
            }
            None if parts >= items.len() => break,
            None => parts = (parts * 2).min(items.len()),
        }
    }
    // One item may be one too many.
    if items.len() == 1 && fails(&[]) {
        items.clear();
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_left() {
        for needed in [vec![], vec![7], vec![0, 19], vec![3, 4, 11]] {
            let mut asked = 0;
            let left = ddmin((0..20).collect(), |items: &[u32]| {
                asked += 1;
                needed.iter().all(|item| items.contains(item))
            });
            assert_eq!(left, needed);
            assert!(asked < 100, "{asked} candidates");
        }
    }

    #[test]
    fn without_time_everything_is_left() {
        assert_eq!(ddmin(vec![1, 2, 3], |_| false), [1, 2, 3]);
    }
}
