//! What two sorted arrays have in common.

use std::ops::Range;

/// A part of a sorted array that is still to be walked.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// The array, sorted within `rest`.
    pub keys: &'a [u64],
    /// What is left of it.
    pub rest: Range<usize>,
}

impl Head<'_> {
    fn key(&self) -> Option<u64> {
        if self.rest.is_empty() { None } else { self.keys.get(self.rest.start).copied() }
    }
}

/// How many of the head's keys from its start satisfy `below`, by steps that double.
fn gallop(head: &Head<'_>, below: impl Fn(u64) -> bool) -> usize {
    let keys = head.keys.get(head.rest.clone()).unwrap_or_default();
    let (mut low, mut step) = (0, 1);
    while keys.get(low + step).is_some_and(|&key| below(key)) {
        low += step;
        step *= 2;
    }
    let window = keys.get(low..keys.len().min(low + step)).unwrap_or_default();
    low + window.partition_point(|&key| below(key))
}

/// Calls `visit` with each pair of indices at which two sorted ranges hold the same key, at least once for each
/// index that has a partner.
pub fn common(a: Head<'_>, b: Head<'_>, mut visit: impl FnMut(usize, usize)) {
    let (mut a, mut b) = (a, b);
    while let (Some(key_a), Some(key_b)) = (a.key(), b.key()) {
        match key_a.cmp(&key_b) {
            std::cmp::Ordering::Less => a.rest.start += gallop(&a, |key| key < key_b).max(1),
            std::cmp::Ordering::Greater => b.rest.start += gallop(&b, |key| key < key_a).max(1),
            std::cmp::Ordering::Equal => {
                let end_a = a.rest.start + gallop(&a, |key| key <= key_a).max(1);
                let end_b = b.rest.start + gallop(&b, |key| key <= key_a).max(1);
                a.rest.clone().take_while(|&i| i < end_a).for_each(|i| visit(i, b.rest.start));
                b.rest.clone().take_while(|&j| j < end_b).for_each(|j| visit(a.rest.start, j));
                (a.rest.start, b.rest.start) = (end_a, end_b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_marks_every_partner() {
        let (a, b) = ([1, 1, 4, 6, 8], [0, 1, 4, 4, 7, 8]);
        let (mut in_a, mut in_b) = (vec![], vec![]);
        common(Head { keys: &a, rest: 0..5 }, Head { keys: &b, rest: 0..6 }, |i, j| {
            in_a.push(i);
            in_b.push(j);
        });
        in_a.sort_unstable();
        in_a.dedup();
        in_b.sort_unstable();
        in_b.dedup();
        assert_eq!((in_a, in_b), (vec![0, 1, 2, 4], vec![1, 2, 3, 5]));
    }
}
