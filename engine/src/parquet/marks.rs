//! Tells equal texts of a batch by what they lie in, not by their bytes: a value that a page's dictionary has once is
//! one place in memory, however many rows have it, and short texts are their own views. So who needs something for each
//! text (its code, its validity) finds it once a batch.

use arrow_buffer::NullBuffer;

use super::read::BATCH_ROWS;

/// One more than the greatest mark: that of no text, and one for each row.
pub(super) const COUNT: usize = BATCH_ROWS + 1;

/// Places of the table, of which at most half are taken.
const PLACES: usize = (2 * BATCH_ROWS).next_power_of_two();
const _: () = assert!(COUNT <= NONE as usize, "marks have 16 bits");

/// Stands for nothing: the row's text has no mark.
const NONE: u16 = u16::MAX;

/// The marks of a column.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Of each row; 0 for an empty text, [`NONE`]. Empty when all rows are empty.
    of_rows: Vec<u16>,
    /// Bytes of the longest text.
    pub longest: usize,
    /// The first row of each mark but 0.
    pub firsts: Vec<u32>,
}

/// What is needed to mark columns, one after the other.
pub(super) struct Marker {
    /// Marks by the hash of the view.
    places: Vec<u16>,
}

impl Marker {
    pub fn new() -> Self {
        Self { places: vec![0; PLACES] }
    }

    /// Marks the texts that views stand for: the length in the lower 32 bits, and where it is, or what.
    pub fn mark(&mut self, views: &[u128], nulls: Option<&NullBuffer>) -> Marks {
        let mut marks = Marks { of_rows: vec![0; views.len()], ..Marks::default() };
        let (mut last, mut last_mark) = (0, 0);
        for (row, (&view, own)) in views.iter().zip(&mut marks.of_rows).enumerate() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) || view as u32 == 0 {
                continue;
            }
            if view != last {
                (last, last_mark) = (view, self.find(views, &mut marks.firsts, row, view));
            }
            *own = last_mark;
        }
        // Only what was written is wiped.
        for &first in &marks.firsts {
            let view = views.get(first as usize).copied().unwrap_or(0);
            marks.longest = marks.longest.max(view as u32 as usize);
            self.wipe(view);
        }
        if marks.firsts.is_empty() {
            marks.of_rows = Vec::new();
        }
        marks
    }

    /// The mark of a view, which gets one when it has none.
    fn find(&mut self, views: &[u128], firsts: &mut Vec<u32>, row: usize, view: u128) -> u16 {
        let mut at = place(view);
        loop {
            let Some(found) = self.places.get_mut(at) else { return 0 };
            if *found == 0 {
                firsts.push(row as u32);
                *found = firsts.len() as u16;
                return *found;
            }
            let first = firsts.get(usize::from(*found) - 1).and_then(|&first| views.get(first as usize));
            if first == Some(&view) {
                return *found;
            }
            at = (at + 1) % PLACES;
        }
    }

    /// Frees the places from that of a view to the next free one: all that was written is wiped in this way.
    fn wipe(&mut self, view: u128) {
        let mut at = place(view);
        while let Some(found) = self.places.get_mut(at).filter(|found| **found != 0) {
            *found = 0;
            at = (at + 1) % PLACES;
        }
    }
}

fn place(view: u128) -> usize {
    let mixed = (view as u64 ^ (view >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as usize % PLACES
}

impl Marks {
    /// Tells empty texts from others, which get no marks.
    pub fn of_empty(rows: usize, is_empty: impl Fn(usize) -> bool) -> Self {
        let of_rows = (0..rows).map(|row| if is_empty(row) { 0 } else { NONE }).collect();
        Self { of_rows, ..Self::default() }
    }

    /// The mark of a row, if it has one; 0 for an empty text.
    pub fn of(&self, row: usize) -> Option<u16> {
        Some(self.of_rows.get(row).copied().unwrap_or(0)).filter(|&mark| mark != NONE)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, StringViewArray};

    use super::*;

    #[test]
    fn equal_marks_are_equal_texts() {
        let texts: Vec<Option<String>> = (0..BATCH_ROWS)
            .map(|row| match row % 5 {
                0 => None,
                1 => Some(String::new()),
                2 => Some(format!("/{}", row % 300)),
                3 => Some(format!("a text that is not in its view {}", row % 7)),
                _ => Some(format!("{row} texts that come but once")),
            })
            .collect();
        let array = StringViewArray::from_iter(texts.iter().map(Option::as_deref));
        let mut marker = Marker::new();
        for _ in 0..2 {
            let marks = marker.mark(array.views(), array.nulls());
            assert_eq!(marks.longest, texts.iter().flatten().map(String::len).max().unwrap());
            let mut known = vec![None; COUNT];
            for (row, text) in texts.iter().enumerate() {
                let text = text.as_deref().unwrap_or("");
                let mark = marks.of(row).unwrap();
                assert_eq!(mark == 0, text.is_empty());
                assert_eq!(*known[usize::from(mark)].get_or_insert(text), text);
            }
            assert!(marker.places.iter().all(|&place| place == 0), "what is left mixes up the next column");
        }
        let none = marker.mark(&[0; 100], None);
        assert_eq!((none.of(3), none.longest, none.of_rows.len()), (Some(0), 0, 0));
        let some = Marks::of_empty(2, |row| row == 0);
        assert_eq!((some.of(0), some.of(1), some.longest), (Some(0), None, 0));
    }
}
