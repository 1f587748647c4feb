//! Finding a text among many by its hash, in two arrays as they lie in a file: the writer asks every source of a site for
//! each text that is new to the open segment, and a search in byte order costs a page for each of its steps.
//!
//! Open addressing: a text is at its home or a little behind it. An array of tags, one byte each, tells of nearly all texts
//! that are not there that they are not; the other array has the texts' numbers. What is found is compared by the caller,
//! so a damaged array may hide a text, and never gives a wrong one.

/// Slots for each two texts.
const SLOTS_FOR_TWO: usize = 3;
/// A text is not so far behind its home. Should texts be made so that they crowd together, there are no arrays for them.
const PROBES_MAX: usize = 256;
/// Fewer texts than these are found as quickly in their order.
const TEXTS_MIN: usize = 64;
/// The tag of a slot without a text.
const FREE: u8 = 0;

/// The arrays, as long as each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finder<'a> {
    /// A byte of each slot's text's hash.
    pub tags: &'a [u8],
    /// The number of each slot's text.
    pub numbers: &'a [u32],
}

impl Finder<'static> {
    /// No arrays.
    pub const ABSENT: Self = Self { tags: &[], numbers: &[] };
}

impl Finder<'_> {
    /// Whether there are no arrays.
    pub fn is_absent(&self) -> bool {
        self.tags.is_empty()
    }

    /// Whether the arrays fit each other.
    pub fn is_sound(&self) -> bool {
        self.tags.len() == self.numbers.len()
    }

    /// The number of the text with this hash that is the one looked for.
    pub fn find(&self, hash: TextHash, is: impl Fn(u32) -> bool) -> Option<u32> {
        let home = hash.home(self.tags.len())?;
        let tags = self.tags.get(home..)?;
        for (probe, &tag) in tags.iter().enumerate().take(PROBES_MAX) {
            if tag == hash.tag() {
                let number = self.numbers.get(home + probe).copied();
                if let Some(number) = number.filter(|&number| is(number)) {
                    return Some(number);
                }
            } else if tag == FREE {
                return None;
            }
        }
        None
    }
}

/// Makes the arrays of texts that are all different, each with its number. `None`: there are too few, or they crowd.
pub(crate) fn arrays<'t>(
    texts: impl ExactSizeIterator<Item = (u32, &'t [u8])>,
) -> Option<(Vec<u8>, Vec<u32>)> {
    if texts.len() < TEXTS_MIN {
        return None;
    }
    let slots = homes_for(texts.len()) + PROBES_MAX;
    let (mut tags, mut numbers) = (vec![FREE; slots], vec![0; slots]);
    for (number, text) in texts {
        let hash = TextHash::of(text);
        let home = hash.home(slots)?;
        let free = tags.get(home..home + PROBES_MAX)?.iter().position(|&tag| tag == FREE)?;
        *tags.get_mut(home + free)? = hash.tag();
        *numbers.get_mut(home + free)? = number;
    }
    Some((tags, numbers))
}

fn homes_for(count: usize) -> usize {
    count * SLOTS_FOR_TWO / 2
}

/// A text that is looked for in several places, with its hash.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'t> {
    /// The text.
    pub text: &'t str,
    pub(crate) hash: TextHash,
}

impl<'t> From<&'t str> for Sought<'t> {
    fn from(text: &'t str) -> Self {
        Self { text, hash: TextHash::of(text.as_bytes()) }
    }
}

/// A text's hash. It is in files, so it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextHash(u64);

impl TextHash {
    /// The hash, as a number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// Eight bytes at a time are multiplied, and both halves of the product are folded together.
    pub fn of(text: &[u8]) -> Self {
        let mut hash = text.len() as u64 ^ 0x243f_6a88_85a3_08d3;
        let (words, rest) = text.as_chunks();
        for word in words {
            hash = folded(hash ^ u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Self(folded(folded(hash ^ u64::from_le_bytes(last))))
    }

    fn tag(self) -> u8 {
        (self.0 as u8).max(FREE + 1)
    }

    /// The first slot of so many in which the text can be; `None`: there are no such arrays.
    fn home(self, slots: usize) -> Option<usize> {
        let homes = slots.checked_sub(PROBES_MAX)?;
        Some(((u128::from(self.0) * homes as u128) >> 64) as usize)
    }
}

fn folded(number: u64) -> u64 {
    let product = u128::from(number) * 0x9e37_79b9_7f4a_7c15_u128;
    (product ^ (product >> 64)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(count: u32) -> Vec<String> {
        (0..count).map(|n| format!("/page/{n:07}")).collect()
    }

    fn numbered(texts: &[String]) -> impl ExactSizeIterator<Item = (u32, &[u8])> {
        texts.iter().enumerate().map(|(at, text)| (at as u32 + 7, text.as_bytes()))
    }

    #[test]
    fn all_that_are_there_are_found_and_no_others() {
        for count in [64, 65, 1_000, 50_000] {
            let all = texts(2 * count);
            let (own, others) = all.split_at(count as usize);
            let (tags, numbers) = arrays(numbered(own)).unwrap();
            let finder = Finder { tags: &tags, numbers: &numbers };
            let mut compared = 0;
            for (number, text) in numbered(&all) {
                let same = |found: u32| own.get(found as usize - 7).is_some_and(|own| own.as_bytes() == text);
                let found = finder.find(TextHash::of(text), same);
                assert_eq!(found, Some(number).filter(|number| *number < count + 7));
            }
            for (_, text) in numbered(others) {
                let compare = |_| {
                    compared += 1;
                    false
                };
                let counted = std::cell::RefCell::new(compare);
                finder.find(TextHash::of(text), |found| counted.borrow_mut()(found));
            }
            assert!(compared <= count as usize / 20, "{compared} of {count} others are compared");
        }
    }

    #[test]
    fn arrays_that_are_damaged_find_nothing() {
        let all = texts(100);
        let (tags, numbers) = arrays(numbered(&all)).unwrap();
        let hash = TextHash::of(all[3].as_bytes());
        for (tags, numbers) in [
            (&tags[..PROBES_MAX - 1], &numbers[..]),
            (&tags[..PROBES_MAX], &numbers[..]),
            (&[][..], &numbers[..]),
            (&tags[..], &[][..]),
            (&vec![hash.tag(); tags.len()][..], &numbers[..]),
        ] {
            assert_eq!(Finder { tags, numbers }.find(hash, |_| false), None);
        }
    }

    #[test]
    fn few_texts_and_such_as_crowd_have_no_arrays() {
        assert!(arrays(numbered(&texts(63))).is_none());
        let crowd = vec!["the same".to_owned(); PROBES_MAX + 1];
        assert!(arrays(numbered(&crowd)).is_none());
    }

    /// Files have what it gives.
    #[test]
    fn the_hash_stays_as_it_is() {
        let hashes = ["", "a", "/page/1", "/page/12", "https://example.com/é"]
            .map(|text| TextHash::of(text.as_bytes()).0);
        let known = [
            9_089_205_949_411_343_203,
            6_780_552_918_288_991_612,
            12_932_236_350_981_617_873,
            14_940_325_684_958_915_696,
            12_581_785_291_833_056_393,
        ];
        assert_eq!(hashes, known);
    }
}
