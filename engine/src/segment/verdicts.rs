//! What tests of texts have said of a site's strings, kept for the next query: a dashboard asks dozens with one filter.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::schema::Column;
use crate::units::SegmentId;

/// Bytes of verdicts that are kept, of all sites.
const BYTES_MAX: usize = 8 << 20;
/// A test of so many strings that it would displace most of the others is not kept.
const TEST_BYTES_MAX: usize = BYTES_MAX / 2;

/// The verdicts of one test of a column's strings, by their codes.
#[derive(Debug)]
pub struct Verdicts {
    /// 0 until it is known, then 1 more than the verdict.
    of_codes: Box<[AtomicU8]>,
}

/// The tests whose verdicts are kept, the ones used last.
#[derive(Debug, Default)]
pub struct VerdictMemory {
    kept: Mutex<VecDeque<Kept>>,
}

#[derive(Debug)]
struct Kept {
    dictionary: SegmentId,
    column: Column,
    test: String,
    verdicts: Arc<Verdicts>,
}

impl Verdicts {
    /// None yet of codes up to the greatest.
    pub fn new(greatest: u32) -> Self {
        Self { of_codes: (0..=greatest).map(|_| AtomicU8::new(0)).collect() }
    }

    /// The verdict on the string of a code, which is found out unless it is known.
    ///
    /// # Errors
    /// That of finding out.
    #[inline]
    pub fn or_find<E>(&self, code: u32, find: impl FnOnce() -> Result<bool, E>) -> Result<bool, E> {
        let place = self.of_codes.get(code as usize);
        match place.map(|known| known.load(Ordering::Relaxed)) {
            Some(known) if known != 0 => return Ok(known == 2),
            _ => {}
        }
        let verdict = find()?;
        if let Some(known) = place {
            known.store(1 + u8::from(verdict), Ordering::Relaxed);
        }
        Ok(verdict)
    }
}

impl VerdictMemory {
    /// The verdicts of the test with this name on the strings of a dictionary's column, whose greatest code is given.
    pub fn of(&self, dictionary: SegmentId, column: Column, test: &str, greatest: u32) -> Arc<Verdicts> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |kept: &Kept| kept.dictionary == dictionary && kept.column == column && kept.test == test;
        let found = kept.iter().position(is_it).and_then(|at| kept.remove(at)).unwrap_or_else(|| {
            let verdicts = Arc::new(Verdicts::new(greatest));
            Kept { dictionary, column, test: test.to_owned(), verdicts }
        });
        let verdicts = found.verdicts.clone();
        if found.byte_count() <= TEST_BYTES_MAX {
            kept.push_back(found);
        }
        let mut bytes: usize = kept.iter().map(Kept::byte_count).sum();
        while bytes > BYTES_MAX {
            bytes -= kept.pop_front().map_or(bytes, |oldest| oldest.byte_count());
        }
        verdicts
    }
}

impl Kept {
    fn byte_count(&self) -> usize {
        size_of::<Self>() + self.test.len() + self.verdicts.of_codes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_string_is_tested_once_by_each_test() {
        let memory = VerdictMemory::default();
        let of = |dictionary, column, test| memory.of(SegmentId(dictionary), column, test, 9);
        for (number, (dictionary, column, test)) in
            [(1, Column::Path, "a"), (1, Column::Path, "b"), (1, Column::Title, "a"), (2, Column::Path, "a")]
                .into_iter()
                .enumerate()
        {
            let verdict = number % 2 == 0;
            let verdicts = of(dictionary, column, test);
            assert_eq!(verdicts.or_find(7, || Err(())), Err(()), "nothing is known of what failed");
            assert_eq!(verdicts.or_find(7, || Ok::<_, ()>(verdict)), Ok(verdict));
            assert_eq!(of(dictionary, column, test).or_find(7, || Err(())), Ok(verdict));
            assert_eq!(of(dictionary, column, test).or_find(10, || Ok::<_, ()>(true)), Ok(true));
            assert_eq!(of(dictionary, column, test).or_find(10, || Err(())), Err(()), "too far to be kept");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let memory = VerdictMemory::default();
        let of = |test: &str| memory.of(SegmentId(1), Column::Path, test, (TEST_BYTES_MAX / 2) as u32);
        for test in ["a", "b", "c", "d", "e"] {
            of(test).or_find(1, || Ok::<_, ()>(true)).unwrap();
        }
        assert_eq!(of("e").or_find(1, || Err(())), Ok(true));
        assert_eq!(of("a").or_find(1, || Err(())), Err(()), "it was displaced");
        let huge = |test| memory.of(SegmentId(1), Column::Path, test, TEST_BYTES_MAX as u32);
        huge("f").or_find(1, || Ok::<_, ()>(true)).unwrap();
        assert_eq!(huge("f").or_find(1, || Err(())), Err(()));
        assert_eq!(of("e").or_find(1, || Err(())), Ok(true), "it displaced nothing");
    }
}
