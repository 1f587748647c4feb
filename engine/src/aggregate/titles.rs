//! Entries by path and title, as what they add to the entries by path. Most pages have one title, under which they have
//! the same numbers, and where sessions began, ended or had events it is the same title again.
//!
//! ```text
//! for each entry by path: varint, how many titles it has
//! for each of those: varint, 0 for the title that the path has alone among page views, else 1 + the zigzag-coded
//!     difference of the title's code to the one before that was written so: titles and paths often ascend together
//! then columns of numbers as in `entries`, for the titles of paths that have several
//! ```

use std::ops::Range;

use super::entries::{Columns, Counted, Entries, Period, column, decode_numbers, encode_numbers};
use super::specs::{Spec, Sums};
use crate::codec::{Malformed, Reader, Writer};
use crate::query::Tally;

/// Writes the entries of a grouping by path and title; `by_path` are those without titles, `pages` those of page views
/// with titles, unless these are they. `None` when they do not go together.
pub(super) fn encode(
    spec: &Spec,
    periods: &[Counted],
    by_path: &[Counted],
    pages: Option<&[Counted]>,
) -> Option<Vec<u8>> {
    let (mut counts, mut titles) = (Writer::new(), Writer::new());
    let mut several: Vec<&Tally> = Vec::new();
    let mut before = 0;
    for (at, (period, plain)) in periods.iter().zip(by_path).enumerate() {
        let alone = pages.and_then(|pages| pages.get(at)).map_or(Vec::new(), |pages| {
            alone(pages.2.len(), |entry| pages.2[entry].key[0], |entry| pages.2[entry].key[1])
        });
        let mut plain = plain.2.iter();
        for own in period.2.chunk_by(|a, b| a.key[0] == b.key[0]) {
            let path = own.first()?.key[0];
            plain.next().filter(|tally| tally.key[0] == path)?;
            counts.varint(own.len() as u64);
            for tally in own {
                if title_of(&alone, path) == Some(tally.key[1]) {
                    titles.varint(0);
                    continue;
                }
                let difference = i64::from(tally.key[1]) - before;
                titles.varint(1 + ((difference << 1) ^ (difference >> 63)) as u64);
                before = i64::from(tally.key[1]);
            }
            if own.len() > 1 {
                several.extend(own);
            }
        }
        if plain.next().is_some() {
            return None;
        }
    }
    let mut out = counts;
    out.raw(titles.as_slice());
    encode_numbers(&mut out, spec.sums, &|| Box::new(several.iter().copied()));
    Some(out.into_vec())
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(
    spec: &Spec,
    by_path: &Entries,
    pages: Option<&Entries>,
    bytes: &[u8],
) -> Result<Entries, Malformed> {
    let mut reader = Reader::new(bytes);
    let counts: Vec<u32> = column(&mut reader, by_path.columns.len(), |reader, _| reader.varint())?;
    let title_count: usize = counts.iter().map(|&count| count as usize).sum();
    if title_count > reader.remaining() {
        return Err(reader.malformed("more titles than bytes"));
    }
    let titles: Vec<u64> = column(&mut reader, title_count, |reader, _| reader.varint())?;
    let mut several = Columns::default();
    let several_count = counts.iter().filter(|&&count| count > 1).map(|&count| count as usize).sum();
    decode_numbers(&mut reader, spec.sums, several_count, &mut several)?;
    reader.finish()?;
    let mut entries = Entries::default();
    let columns = &mut entries.columns;
    let with_sums = spec.sums != Sums::None;
    columns.keys = vec![Vec::new(), Vec::new()];
    let (mut titles, mut before) = (titles.into_iter(), 0i64);
    let mut next_several = 0..several_count;
    for period in &by_path.periods {
        let alone = alone_in(pages, &period.span);
        let first = columns.len();
        for entry in period.entries.clone() {
            let count = counts.get(entry).copied().unwrap_or(0);
            let path = by_path.columns.key(entry)[0];
            for title in titles.by_ref().take(count as usize) {
                let title = match title.checked_sub(1) {
                    Some(zigzag) => {
                        let difference = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
                        before = before.wrapping_add(difference);
                        u32::try_from(before).map_err(|_| reader.malformed("a title out of range"))?
                    }
                    None => title_of(&alone, path).ok_or(reader.malformed("a title that nothing tells"))?,
                };
                columns.keys[0].push(path);
                columns.keys[1].push(title);
                match if count > 1 { next_several.next() } else { None } {
                    Some(own) => columns.push_numbers(&several, own, with_sums),
                    None => columns.push_numbers(&by_path.columns, entry, with_sums),
                }
            }
        }
        entries.periods.push(Period { span: period.span.clone(), entries: first..columns.len() });
    }
    Ok(entries)
}

/// The paths that have one title each, ascending.
fn alone_in(pages: Option<&Entries>, span: &Range<i64>) -> Vec<(u32, u32)> {
    let Some(pages) = pages else { return Vec::new() };
    let Some(period) = pages.periods.iter().find(|period| period.span == *span) else { return Vec::new() };
    let first = period.entries.start;
    alone(period.entries.len(), |at| pages.columns.key(first + at)[0], |at| pages.columns.key(first + at)[1])
}

fn alone(count: usize, path: impl Fn(usize) -> u32, title: impl Fn(usize) -> u32) -> Vec<(u32, u32)> {
    let is_alone = |at: &usize| {
        (*at == 0 || path(at - 1) != path(*at)) && (at + 1 == count || path(at + 1) != path(*at))
    };
    (0..count).filter(is_alone).map(|at| (path(at), title(at))).collect()
}

fn title_of(alone: &[(u32, u32)], path: u32) -> Option<u32> {
    let at = alone.binary_search_by_key(&path, |pair| pair.0).ok()?;
    alone.get(at).map(|pair| pair.1)
}
