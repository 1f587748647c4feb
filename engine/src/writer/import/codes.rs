//! The site's codes of new strings while an import is under way: live events and the import take them from one place,
//! so that a string has one code whoever meets it first.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::keymap::KeyMap;
use crate::error::StorageError;
use crate::schema::{COLUMN_COUNT, Column};
use crate::units::SiteId;
use crate::vfs::SharedFs;
use crate::writer::Core;

/// The codes that were given since an import began, and those of stored strings that it met.
///
/// A string is known by 128 bits of keyed hashes, under keys that nobody else knows.
pub(super) struct SiteCodes {
    known: KeyMap,
    hashers: [RandomState; 2],
    next: [u32; COLUMN_COUNT],
}

/// Shared by the writer and an import.
pub(super) type SharedCodes = Arc<Mutex<SiteCodes>>;

pub(super) fn lock(codes: &Mutex<SiteCodes>) -> MutexGuard<'_, SiteCodes> {
    codes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SiteCodes {
    /// `next` are the codes that new strings of each column get.
    pub(super) fn new(
        fs: &SharedFs,
        folder: &Path,
        number: u64,
        next: [u32; COLUMN_COUNT],
    ) -> Result<Self, StorageError> {
        let hashers = [RandomState::new(), RandomState::new()];
        Ok(Self { known: KeyMap::new(fs, folder, number)?, hashers, next })
    }

    /// The code of a string, which gets one when it has none; `stored` looks among what was stored before.
    pub(super) fn code(
        &mut self,
        column: Column,
        text: &str,
        stored: impl FnOnce() -> Option<u32>,
    ) -> Result<u32, StorageError> {
        let [first, second] = &self.hashers;
        let key = [first.hash_one((column, text)), second.hash_one((column, text))];
        if let Some(code) = self.known.get(key) {
            return Ok(code as u32);
        }
        let found = stored();
        let code = found.unwrap_or(self.next[column.index()]);
        self.known.insert(key, u64::from(code))?;
        if found.is_none() {
            self.next[column.index()] += 1;
        }
        Ok(code)
    }
}

/// What the writer knows of the import that is under way.
pub(in crate::writer) struct UnderWay {
    pub(in crate::writer) site: SiteId,
    pub(super) codes: SharedCodes,
    /// Why it is void, if it is.
    pub(super) given_up: Option<String>,
}

impl UnderWay {
    /// Whether whoever imports is still there.
    pub(in crate::writer) fn is_alive(&self) -> bool {
        Arc::strong_count(&self.codes) > 1
    }

    /// Nothing more of it is to be stored.
    pub(in crate::writer) fn give_up(&mut self, why: &str) {
        self.given_up.get_or_insert_with(|| why.to_owned());
    }
}

impl Core {
    /// The site's code of a string that is nowhere stored, while an import to the site is under way.
    pub(in crate::writer) fn code_of_import(
        &mut self,
        site: SiteId,
        column: Column,
        text: &str,
    ) -> Option<u32> {
        self.forget_ended_import();
        let under_way = self.importing.as_mut().filter(|under_way| under_way.site == site)?;
        if under_way.given_up.is_some() {
            return None;
        }
        let code = lock(&under_way.codes).code(column, text, || None);
        match code {
            Ok(code) => Some(code),
            Err(error) => {
                // No room for a note is no reason to refuse an event: the import is void instead.
                under_way.given_up = Some(error.to_string());
                let next = lock(&under_way.codes).next;
                self.take_codes(site, &next);
                None
            }
        }
    }

    /// Goes on counting codes by itself once an import is over.
    pub(in crate::writer) fn forget_ended_import(&mut self) {
        if let Some(ended) = self.importing.take_if(|under_way| !under_way.is_alive())
            && ended.given_up.is_none()
        {
            let next = lock(&ended.codes).next;
            self.take_codes(ended.site, &next);
        }
    }

    fn take_codes(&mut self, site: SiteId, next: &[u32; COLUMN_COUNT]) {
        for (column, &code) in Column::ALL.iter().zip(next) {
            self.next_site_code.insert((site, *column), code);
        }
    }
}
