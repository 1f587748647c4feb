//! Which metadata keys the events of each group carry.
//!
//! A metadata text is decoded once for each source in which it occurs, and stands for a set of keys; events that
//! carry the same keys share one set, so that a group remembers few numbers instead of many texts.

use std::cell::RefCell;
use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

use super::groups::UNSET;
use crate::event::{Kind, decode_pairs};
use crate::scan::batch::{Batch, NO_GROUP};
use crate::segment::table::{Codes, Dictionary, Kinds, ROW_KIND_MASK};

/// The sets of keys met so far, and which group holds which.
#[derive(Default)]
pub(super) struct KeySets<'a> {
    numbers: HashMap<Vec<&'a str>, u32>,
    noted: HashSet<(u32, u32)>,
}

impl<'a> KeySets<'a> {
    fn number(&mut self, text: &'a str) -> u32 {
        let keys: Vec<&str> = decode_pairs(text).map(|pair| pair.0).collect();
        let next = self.numbers.len() as u32;
        *self.numbers.entry(keys).or_insert(next)
    }

    /// The sorted keys of each of these groups.
    pub fn of_groups(&self, groups: &[u32]) -> Vec<Vec<String>> {
        let mut sets: Vec<&[&str]> = vec![&[]; self.numbers.len()];
        for (keys, &number) in &self.numbers {
            sets[number as usize] = keys;
        }
        let places: HashMap<u32, usize> = groups.iter().enumerate().map(|(at, &group)| (group, at)).collect();
        let mut found: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); groups.len()];
        for (group, set) in &self.noted {
            if let Some(&at) = places.get(group) {
                found[at].extend(sets[*set as usize]);
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
        Self { kinds, codes, dictionary, local: vec![UNSET; dictionary.len().max(1)], sets }
    }

    /// Notes the keys of the rows of a batch for their groups. Rows that are no custom events have none.
    pub fn note(&mut self, batch: &Batch) {
        let mut sets = self.sets.borrow_mut();
        for (&row, &group) in batch.rows.iter().zip(&batch.groups) {
            let row = row as usize;
            let is_event = self.kinds.get(row).is_some_and(|kind| kind & ROW_KIND_MASK == Kind::Event as u8);
            let code = self.codes.get(row);
            let Some(place) = self.local.get_mut(code as usize) else { continue };
            if !is_event || group == NO_GROUP {
                continue;
            }
            if *place == UNSET {
                *place = sets.number(self.dictionary.get(code));
            }
            sets.noted.insert((group, *place));
        }
    }
}
