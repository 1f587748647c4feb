//! The strings of what is merged, each column's numbered through.

use crate::error::StorageError;
use crate::query::Source;
use crate::schema::Column;
use crate::segment::table::Dictionary;

/// A column's strings in several tables: those of the first, then those of the second, and so on. They stay where they are.
pub(super) struct Strings<'t> {
    /// Each with the number of its first string.
    dictionaries: Vec<(u32, Dictionary<'t>)>,
}

impl<'t> Strings<'t> {
    /// Those of tables.
    ///
    /// # Errors
    /// They are more than 32-bit numbers can tell.
    pub fn new(column: Column, tables: &[Source<'t>]) -> Result<Self, StorageError> {
        let too_many =
            || StorageError::TooLarge { what: format!("there are too many strings of {column:?}") };
        let (mut dictionaries, mut next) = (Vec::with_capacity(tables.len()), 0u32);
        for source in tables {
            let dictionary = source.table.dictionary(column);
            dictionaries.push((next, dictionary));
            let count = u32::try_from(dictionary.len()).map_err(|_| too_many())?;
            next = next.checked_add(count).ok_or_else(too_many)?;
        }
        Ok(Self { dictionaries })
    }

    /// The number of a string of a table, by its local code.
    pub fn number(&self, table: usize, local: u32) -> u32 {
        self.dictionaries.get(table).map_or(0, |(first, _)| first + local)
    }

    /// The string with a number.
    pub fn get(&self, number: u32) -> &'t str {
        let behind = self.dictionaries.partition_point(|&(first, _)| first <= number);
        let dictionary = behind.checked_sub(1).and_then(|at| self.dictionaries.get(at));
        dictionary.map_or("", |(first, dictionary)| dictionary.get(number - first))
    }
}
