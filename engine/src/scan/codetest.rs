//! Tests of codes, 64 at a time: those that pass are the set bits of a word.

use super::bits::{Bits, WORD, spans};
use super::mask::Mask;
use crate::segment::table::{Codes, Kinds, Ranks};

/// So many ranges of codes or fewer are compared with; of more, codes are looked up.
const RANGES_MAX: usize = 4;
/// Of a word's bits: where fewer are left, each is tested by itself.
const DENSE_MIN: u32 = 8;

/// A test of one column's codes.
#[derive(Debug, Clone)]
pub struct CodeTest<'a> {
    codes: Codes<'a>,
    mask: Mask,
    /// The codes that pass, when they are few ranges.
    ranges: Option<Ranges>,
}

/// Ranges of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ranges {
    One(CodeRange),
    /// The last one repeated.
    Few([CodeRange; RANGES_MAX]),
}

/// The first code, and how many follow it.
type CodeRange = (u32, u32);

impl<'a> CodeTest<'a> {
    /// The test of a column by a mask over its codes.
    ///
    /// Where columns share the codes of their combinations it becomes a test of these: one look less for each.
    pub fn new(codes: Codes<'a>, mask: Mask) -> Self {
        let (codes, mask) = match (codes, &mask) {
            (Codes::Combined { codes, table }, Mask::Codes(_)) => match table.code_count() {
                Some(count) => {
                    let entries = (0..count).map(|combination| mask.passes(table.get(combination)));
                    (codes.into(), Mask::of(entries.collect(), |_| true))
                }
                None => (Codes::Constant(table.get(0)), mask),
            },
            _ => (codes, mask),
        };
        Self::of_own(codes, mask)
    }

    fn of_own(codes: Codes<'a>, mask: Mask) -> Self {
        let greatest = match codes {
            Codes::U8(_) => u8::MAX.into(),
            Codes::U16(_) => u16::MAX.into(),
            _ => u32::MAX,
        };
        let ranges = ranges(&mask, greatest);
        Self { codes, mask, ranges }
    }

    /// The same tests, those of the same codes put together into one.
    pub fn merged(tests: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        for test in tests {
            match merged.iter_mut().find(|known| known.codes.is_same(&test.codes)) {
                Some(known) => *known = Self::of_own(test.codes, known.mask.and(&test.mask)),
                None => merged.push(test),
            }
        }
        merged
    }

    /// The test of rows' kinds: those that are `wanted` in the bits of `kind_mask`.
    pub fn of_kinds(kinds: Kinds<'a>, kind_mask: u8, wanted: u8) -> Self {
        let is_wanted = |kind: u8| kind & kind_mask == wanted;
        let (codes, entries): (_, Vec<bool>) = match kinds {
            Kinds::Bytes(kinds) => (Codes::U8(kinds), (0..=u8::MAX).map(is_wanted).collect()),
            Kinds::Coded { codes, table, .. } => {
                (codes.into(), table.iter().map(|&kind| is_wanted(kind)).collect())
            }
        };
        Self::new(codes, Mask::of(entries, |_| true))
    }

    /// Whether nothing passes.
    pub fn is_never(&self) -> bool {
        self.mask == Mask::Never
    }

    /// Whether everything passes.
    pub fn is_always(&self) -> bool {
        self.mask == Mask::Always
    }

    /// Whether the code at a place passes.
    #[inline]
    pub fn passes(&self, at: usize) -> bool {
        self.mask.passes(self.codes.get(at))
    }

    /// Which of the 64 places from 64 times `at` pass. Places past the end have the absent code.
    #[inline]
    pub fn word(&self, at: usize) -> u64 {
        let entries = match &self.mask {
            Mask::Never => return 0,
            Mask::Always => return u64::MAX,
            Mask::Codes(entries) => entries.as_slice(),
        };
        let absent = entries.first().copied().unwrap_or(false);
        let all = if absent { u64::MAX } else { 0 };
        match self.codes {
            Codes::Constant(code) => {
                if self.mask.passes(code) {
                    u64::MAX
                } else {
                    0
                }
            }
            Codes::U8(codes) => match self.ranges {
                Some(ranges) => within(chunk(codes, at), ranges, absent, |code, (first, more)| {
                    code.wrapping_sub(first as u8) <= more as u8
                }),
                None => looked_up(chunk(codes, at), entries, absent),
            },
            Codes::U16(codes) => match self.ranges {
                Some(ranges) => within(chunk(codes, at), ranges, absent, |code, (first, more)| {
                    code.wrapping_sub(first as u16) <= more as u16
                }),
                None => looked_up(chunk(codes, at), entries, absent),
            },
            Codes::U32(codes) => match self.ranges {
                Some(ranges) => within(chunk(codes, at), ranges, absent, |code, (first, more)| {
                    code.wrapping_sub(first) <= more
                }),
                None => looked_up(chunk(codes, at), entries, absent),
            },
            Codes::Ranked(ranked) => self.among(at, ranked.present, all),
            Codes::Cold(texts) => self.among(at, texts.present.as_ranks(), all),
            Codes::Combined { .. } => {
                (0..WORD).fold(0, |word, bit| word | u64::from(self.passes(at * WORD + bit)) << bit)
            }
        }
    }

    /// As [`CodeTest::word`] where most have the absent code, of which `all` tells whether it passes.
    #[inline]
    fn among(&self, at: usize, present: Ranks<'_>, all: u64) -> u64 {
        let there = present.words.get(at).copied().unwrap_or(0);
        (all & !there) | self.one_by_one(at, there)
    }

    /// Which of these places, the set bits of a word, pass.
    #[inline]
    fn one_by_one(&self, at: usize, places: u64) -> u64 {
        let (mut left, mut kept) = (places, 0);
        while left != 0 {
            let bit = left.trailing_zeros();
            kept |= u64::from(self.passes(at * WORD + bit as usize)) << bit;
            left &= left - 1;
        }
        kept
    }

    /// Which of these places, the set bits of a word, pass: by the word, or one by one when they are few.
    #[inline]
    fn narrow(&self, at: usize, places: u64) -> u64 {
        if places.count_ones() < DENSE_MIN { self.one_by_one(at, places) } else { places & self.word(at) }
    }

    /// Keeps, of the range, only the places that pass.
    pub fn retain_in(&self, bits: &mut Bits, range: std::ops::Range<usize>) {
        bits.narrow_in(range, |at, word| self.narrow(at, word));
    }
}

/// The places of the range that pass all tests, as the words that the range touches, which are counted from the one
/// that has its start.
pub fn words_of(tests: &[CodeTest<'_>], range: &std::ops::Range<usize>, words: &mut Vec<u64>) {
    words.clear();
    words.extend(spans(range, range.end).map(|(at, within)| narrow_by(tests, at, within)));
}

/// Keeps the places that pass all tests, of words that are counted from `first`.
pub fn narrow_words(tests: &[CodeTest<'_>], first: usize, words: &mut [u64]) {
    for (at, word) in (first..).zip(words) {
        *word = narrow_by(tests, at, *word);
    }
}

#[inline]
fn narrow_by(tests: &[CodeTest<'_>], at: usize, places: u64) -> u64 {
    tests.iter().fold(places, |word, test| if word == 0 { 0 } else { test.narrow(at, word) })
}

/// The ranges of codes up to `greatest` that pass, when they are few.
fn ranges(mask: &Mask, greatest: u32) -> Option<Ranges> {
    let Mask::Codes(entries) = mask else { return None };
    let past = u32::try_from(entries.len()).ok().filter(|&past| past <= greatest && mask.passes(past));
    let mut ranges: Vec<CodeRange> = Vec::new();
    // Greater ones cannot occur.
    for code in mask.codes().take_while(|&code| code <= greatest).chain(past) {
        let count = ranges.len();
        match ranges.last_mut() {
            Some((first, more)) if code - *first == *more + 1 => *more += 1,
            _ if count == RANGES_MAX => return None,
            _ => ranges.push((code, 0)),
        }
    }
    if let (Some(past), Some((first, more))) = (past, ranges.last_mut()) {
        // All codes past the end are taken for the same one.
        debug_assert!(*first <= past);
        *more = greatest - *first;
    }
    match *ranges {
        [] => None,
        [only] => Some(Ranges::One(only)),
        [.., last] => {
            ranges.resize(RANGES_MAX, last);
            ranges.try_into().ok().map(Ranges::Few)
        }
    }
}

/// Up to 64 codes.
#[inline]
fn chunk<T>(codes: &[T], at: usize) -> &[T] {
    let start = (at * WORD).min(codes.len());
    codes.get(start..codes.len().min(start + WORD)).unwrap_or_default()
}

/// Which codes are in a range. `absent`: whether places past the end pass.
#[inline]
fn within<T: Copy>(codes: &[T], ranges: Ranges, absent: bool, is_in: impl Fn(T, CodeRange) -> bool) -> u64 {
    match ranges {
        Ranges::One(only) => passing(codes, absent, |code| is_in(code, only)),
        Ranges::Few([a, b, c, d]) => {
            passing(codes, absent, |code| is_in(code, a) | is_in(code, b) | is_in(code, c) | is_in(code, d))
        }
    }
}

/// Which codes have a true entry.
#[inline]
fn looked_up<T: Copy + Into<u32>>(codes: &[T], entries: &[bool], absent: bool) -> u64 {
    passing(codes, absent, |code| entries.get(code.into() as usize).copied().unwrap_or(absent))
}

/// Which codes pass.
#[inline]
fn passing<T: Copy>(codes: &[T], absent: bool, passes: impl Fn(T) -> bool) -> u64 {
    if let Ok(codes) = <&[T; WORD]>::try_from(codes) {
        let mut bytes = [0; WORD];
        bytes.iter_mut().zip(codes).for_each(|(byte, &code)| *byte = passes(code).into());
        return packed(&bytes);
    }
    let word = codes.iter().enumerate().fold(0, |word, (bit, &code)| word | u64::from(passes(code)) << bit);
    // Past the end.
    if absent { word | u64::MAX.checked_shl(codes.len() as u32).unwrap_or(0) } else { word }
}

/// Bytes of 0 or 1 as bits. By a multiplication each eight of them come together in the highest byte.
#[inline]
fn packed(bytes: &[u8; WORD]) -> u64 {
    let (eights, _) = bytes.as_chunks::<8>();
    let pack = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    eights.iter().enumerate().fold(0, |word, (at, eight)| word | pack(eight) << (at * 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::ranks::OwnedRanks;
    use crate::segment::table::{Narrow, RankedCodes};

    fn check(codes: Codes<'_>, code_count: u32) {
        let masks = [
            vec![true],
            vec![false, true],
            vec![true, false, true],
            (0..code_count).map(|code| code % 3 == 1).collect(),
            (0..code_count).map(|code| code == 2 || code + 1 == code_count).collect(),
            (0..code_count).map(|code| code % 2 == 0).collect(),
            (0..code_count).map(|code| code < 3).collect(),
            (0..code_count).map(|code| (3..7).contains(&code) || code == 9).collect(),
            vec![true, true, false, false, true],
        ];
        for entries in masks {
            let mask = Mask::of(entries.clone(), |_| true);
            let test = CodeTest::new(codes, mask.clone());
            for at in 0..5 {
                let want = (0..WORD)
                    .fold(0u64, |word, bit| word | u64::from(mask.passes(codes.get(at * WORD + bit))) << bit);
                assert_eq!(test.word(at), want, "{codes:?} {entries:?} {at}");
            }
            for every in [1, 3, 20] {
                let mut bits = Bits::new(300);
                (0..300).step_by(every).for_each(|at| bits.insert(at));
                test.retain_in(&mut bits, 5..199);
                for at in 0..300 {
                    let want = at % every == 0 && (!(5..199).contains(&at) || mask.passes(codes.get(at)));
                    assert_eq!(bits.contains(at), want, "{at}");
                }
            }
        }
    }

    #[test]
    fn every_representation_says_what_single_tests_say() {
        let numbers: Vec<u32> = (0..230u32).map(|n| n * n * 7 % 11).collect();
        let (u8s, u16s): (Vec<u8>, Vec<u16>) = numbers.iter().map(|&n| (n as u8, n as u16)).unzip();
        check(Codes::Constant(2), 11);
        check(Codes::U8(&u8s), 11);
        check(Codes::U16(&u16s), 11);
        check(Codes::U32(&numbers), 11);
        check(Codes::U8(&u8s[..128]), 11);
        let table: Vec<u16> = (0..11).map(|n| n / 2).collect();
        for codes in [Narrow::U8(&u8s), Narrow::U16(&u16s), Narrow::U32(&numbers)] {
            let table = Narrow::U16(&table);
            let combined = Codes::Combined { codes, table };
            let mask = Mask::of(vec![false, true, false, true, true, false], |_| true);
            let test = CodeTest::new(combined, mask.clone());
            for at in 0..230 {
                assert_eq!(test.passes(at), mask.passes(combined.get(at)));
                assert_eq!(test.word(at / WORD) >> (at % WORD) & 1 == 1, mask.passes(combined.get(at)));
            }
        }
        let mut present = OwnedRanks::default();
        let there: Vec<u16> = u16s.iter().copied().filter(|&code| code != 0).collect();
        (0..230).filter(|&at| u16s[at] != 0).for_each(|at| _ = present.push(at));
        let present = present.finish(230);
        check(Codes::Ranked(RankedCodes { present: present.as_ranks(), codes: &there }), 11);
    }

    #[test]
    fn tests_of_the_same_codes_become_one() {
        let (one, other): (Vec<u8>, Vec<u8>) = ((0..200).map(|n| n % 7).collect(), vec![1; 200]);
        let test = |codes, entries: &[bool]| CodeTest::new(codes, Mask::of(entries.to_vec(), |_| true));
        let tests = [
            test(Codes::U8(&one), &[false, true, true, true]),
            test(Codes::U8(&other), &[false, true]),
            test(Codes::U8(&one), &[false, false, true, true, true, true, true]),
            test(Codes::U8(&one), &[true]),
        ];
        let merged = CodeTest::merged(tests.iter().cloned());
        assert_eq!(merged.len(), 2);
        for at in 0..200 {
            assert_eq!(merged.iter().all(|test| test.passes(at)), tests.iter().all(|test| test.passes(at)));
        }
        let never = [test(Codes::U8(&one), &[false, true]), test(Codes::U8(&one), &[false, false, true])];
        assert!(CodeTest::merged(never)[0].is_never());
    }

    #[test]
    fn words_of_a_range_have_nothing_beyond_it() {
        let codes: Vec<u8> = (0..200).map(|n| n % 5).collect();
        let test = |code: usize| {
            CodeTest::new(Codes::U8(&codes), Mask::of((0..5).map(|n| n != code).collect(), |_| true))
        };
        let mut words = Vec::new();
        for range in [0..0, 0..200, 3..70, 64..128, 199..200, 130..131] {
            words_of(&[test(1), test(4)], &range, &mut words);
            let base = range.start / WORD * WORD;
            for at in 0..words.len() * WORD {
                let want = range.contains(&(base + at))
                    && ![1, 4].contains(&codes.get(base + at).copied().unwrap_or(1));
                assert_eq!(words[at / WORD] >> (at % WORD) & 1 == 1, want, "{at} of {range:?}");
            }
        }
    }
}
