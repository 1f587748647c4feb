//! Which metadata keys the events of each group carry.
//!
//! A metadata text stands for a set of keys; events that carry the same keys share one set, so that a group remembers
//! few numbers instead of many texts. Files of the lake know the sets of their texts; a text of a segment is decoded
//! once for each source in which it occurs.

use std::cell::RefCell;
use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

use super::groups::UNSET;
use crate::event::{Kind, Pairs};
use crate::scan::batch::{Batch, NO_GROUP};
use crate::segment::cold::ColdTexts;
use crate::segment::key_sets::TextKeySets;
use crate::segment::table::{Codes, Dictionary, Kinds, ROW_KIND_MASK};

/// Sets below this are noted by bits.
const SETS_BY_BITS: u32 = u64::BITS;

/// The sets of keys met so far, and which group holds which.
#[derive(Default)]
pub(super) struct KeySets<'a> {
    numbers: HashMap<Vec<&'a str>, u32>,
    /// For each group the first sets that it holds.
    first: Vec<u64>,
    /// Groups and further sets of theirs.
    further: HashSet<(u32, u32)>,
}

impl<'a> KeySets<'a> {
    fn number(&mut self, keys: Vec<&'a str>) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(keys).or_insert(next)
    }

    #[inline]
    fn note(&mut self, group: u32, set: u32) {
        if set >= SETS_BY_BITS {
            self.further.insert((group, set));
            return;
        }
        let at = group as usize;
        if self.first.len() <= at {
            self.first.resize(at + 1, 0);
        }
        self.first[at] |= 1 << set;
    }

    /// Groups and the sets that they hold.
    fn noted(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let of_group = |(group, &bits): (u32, &u64)| {
            (0..SETS_BY_BITS).filter(move |set| bits >> set & 1 == 1).map(move |set| (group, set))
        };
        (0..).zip(&self.first).flat_map(of_group).chain(self.further.iter().copied())
    }

    /// Adds what was noted elsewhere; `places` has the group here of each group there.
    pub fn absorb(&mut self, other: Self, places: &[u32]) {
        let mut sets = vec![UNSET; other.numbers.len()];
        for (keys, &number) in &other.numbers {
            let own = self.number(keys.clone());
            sets.get_mut(number as usize).into_iter().for_each(|set| *set = own);
        }
        for (group, set) in other.noted() {
            if let (Some(&group), Some(&set)) = (places.get(group as usize), sets.get(set as usize)) {
                self.note(group, set);
            }
        }
    }

    /// The sorted keys of each of these groups.
    pub fn of_groups(&self, groups: &[u32]) -> Vec<Vec<String>> {
        let mut sets: Vec<&[&str]> = vec![&[]; self.numbers.len()];
        for (keys, &number) in &self.numbers {
            sets[number as usize] = keys;
        }
        let places: HashMap<u32, usize> = groups.iter().enumerate().map(|(at, &group)| (group, at)).collect();
        let mut found: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); groups.len()];
        for (group, set) in self.noted() {
            if let Some(&at) = places.get(&group) {
                found[at].extend(sets[set as usize]);
            }
        }
        found.into_iter().map(|keys| keys.into_iter().map(str::to_owned).collect()).collect()
    }
}

/// Notes the keys of counted rows of one source.
pub(super) struct MetaKeys<'q, 'a> {
    kinds: Kinds<'a>,
    codes: Codes<'a>,
    dictionary: Dictionary<'a>,
    /// The sets of the source's texts, if it knows them.
    known: Option<(&'a ColdTexts, &'a TextKeySets)>,
    /// The number of each set of the source; of each of its codes, when it knows no sets.
    local: Vec<u32>,
    sets: &'q RefCell<KeySets<'a>>,
}

impl<'q, 'a> MetaKeys<'q, 'a> {
    /// Over the metadata column of a source.
    pub fn new(
        kinds: Kinds<'a>,
        codes: Codes<'a>,
        dictionary: Dictionary<'a>,
        sets: &'q RefCell<KeySets<'a>>,
    ) -> Self {
        let known = dictionary.cold_texts().map(|texts| (texts, texts.key_sets()));
        // One more for rows without metadata.
        let count = known.map_or(dictionary.len().max(1), |(_, sets)| sets.count() + 1);
        Self { kinds, codes, dictionary, known, local: vec![UNSET; count], sets }
    }

    /// Notes the keys of the rows of a batch for their groups. Rows that are no custom events have none.
    pub fn note(&mut self, batch: &Batch) {
        let mut sets = self.sets.borrow_mut();
        for (&row, &group) in batch.rows.iter().zip(&batch.groups) {
            let row = row as usize;
            let is_event = self.kinds.get(row).is_some_and(|kind| kind & ROW_KIND_MASK == Kind::Event as u8);
            if !is_event || group == NO_GROUP {
                continue;
            }
            let code = self.codes.get(row);
            let place = match self.known {
                Some((_, known)) => {
                    code.checked_sub(1).and_then(|text| known.of_text(text)).map_or(0, |set| set + 1)
                }
                None => code,
            };
            let Some(number) = self.local.get_mut(place as usize) else { continue };
            if *number == UNSET {
                let text = match self.known {
                    Some((texts, known)) => {
                        let example = place.checked_sub(1).and_then(|set| known.example(set));
                        example.map_or("", |example| texts.text(example))
                    }
                    None => self.dictionary.get(code),
                };
                *number = sets.number(Pairs(text).iter().map(|pair| pair.0).collect());
            }
            sets.note(group, *number);
        }
    }
}
