//! The groups of a report: numbers given in the order of first occurrence, and what each stands for.
//!
//! Groups are recognised by site codes, which are equal in all sources of a site (by texts where a source has no site
//! codes of a column); a label remembers one source and
//! its local codes, so that strings are looked up only for groups that can be in the answer.

use hashbrown::HashMap;

use crate::segment::table::Dictionary;

/// How many columns make a group's key at most.
pub const KEY_COLUMNS_MAX: usize = 3;
/// Site codes below this are looked up in an array, others in a hash map.
const DENSE_CODES_MAX: usize = 1 << 20;
/// No group yet.
pub(super) const UNSET: u32 = u32::MAX;

/// The codes of a key, unused places 0.
pub(super) type KeyCodes = [u32; KEY_COLUMNS_MAX];
/// The strings of a key, unused places empty.
pub(super) type KeyTexts<'a> = [&'a str; KEY_COLUMNS_MAX];

/// What a group stands for.
pub(super) enum Label<'a> {
    /// Codes, of the source where they were met first.
    Codes {
        source: u32,
        local: KeyCodes,
    },
    Text(&'a str),
}

/// All groups met so far.
#[derive(Default)]
pub(super) struct Groups<'a> {
    dense: Vec<u32>,
    sparse: HashMap<u32, u32>,
    tuples: HashMap<KeyCodes, u32>,
    texts: HashMap<&'a str, u32>,
    numbered: HashMap<(usize, &'a str), u32>,
    labels: Vec<Label<'a>>,
}

impl<'a> Groups<'a> {
    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The group of one site code.
    pub fn of_code(&mut self, site: u32, source: u32, local: u32) -> u32 {
        let next = self.labels.len() as u32;
        let place = if (site as usize) < DENSE_CODES_MAX {
            if self.dense.len() <= site as usize {
                self.dense.resize(site as usize + 1, UNSET);
            }
            &mut self.dense[site as usize]
        } else {
            self.sparse.entry(site).or_insert(UNSET)
        };
        if *place == UNSET {
            *place = next;
            self.labels.push(Label::Codes { source, local: [local, 0, 0] });
        }
        *place
    }

    /// A number that stands for a text of a column of the key in place of a site code, where a source has none.
    pub fn number_of(&mut self, column: usize, text: &'a str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let next = self.numbered.len() as u32 + 1;
        *self.numbered.entry((column, text)).or_insert(next)
    }

    /// The group of several site codes.
    pub fn of_tuple(&mut self, site: KeyCodes, source: u32, local: KeyCodes) -> u32 {
        let next = self.labels.len() as u32;
        let group = *self.tuples.entry(site).or_insert(next);
        if group == next {
            self.labels.push(Label::Codes { source, local });
        }
        group
    }

    /// The group of a text.
    pub fn of_text(&mut self, text: &'a str) -> u32 {
        let next = self.labels.len() as u32;
        let group = *self.texts.entry(text).or_insert(next);
        if group == next {
            self.labels.push(Label::Text(text));
        }
        group
    }

    /// What a group stands for; `None` for groups that are known beforehand.
    pub fn label(&self, group: usize) -> Option<&Label<'a>> {
        self.labels.get(group)
    }

    /// The codes of a group, in the source where it was met first; `None` for a text.
    pub fn codes(&self, group: usize) -> Option<(usize, KeyCodes)> {
        match self.labels.get(group)? {
            Label::Codes { source, local } => Some((*source as usize, *local)),
            Label::Text(_) => None,
        }
    }

    /// The strings of a group, given each source's dictionaries of the key's columns.
    pub fn texts(&self, group: u32, dictionaries: &[Vec<Dictionary<'a>>]) -> KeyTexts<'a> {
        let mut texts = KeyTexts::default();
        match self.labels.get(group as usize) {
            Some(Label::Text(text)) => texts[0] = text,
            Some(Label::Codes { source, local }) => {
                let columns = dictionaries.get(*source as usize).map_or(&[][..], Vec::as_slice);
                for ((text, dictionary), &code) in texts.iter_mut().zip(columns).zip(local) {
                    *text = dictionary.get(code);
                }
            }
            None => {}
        }
        texts
    }
}
