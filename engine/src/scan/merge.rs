//! Several sorted arrays walked in one common order, in stretches.

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

/// The next stretch in key order: which head, and which range of its array. Equal keys of different heads come
/// one directly after the other; a stretch that holds such a key holds nothing else.
pub fn next_stretch(heads: &mut [Head<'_>]) -> Option<(usize, Range<usize>)> {
    let mut lowest: Option<(u64, usize)> = None;
    let mut bound: Option<u64> = None;
    for (at, head) in heads.iter().enumerate() {
        let Some(key) = head.key() else { continue };
        match lowest {
            Some((low, _)) if key >= low => bound = Some(bound.map_or(key, |b| b.min(key))),
            _ => {
                bound = lowest.map(|(low, _)| low);
                lowest = Some((key, at));
            }
        }
    }
    let (low, at) = lowest?;
    let head = heads.get_mut(at)?;
    let start = head.rest.start;
    let length = match bound {
        None => head.rest.len(),
        Some(bound) if low < bound => gallop(head, |key| key < bound),
        Some(_) => gallop(head, |key| key <= low),
    };
    // At least one, so that the walk ends also on arrays that are not sorted.
    let end = start + length.max(1);
    head.rest.start = end;
    Some((at, start..end))
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
    fn stretches_come_in_order_and_keep_equal_keys_together() {
        let arrays: [&[u64]; 3] = [&[1, 2, 2, 3, 9, 10, 11], &[2, 5, 9, 9], &[0, 9]];
        let mut heads: Vec<Head<'_>> = arrays.iter().map(|keys| Head { keys, rest: 0..keys.len() }).collect();
        let mut walked = Vec::new();
        while let Some((at, range)) = next_stretch(&mut heads) {
            walked.extend(arrays[at][range].iter().copied());
        }
        assert_eq!(walked, [0, 1, 2, 2, 2, 3, 5, 9, 9, 9, 9, 10, 11]);
    }

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
