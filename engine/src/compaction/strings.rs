//! The strings of what is merged, each column's numbered through.

use crate::error::StorageError;
use crate::query::Source;
use crate::schema::Column;
use crate::segment::table::Dictionary;

/// A column's strings in several tables: those of the first, then those of the second, and so on. They stay where they are.
pub(super) struct TableStrings<'t> {
    /// Each with the number of its first string.
    dictionaries: Vec<(u32, Dictionary<'t>)>,
}

impl<'t> TableStrings<'t> {
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

    /// The bytes of the string with a number.
    pub fn get(&self, number: u32) -> &'t [u8] {
        let behind = self.dictionaries.partition_point(|&(first, _)| first <= number);
        let dictionary = behind.checked_sub(1).and_then(|at| self.dictionaries.get(at));
        dictionary.map_or(&[], |(first, dictionary)| dictionary.get_bytes(number - first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;
    use crate::query::testdata::{OwnedTable, PlainRow, PlainSession, SiteCodes, TextMap};

    fn table(paths: &[&str], codes: &mut SiteCodes) -> OwnedTable {
        let session = |(n, path): (u32, &&str)| {
            let row = PlainRow {
                time: i64::from(n),
                kind: Kind::PageView,
                texts: TextMap::from([(Column::Path, (*path).to_owned())]),
                meta: Vec::new(),
                tags: Vec::new(),
                event_duration: None,
            };
            (PlainSession::numbered(n, 0, u32::MAX, TextMap::new(), vec![row]), false)
        };
        OwnedTable::new(&(0..).zip(paths).map(session).collect::<Vec<_>>(), codes, 4)
    }

    #[test]
    fn each_string_of_each_table_has_its_number() {
        let mut codes = SiteCodes::new(1);
        let tables =
            [&["/a", "/b"][..], &[""], &[], &["/b", "/é", "/c"], &[""]].map(|paths| table(paths, &mut codes));
        let sources: Vec<Source<'_>> = tables.iter().map(OwnedTable::source).collect();
        let strings = TableStrings::new(Column::Path, &sources).unwrap();
        let mut numbers = Vec::new();
        for (table, source) in sources.iter().enumerate() {
            let dictionary = source.table.dictionary(Column::Path);
            for local in 0..dictionary.len() as u32 {
                let number = strings.number(table, local);
                assert_eq!(strings.get(number), dictionary.get(local).as_bytes(), "{table} {local}");
                numbers.push(number);
            }
        }
        assert!(numbers.iter().copied().eq(0..numbers.len() as u32), "{numbers:?}");
        assert!(numbers.len() > 5);
    }
}
