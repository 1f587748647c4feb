//! Masks of tests: which codes of a source's dictionary pass.

use std::sync::Arc;

use super::TextTest;
use super::guard::Guard;
use super::verdicts::Known;
use crate::error::QueryError;
use crate::scan::bits::Bits;
use crate::scan::mask::Mask;
use crate::segment::table::Dictionary;
use crate::segment::verdicts::Verdicts;

/// Codes that are looked at before it is checked whether the query is to stop.
const CODES_A_CHECK: usize = 1024;

/// Where verdicts on strings are kept: by their site codes, or by those of a file whose strings have none.
pub(super) enum Kept<'k> {
    /// Nowhere.
    Nowhere,
    /// As long as the query runs.
    InQuery(&'k mut Known),
    /// Beyond the query.
    Beyond(Arc<Verdicts>),
}

impl<'k> Kept<'k> {
    /// Where those of a test on the strings of a dictionary are kept.
    pub fn of(dictionary: Dictionary<'_>, test: &TextTest, in_query: impl FnOnce() -> &'k mut Known) -> Self {
        match test.name().and_then(|name| dictionary.verdicts(name)) {
            Some(verdicts) => Self::Beyond(verdicts),
            None if dictionary.has_site_codes() => Self::InQuery(in_query()),
            None => Self::Nowhere,
        }
    }

    fn or_find(
        &mut self,
        site_code: Option<u32>,
        find: impl FnOnce() -> Result<bool, QueryError>,
    ) -> Result<bool, QueryError> {
        match (self, site_code) {
            (Self::InQuery(known), Some(site_code)) => known.or_find(site_code, find),
            (Self::Beyond(verdicts), Some(site_code)) => verdicts.or_find(site_code, find),
            _ => find(),
        }
    }
}

/// The mask of a test for some texts: these are looked up. `None` for other tests.
pub(super) fn of_texts(dictionary: Dictionary<'_>, test: &TextTest) -> Option<Mask> {
    let mut codes = test.texts()?.iter().filter_map(|text| dictionary.find(text)).peekable();
    if codes.peek().is_none() {
        return Some(Mask::Never);
    }
    let mut entries = vec![false; dictionary.len().max(1)];
    codes.for_each(|code| entries.get_mut(code as usize).into_iter().for_each(|entry| *entry = true));
    Some(Mask::of(entries, |_| true))
}

/// The mask of a test that is applied to all codes.
///
/// # Errors
/// The query is to stop.
pub(super) fn of_all<'k>(
    dictionary: Dictionary<'_>,
    test: &TextTest,
    in_query: impl FnOnce() -> &'k mut Known,
    guard: &mut Guard<'_>,
) -> Result<Mask, QueryError> {
    match of_texts(dictionary, test) {
        Some(mask) => Ok(mask),
        None => {
            let kept = Kept::of(dictionary, test, in_query);
            of_test(dictionary, None, &|text| test.holds(text), kept, guard)
        }
    }
}

/// The mask of a test. Only codes that matter are tested (`None`: all).
///
/// # Errors
/// The query is to stop.
pub(super) fn of_test(
    dictionary: Dictionary<'_>,
    matters: Option<&Bits>,
    test: &dyn Fn(&str) -> bool,
    mut kept: Kept<'_>,
    guard: &mut Guard<'_>,
) -> Result<Mask, QueryError> {
    let code_count = dictionary.len().max(1);
    let matters = |code: usize| matters.is_none_or(|bits| bits.contains(code));
    let mut entries = vec![false; code_count];
    for (number, chunk) in entries.chunks_mut(CODES_A_CHECK).enumerate() {
        guard.spend(chunk.len())?;
        for (code, entry) in (number * CODES_A_CHECK..).zip(chunk) {
            if !matters(code) {
                continue;
            }
            let key = match dictionary.has_site_codes() {
                true => dictionary.site_codes.get(code).copied(),
                // The texts of a cold column are those of its file.
                false => Some(code as u32),
            };
            *entry = kept.or_find(key, || {
                let text = dictionary.get(code as u32);
                guard.spend_on(&[text])?;
                Ok(test(text))
            })?;
        }
    }
    Ok(Mask::of(entries, matters))
}
