//! Lines out of chunks of bytes, and the list of those that are refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bytes of a line.
const LINE_BYTES_MAX: usize = 4 << 20;
/// Refused lines of a file that are told one by one.
const TOLD_MAX: usize = 20;
/// Reasons that are counted one by one beyond these.
const REASONS_MAX: usize = 50;
/// All further reasons.
const OTHER: &str = "other reasons";

/// A line or row that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Its number, the first being 1.
    pub number: u64,
    /// Why.
    pub reason: String,
}

/// The refused lines of a file, bounded.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    count: u64,
    told: usize,
    untold: Vec<Rejected>,
    more: BTreeMap<String, u64>,
}

impl Rejections {
    pub(super) fn add(&mut self, number: u64, reason: String) {
        self.count += 1;
        if self.told < TOLD_MAX {
            self.told += 1;
            self.untold.push(Rejected { number, reason });
        } else if self.more.len() < REASONS_MAX || self.more.contains_key(&reason) {
            *self.more.entry(reason).or_default() += 1;
        } else {
            *self.more.entry(OTHER.into()).or_default() += 1;
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Those that have come since the last time.
    pub(super) fn take(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.untold)
    }

    /// How many there are beyond those that are told one by one, by reason.
    pub(super) fn more(self) -> Vec<(String, u64)> {
        self.more.into_iter().collect()
    }
}

/// A line, or why it is none.
pub(super) type Line<'a> = Result<&'a [u8], &'static str>;

/// Cuts chunks into lines.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// The beginning of a line that has not ended.
    rest: Vec<u8>,
    too_long: bool,
    number: u64,
}

impl Splitter {
    /// Hands on the lines that have ended, with their numbers; a carriage return at the end is not part of one.
    pub(super) fn feed<E>(
        &mut self,
        mut bytes: &[u8],
        take: &mut dyn FnMut(u64, Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, after) = bytes.split_at(end);
            bytes = after.get(1..).unwrap_or_default();
            if self.rest.is_empty() && !self.too_long {
                self.number += 1;
                take(self.number, checked(line))?;
            } else {
                self.keep(line);
                self.end(take)?;
            }
        }
        self.keep(bytes);
        Ok(())
    }

    /// Hands on the last line, when it has no end.
    pub(super) fn finish<E>(
        &mut self,
        take: &mut dyn FnMut(u64, Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.rest.is_empty() && !self.too_long { Ok(()) } else { self.end(take) }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.too_long |= self.rest.len() + bytes.len() > LINE_BYTES_MAX;
        if self.too_long {
            self.rest = Vec::new();
        } else {
            self.rest.extend_from_slice(bytes);
        }
    }

    fn end<E>(&mut self, take: &mut dyn FnMut(u64, Line<'_>) -> Result<(), E>) -> Result<(), E> {
        self.number += 1;
        let (line, too_long) = (std::mem::take(&mut self.rest), std::mem::take(&mut self.too_long));
        take(self.number, if too_long { TOO_LONG } else { checked(&line) })
    }
}

const TOO_LONG: Line<'static> = Err("it is longer than 4 MiB");

fn checked(line: &[u8]) -> Line<'_> {
    if line.len() > LINE_BYTES_MAX { TOO_LONG } else { Ok(line.strip_suffix(b"\r").unwrap_or(line)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_the_bytes_are_cut() {
        let text = "one\r\n\nthree é\nlast".as_bytes();
        let wanted = [(1, "one"), (2, ""), (3, "three é"), (4, "last")];
        for size in 1..=text.len() {
            let mut found = Vec::new();
            let mut splitter = Splitter::default();
            let mut take = |number, line: Line<'_>| -> Result<(), ()> {
                found.push((number, String::from_utf8(line.unwrap().to_vec()).unwrap()));
                Ok(())
            };
            text.chunks(size).for_each(|chunk| splitter.feed(chunk, &mut take).unwrap());
            splitter.finish(&mut take).unwrap();
            let found: Vec<_> = found.iter().map(|(number, line)| (*number, line.as_str())).collect();
            assert_eq!(found, wanted, "chunks of {size}");
        }
    }

    #[test]
    fn a_line_without_end_costs_no_other() {
        let mut splitter = Splitter::default();
        let mut found = Vec::new();
        let mut take = |number, line: Line<'_>| -> Result<(), ()> {
            found.push((number, line.is_ok()));
            Ok(())
        };
        let long = vec![b'x'; LINE_BYTES_MAX / 2 + 1];
        for chunk in [&b"a\n"[..], &long, &long, b"\nb\n", &[&long[..], &long, b"\nc"].concat()] {
            splitter.feed(chunk, &mut take).unwrap();
        }
        splitter.finish(&mut take).unwrap();
        assert_eq!(found, [(1, true), (2, false), (3, true), (4, false), (5, true)]);
    }

    #[test]
    fn rejections_are_bounded() {
        let mut rejections = Rejections::default();
        for number in 0..1_000 {
            rejections.add(number, format!("reason {}", number % 100));
        }
        assert_eq!(
            (rejections.count(), rejections.take().len(), rejections.take().len()),
            (1_000, TOLD_MAX, 0)
        );
        let more = rejections.more();
        assert_eq!(more.len(), REASONS_MAX + 1);
        assert_eq!(more.iter().map(|(_, count)| count).sum::<u64>(), 1_000 - TOLD_MAX as u64);
    }
}
