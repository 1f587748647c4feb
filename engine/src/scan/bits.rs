//! A fixed-length set of indices, one bit each.
//!
//! Invariant: bits at and past `len` are never set. Indices past the end are ignored or absent.

use std::ops::Range;

/// Bits in a word.
pub(super) const WORD: usize = 64;

/// A set of indices below a fixed length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// The empty set of indices below `len`.
    pub fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(WORD)], len }
    }

    /// One more than the largest index that can be held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no index is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// How many indices are in the set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many indices of the range are in the set.
    pub fn count_in(&self, range: Range<usize>) -> usize {
        spans(&range, self.len).map(|(at, mask)| (self.words[at] & mask).count_ones() as usize).sum()
    }

    /// Puts an index in.
    #[inline]
    pub fn insert(&mut self, index: usize) {
        if index < self.len {
            self.words[index / WORD] |= 1 << (index % WORD);
        }
    }

    /// Takes an index out.
    #[inline]
    pub fn remove(&mut self, index: usize) {
        if index < self.len {
            self.words[index / WORD] &= !(1 << (index % WORD));
        }
    }

    /// Whether an index is in the set.
    #[inline]
    pub fn contains(&self, index: usize) -> bool {
        self.words.get(index / WORD).is_some_and(|word| (word >> (index % WORD)) & 1 == 1)
    }

    /// Puts a range in.
    pub fn insert_range(&mut self, range: Range<usize>) {
        for (at, mask) in spans(&range, self.len) {
            self.words[at] |= mask;
        }
    }

    /// Whether any index of the range is in the set.
    pub fn any_in(&self, range: Range<usize>) -> bool {
        spans(&range, self.len).any(|(at, mask)| self.words[at] & mask != 0)
    }

    /// From the first to the last index of the range that is in the set; `None` when none is.
    pub fn bounds_in(&self, range: Range<usize>) -> Option<Range<usize>> {
        let mut touched = spans(&range, self.len)
            .map(|(at, mask)| (at, self.words[at] & mask))
            .filter(|(_, word)| *word != 0);
        let (at, word) = touched.next()?;
        let (last_at, last_word) = touched.last().unwrap_or((at, word));
        let first = at * WORD + word.trailing_zeros() as usize;
        Some(first..(last_at + 1) * WORD - last_word.leading_zeros() as usize)
    }

    /// Calls `visit` with the indices of the range that are in the set, in order.
    #[inline]
    pub fn for_each_in(&self, range: Range<usize>, mut visit: impl FnMut(usize)) {
        for (at, mask) in spans(&range, self.len) {
            let mut word = self.words[at] & mask;
            while word != 0 {
                visit(at * WORD + word.trailing_zeros() as usize);
                word &= word - 1;
            }
        }
    }

    /// Keeps, of the range, only the indices that pass.
    #[inline]
    pub fn retain_in(&mut self, range: Range<usize>, mut pass: impl FnMut(usize) -> bool) {
        for (at, mask) in spans(&range, self.len) {
            let mut word = self.words[at] & mask;
            let mut kept = 0;
            while word != 0 {
                let lowest = word & word.wrapping_neg();
                let index = at * WORD + word.trailing_zeros() as usize;
                kept |= if pass(index) { lowest } else { 0 };
                word &= word - 1;
            }
            self.words[at] = (self.words[at] & !mask) | kept;
        }
    }

    /// Keeps, of the range, only what `narrow` leaves of each word of it. The number of the word is given with it.
    #[inline]
    pub fn narrow_in(&mut self, range: Range<usize>, mut narrow: impl FnMut(usize, u64) -> u64) {
        for (at, mask) in spans(&range, self.len) {
            let word = self.words[at];
            if word & mask != 0 {
                self.words[at] = (word & !mask) | (word & mask & narrow(at, word & mask));
            }
        }
    }

    /// Takes out what is in the other set.
    pub fn remove_all(&mut self, other: &Bits) {
        for (word, others) in self.words.iter_mut().zip(&other.words) {
            *word &= !others;
        }
    }

    /// Keeps only what is in both sets.
    pub fn intersect(&mut self, other: &Bits) {
        for (at, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(at).copied().unwrap_or(0);
        }
    }
}

/// The words that a range touches, each with the mask of the range's bits in it.
#[inline]
pub(super) fn spans(range: &Range<usize>, len: usize) -> impl Iterator<Item = (usize, u64)> + use<> {
    let (start, end) = (range.start, range.end.min(len));
    let words = if start < end { start / WORD..end.div_ceil(WORD) } else { 0..0 };
    words.map(move |at| {
        let low = if at * WORD < start { u64::MAX << (start % WORD) } else { u64::MAX };
        let high = if (at + 1) * WORD > end { u64::MAX >> (WORD - end % WORD) } else { u64::MAX };
        (at, low & high)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_touch_only_their_own_bits() {
        for (start, end) in [(0, 0), (0, 1), (3, 64), (63, 65), (64, 128), (1, 199), (190, 400), (7, 3)] {
            let mut bits = Bits::new(200);
            bits.insert_range(start..end);
            let want: Vec<usize> = (start..end.min(200)).collect();
            let mut found = Vec::new();
            bits.for_each_in(0..1000, |index| found.push(index));
            assert_eq!(found, want);
            assert_eq!(bits.any_in(start..end), !want.is_empty());
            let bounds = want.first().zip(want.last()).map(|(&first, &last)| first..last + 1);
            assert_eq!(bits.bounds_in(0..1000), bounds);
            assert_eq!(bits.bounds_in(start..end), bounds);
            assert!(!bits.any_in(end.max(start)..200));
            bits.retain_in(10..70, |index| index % 2 == 0);
            found.clear();
            bits.for_each_in(0..200, |index| found.push(index));
            let want: Vec<usize> = want.into_iter().filter(|i| !(10..70).contains(i) || i % 2 == 0).collect();
            assert_eq!(found, want);
        }
    }

    #[test]
    fn indices_past_the_end_are_absent() {
        let mut bits = Bits::new(3);
        bits.insert(3);
        bits.remove(64);
        assert!(bits.is_empty() && !bits.contains(3) && !bits.contains(1 << 40));
    }
}
