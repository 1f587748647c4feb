//! What tests of texts have said: of a site's strings each is tested once in a query, in however many sources it is.

use std::collections::HashMap;

/// Verdicts are kept for site codes below this. Codes count up from 1, so there are hardly ever others.
const CODES_MAX: usize = 1 << 24;

/// Which test of a filter it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TestOf {
    /// That of an attribute, by its number in the filter.
    Attribute(usize),
    /// That of a row's text.
    Row(usize),
    /// That of the entry page.
    Entry,
    /// That of the exit page.
    Exit,
    /// That of an event's name.
    Event(usize),
}

/// The verdicts of a query's tests.
#[derive(Default)]
pub(super) struct Verdicts {
    of_tests: HashMap<TestOf, Known>,
}

/// The verdicts of one test.
#[derive(Default)]
pub(super) struct Known {
    /// For each site code, 0 until it is known, then 1 more than the verdict.
    of_codes: Vec<u8>,
}

impl Verdicts {
    /// Those of a test.
    pub fn of(&mut self, test: TestOf) -> &mut Known {
        self.of_tests.entry(test).or_default()
    }
}

impl Known {
    /// The verdict on the string of a site code, which is found out unless it is known.
    pub fn or_find<E>(&mut self, site_code: u32, find: impl FnOnce() -> Result<bool, E>) -> Result<bool, E> {
        let at = site_code as usize;
        match self.of_codes.get(at) {
            Some(&known) if known != 0 => return Ok(known == 2),
            None if at < CODES_MAX => self.of_codes.resize(at + 1, 0),
            _ => {}
        }
        let verdict = find()?;
        if let Some(known) = self.of_codes.get_mut(at) {
            *known = 1 + u8::from(verdict);
        }
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_string_is_tested_once_by_each_test() {
        let mut verdicts = Verdicts::default();
        for (test, code, verdict) in
            [(TestOf::Entry, 7, true), (TestOf::Exit, 7, false), (TestOf::Entry, 3, false)]
        {
            let known = verdicts.of(test);
            assert_eq!(known.or_find(code, || Ok::<_, ()>(verdict)), Ok(verdict));
            assert_eq!(known.or_find(code, || Err(())), Ok(verdict));
        }
        let known = verdicts.of(TestOf::Row(1));
        assert_eq!(known.or_find(5, || Err(())), Err(()), "nothing is known of what failed");
        assert_eq!(known.or_find(5, || Ok::<_, ()>(true)), Ok(true));
        let far = CODES_MAX as u32;
        assert_eq!(known.or_find(far, || Ok::<_, ()>(true)), Ok(true));
        assert_eq!(known.or_find(far, || Err(())), Err(()), "too far to be kept");
    }
}
