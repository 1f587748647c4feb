//! What queries need beyond an index, read from the Parquet file before they begin.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::Index;
use crate::error::StorageError;
use crate::schema::Column;
use crate::segment::cold::{ColdColumns, ColdNumber, ColdNumbers, ColdRows, ColdTexts};
use crate::units::{DayUtc, TimestampMs};

/// Which cold columns must be at hand, and for what. Visitors and exact times of single sessions and runs are read
/// when it turns out which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Metadata, tags, event ids, sources.
    pub texts: Vec<Column>,
    /// Numbers.
    pub numbers: Vec<ColdNumber>,
    /// Visitors and exact times of all rows.
    pub all_rows: bool,
    /// Only files that have something in this span need anything.
    pub span: Range<TimestampMs>,
    /// Only files with sessions that were opened on these days.
    pub days: Option<RangeInclusive<DayUtc>>,
}

/// The text columns that are cold.
const COLD_TEXTS: [Column; 4] = [Column::EventMeta, Column::Tags, Column::EventId, Column::Source];
/// All cold numbers.
const COLD_NUMBERS: [ColdNumber; 4] =
    [ColdNumber::EventDuration, ColdNumber::Status, ColdNumber::Received, ColdNumber::UserKey];

impl Needs {
    /// Nothing in this span.
    pub fn nothing(span: Range<TimestampMs>) -> Self {
        Self { texts: Vec::new(), numbers: Vec::new(), all_rows: false, span, days: None }
    }

    /// All of every row: for writing a file anew.
    pub fn everything() -> Self {
        let span = TimestampMs::MIN..TimestampMs::MAX;
        Self { texts: COLD_TEXTS.into(), numbers: COLD_NUMBERS.into(), all_rows: true, span, days: None }
    }

    /// All texts and numbers: for a session that was opened on this day and is moved.
    pub fn of_session(day: DayUtc) -> Self {
        Self { all_rows: false, days: Some(day..=day), ..Self::everything() }
    }

    /// Adds a column, if it is a cold one.
    pub fn add(&mut self, column: Column) {
        if COLD_TEXTS.contains(&column) && !self.texts.contains(&column) {
            self.texts.push(column);
        }
    }
}

/// Cold columns of one lake file, as far as they were needed.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    texts: Vec<(Column, Arc<ColdTexts>)>,
    numbers: Vec<(ColdNumber, Arc<ColdNumbers>)>,
    visitors: Option<Arc<ColdRows<u64>>>,
    times: Option<Arc<ColdRows<i64>>>,
}

impl Loaded {
    /// Reads what is needed of the file that `index` belongs to.
    ///
    /// # Errors
    /// The index or its Parquet file is damaged or could not be read.
    pub fn load(index: &Index, needs: &Needs, cold: &dyn ColdColumns) -> Result<Self, StorageError> {
        let mut loaded = Self::default();
        let touches = index.runs()?.iter().any(|run| {
            run.may_touch(&needs.span) && needs.days.as_ref().is_none_or(|days| days.contains(&run.day_utc()))
        });
        if !touches {
            return Ok(loaded);
        }
        for &column in &needs.texts {
            loaded.texts.push((column, cold.texts(column)?));
        }
        for &number in &needs.numbers {
            loaded.numbers.push((number, cold.numbers(number)?));
        }
        if needs.all_rows {
            let rows = 0..index.row_count();
            loaded.visitors = Some(cold.visitors(rows.clone())?);
            loaded.times = Some(cold.times(rows)?);
        }
        Ok(loaded)
    }

    /// A text column that was loaded.
    pub(super) fn texts(&self, column: Column) -> Option<&ColdTexts> {
        self.texts.iter().find(|(known, _)| *known == column).map(|(_, texts)| &**texts)
    }

    /// A column of numbers that was loaded.
    pub(super) fn numbers(&self, number: ColdNumber) -> Option<&ColdNumbers> {
        self.numbers.iter().find(|(known, _)| *known == number).map(|(_, numbers)| &**numbers)
    }

    /// The visitors of all rows.
    pub(super) fn visitors(&self) -> Option<&ColdRows<u64>> {
        self.visitors.as_deref()
    }

    /// The times of all rows.
    pub(super) fn times(&self) -> Option<&ColdRows<i64>> {
        self.times.as_deref()
    }
}
