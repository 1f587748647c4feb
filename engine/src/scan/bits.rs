//! A fixed-length set of indices, one bit each.
//!
//! Where only some of the indices can be in the set, there are words for those alone: the window.
//!
//! Invariant: bits at and past `len` are never set. Indices past the end or beyond the window are ignored or absent.

use std::ops::Range;

/// Bits in a word.
pub(super) const WORD: usize = 64;

/// A set of indices below a fixed length.
#[derive(Debug, Clone, Default)]
pub struct Bits {
    words: Vec<u64>,
    /// How many words before the window there would be.
    before: usize,
    len: usize,
}

impl Bits {
    /// The empty set of indices below `len`.
    pub fn new(len: usize) -> Self {
        Self::within(0..len, len)
    }

    /// The empty set of indices below `len` that are in a range, or so near to it that they share words with it.
    pub fn within(window: Range<usize>, len: usize) -> Self {
        let before = window.start.min(len) / WORD;
        let end = window.end.min(len).div_ceil(WORD);
        Self { words: vec![0; end.saturating_sub(before)], before, len }
    }

    /// The empty set of the same indices.
    pub fn emptied(&self) -> Self {
        Self { words: vec![0; self.words.len()], ..*self }
    }

    /// What is in the set of a range, and near to it.
    pub fn of_range(&self, range: Range<usize>) -> Self {
        let mut part = Self::within(range, self.len);
        for (at, word) in (part.before..).zip(&mut part.words) {
            *word = self.word(at);
        }
        part
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
        self.spans(&range).map(|(at, mask)| (self.word(at) & mask).count_ones() as usize).sum()
    }

    /// Puts an index in.
    #[inline]
    pub fn insert(&mut self, index: usize) {
        if index < self.len
            && let Some(word) = self.word_mut(index / WORD)
        {
            *word |= 1 << (index % WORD);
        }
    }

    /// Takes an index out.
    #[inline]
    pub fn remove(&mut self, index: usize) {
        if let Some(word) = self.word_mut(index / WORD) {
            *word &= !(1 << (index % WORD));
        }
    }

    /// Whether an index is in the set.
    #[inline]
    pub fn contains(&self, index: usize) -> bool {
        (self.word(index / WORD) >> (index % WORD)) & 1 == 1
    }

    /// Puts a range in.
    pub fn insert_range(&mut self, range: Range<usize>) {
        for (at, mask) in self.spans(&range) {
            self.change(at, |word| word | mask);
        }
    }

    /// Takes a range out.
    pub fn remove_range(&mut self, range: Range<usize>) {
        for (at, mask) in self.spans(&range) {
            self.change(at, |word| word & !mask);
        }
    }

    /// Whether any index of the range is in the set.
    pub fn any_in(&self, range: Range<usize>) -> bool {
        self.spans(&range).any(|(at, mask)| self.word(at) & mask != 0)
    }

    /// The first index of the range that is in the set.
    pub fn first_in(&self, range: Range<usize>) -> Option<usize> {
        let word = |(at, mask)| (at, self.word(at) & mask);
        let (at, word) = self.spans(&range).map(word).find(|(_, word)| *word != 0)?;
        Some(at * WORD + word.trailing_zeros() as usize)
    }

    /// From the first to the last index of the range that is in the set; `None` when none is.
    pub fn bounds_in(&self, range: Range<usize>) -> Option<Range<usize>> {
        let mut touched =
            self.spans(&range).map(|(at, mask)| (at, self.word(at) & mask)).filter(|(_, word)| *word != 0);
        let (at, word) = touched.next()?;
        let (last_at, last_word) = touched.last().unwrap_or((at, word));
        let first = at * WORD + word.trailing_zeros() as usize;
        Some(first..(last_at + 1) * WORD - last_word.leading_zeros() as usize)
    }

    /// Calls `visit` with the indices of the range that are in the set, in order.
    #[inline]
    pub fn for_each_in(&self, range: Range<usize>, mut visit: impl FnMut(usize)) {
        for (at, mask) in self.spans(&range) {
            let mut word = self.word(at) & mask;
            while word != 0 {
                visit(at * WORD + word.trailing_zeros() as usize);
                word &= word - 1;
            }
        }
    }

    /// Keeps, of the range, only the indices that pass.
    #[inline]
    pub fn retain_in(&mut self, range: Range<usize>, mut pass: impl FnMut(usize) -> bool) {
        self.narrow_in(range, |at, mut word| {
            let mut kept = 0;
            while word != 0 {
                let lowest = word & word.wrapping_neg();
                let index = at * WORD + word.trailing_zeros() as usize;
                kept |= if pass(index) { lowest } else { 0 };
                word &= word - 1;
            }
            kept
        });
    }

    /// Keeps, of the range, only what `narrow` leaves of each word of it. The number of the word is given with it.
    #[inline]
    pub fn narrow_in(&mut self, range: Range<usize>, mut narrow: impl FnMut(usize, u64) -> u64) {
        for (at, mask) in self.spans(&range) {
            self.change(at, |word| match word & mask {
                0 => word,
                own => (word & !mask) | (own & narrow(at, own)),
            });
        }
    }

    /// Takes out what is in the other set.
    pub fn remove_all(&mut self, other: &Bits) {
        for (at, word) in (self.before..).zip(&mut self.words) {
            *word &= !other.word(at);
        }
    }

    /// Keeps only what is in both sets.
    pub fn intersect(&mut self, other: &Bits) {
        for (at, word) in (self.before..).zip(&mut self.words) {
            *word &= other.word(at);
        }
    }

    /// Whether an index is in both sets.
    pub fn intersects(&self, other: &Bits) -> bool {
        (self.before..).zip(&self.words).any(|(at, word)| word & other.word(at) != 0)
    }

    /// The words of the window that a range touches.
    #[inline]
    fn spans(&self, range: &Range<usize>) -> impl Iterator<Item = (usize, u64)> + use<> {
        let start = range.start.max(self.before * WORD);
        spans(&(start..range.end), self.len.min((self.before + self.words.len()) * WORD))
    }

    /// A word; 0 beyond the window.
    #[inline]
    fn word(&self, at: usize) -> u64 {
        self.words.get(at.wrapping_sub(self.before)).copied().unwrap_or(0)
    }

    #[inline]
    fn word_mut(&mut self, at: usize) -> Option<&mut u64> {
        self.words.get_mut(at.wrapping_sub(self.before))
    }

    #[inline]
    fn change(&mut self, at: usize, change: impl FnOnce(u64) -> u64) {
        if let Some(word) = self.word_mut(at) {
            *word = change(*word);
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
            assert_eq!(bits.first_in(0..1000), want.first().copied());
            assert_eq!(bits.first_in(start + 1..end), want.get(1).copied());
            assert!(!bits.any_in(end.max(start)..200));
            bits.retain_in(10..70, |index| index % 2 == 0);
            found.clear();
            bits.for_each_in(0..200, |index| found.push(index));
            let mut want: Vec<usize> =
                want.into_iter().filter(|i| !(10..70).contains(i) || i % 2 == 0).collect();
            assert_eq!(found, want);
            bits.remove_range(62..130);
            want.retain(|index| !(62..130).contains(index));
            found.clear();
            bits.for_each_in(0..200, |index| found.push(index));
            assert_eq!(found, want);
        }
    }

    #[test]
    fn what_is_beyond_the_window_is_absent() {
        let mut whole = Bits::new(500);
        (0..500).step_by(3).for_each(|index| whole.insert(index));
        for window in [0..500, 130..140, 64..128, 0..0, 499..900, 70..321] {
            let near = window.start / WORD * WORD..(window.end.min(500).div_ceil(WORD) * WORD).min(500);
            let is_in = |index: &usize| near.contains(index);
            let list = |bits: &Bits, range: Range<usize>| {
                let mut found = Vec::new();
                bits.for_each_in(range, |index| found.push(index));
                found
            };
            let part = whole.of_range(window.clone());
            let want: Vec<usize> = (0..500).step_by(3).filter(is_in).collect();
            assert_eq!(list(&part, 0..900), want, "{window:?}");
            assert_eq!((part.count(), part.count_in(0..900), part.len()), (want.len(), want.len(), 500));
            assert!((0..900).all(|index| part.contains(index) == want.contains(&index)));
            let mut evens = Bits::within(window.clone(), 500);
            (0..900).step_by(2).for_each(|index| evens.insert(index));
            assert_eq!(list(&evens, 0..900), (0..500).step_by(2).filter(is_in).collect::<Vec<_>>());
            let mut both = whole.clone();
            both.intersect(&evens);
            assert_eq!(list(&both, 0..900), (0..500).step_by(6).filter(is_in).collect::<Vec<_>>());
            assert_eq!(
                (whole.intersects(&evens), evens.intersects(&whole)),
                (!both.is_empty(), !both.is_empty())
            );
            let mut others = whole.clone();
            others.remove_all(&evens);
            others.retain_in(60..200, |index| index % 5 != 0);
            let is_left = |&index: &usize| {
                index % 3 == 0
                    && !(is_in(&index) && index % 2 == 0)
                    && !((60..200).contains(&index) && index % 5 == 0)
            };
            assert_eq!(list(&others, 0..900), (0..500).filter(is_left).collect::<Vec<_>>());
            let mut none = others.emptied();
            assert!(none.is_empty());
            none.insert_range(100..300);
            assert_eq!(list(&none, 0..900), (100..300).collect::<Vec<_>>());
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
