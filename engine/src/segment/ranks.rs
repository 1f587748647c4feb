//! Which of many are there, when most are not: bits, and how many are set before each word of them.

use std::mem::size_of_val;

const WORD_BITS: usize = u64::BITS as usize;

/// The bits and ranks of a file or of [`OwnedRanks`].
#[derive(Debug, Clone, Copy)]
pub struct Ranks<'a> {
    /// The bits.
    pub words: &'a [u64],
    /// How many bits are set in the words before each word.
    pub ranks: &'a [u32],
}

/// The same, made here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnedRanks {
    words: Vec<u64>,
    ranks: Vec<u32>,
    count: u32,
}

impl Ranks<'_> {
    /// How many are there before the one at `index`; `None` when that is not there.
    #[inline]
    pub fn place(&self, index: usize) -> Option<usize> {
        let (at, bit) = (index / WORD_BITS, index % WORD_BITS);
        let word = self.words.get(at).filter(|&word| word >> bit & 1 == 1)?;
        let before = (word & ((1 << bit) - 1)).count_ones();
        Some(*self.ranks.get(at)? as usize + before as usize)
    }

    /// How many are there before `index`, be that one there or not.
    pub fn count_before(&self, index: usize) -> usize {
        let (at, bit) = (index / WORD_BITS, index % WORD_BITS);
        match (self.words.get(at), self.ranks.get(at)) {
            (Some(&word), Some(&rank)) => rank as usize + (word & ((1 << bit) - 1)).count_ones() as usize,
            _ => match (self.words.last(), self.ranks.last()) {
                (Some(&word), Some(&rank)) => rank as usize + word.count_ones() as usize,
                _ => 0,
            },
        }
    }

    /// Whether `count` are there, and a word for each 64 of `len`.
    pub fn are_sound(&self, len: usize, count: usize) -> bool {
        let mut next = 0usize;
        let ranks_fit = self.words.iter().zip(self.ranks).all(|(word, &rank)| {
            let fits = rank as usize == next;
            next += word.count_ones() as usize;
            fits
        });
        ranks_fit
            && next == count
            && self.words.len() == len.div_ceil(WORD_BITS)
            && self.ranks.len() == self.words.len()
    }
}

impl OwnedRanks {
    /// Says that the one at `index` is there; indices must ascend. Whether it is news.
    pub fn push(&mut self, index: usize) -> bool {
        let (at, bit) = (index / WORD_BITS, index % WORD_BITS);
        self.extend(at + 1);
        let Some(word) = self.words.get_mut(at) else { return false };
        let is_new = *word >> bit == 0;
        *word |= 1 << bit;
        self.count += u32::from(is_new);
        is_new
    }

    /// Has so many words at least.
    fn extend(&mut self, words: usize) {
        while self.words.len() < words {
            self.words.push(0);
            self.ranks.push(self.count);
        }
    }

    /// How many are there.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Has a bit for each of `len`.
    pub fn finish(mut self, len: usize) -> Self {
        self.extend(len.div_ceil(WORD_BITS));
        self.words.shrink_to_fit();
        self.ranks.shrink_to_fit();
        self
    }

    /// As a file has them.
    #[inline]
    pub fn as_ranks(&self) -> Ranks<'_> {
        Ranks { words: &self.words, ranks: &self.ranks }
    }

    /// Memory, bytes.
    pub fn byte_count(&self) -> usize {
        size_of_val(self.words.as_slice()) + size_of_val(self.ranks.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finds_its_place() {
        let there = [0usize, 1, 63, 64, 130, 131, 400];
        let mut ranks = OwnedRanks::default();
        assert!(there.iter().all(|&index| ranks.push(index)));
        assert!(!ranks.push(400), "it is there already");
        let ranks = ranks.finish(500);
        assert_eq!(ranks.count(), there.len());
        assert!(ranks.as_ranks().are_sound(500, there.len()));
        for index in 0..600 {
            assert_eq!(ranks.as_ranks().place(index), there.iter().position(|&known| known == index));
            let before = there.iter().filter(|&&known| known < index).count();
            assert_eq!(ranks.as_ranks().count_before(index), before);
        }
        let none = OwnedRanks::default().finish(64);
        assert!(none.as_ranks().are_sound(64, 0) && none.as_ranks().place(3).is_none());
    }

    #[test]
    fn what_does_not_fit_is_not_sound() {
        let sound = Ranks { words: &[3, 1], ranks: &[0, 2] };
        assert!(sound.are_sound(65, 3) && sound.are_sound(128, 3));
        assert!(!sound.are_sound(64, 3) && !sound.are_sound(129, 3) && !sound.are_sound(65, 2));
        assert!(!Ranks { words: &[3, 1], ranks: &[0, 1] }.are_sound(65, 3));
        assert!(!Ranks { words: &[3, 1], ranks: &[0] }.are_sound(65, 3));
    }
}
