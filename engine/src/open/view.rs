//! Sorted views of the open segment: the same bytes as a sealed segment, in memory.
//!
//! A site's view is a *base*, made now and then from all its rows, and a *tail* of the sessions that have rows since:
//! these are hidden in the base and built anew, whole. So a query costs a scan of what came since the base, and the
//! seal is the same code over everything.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use roaring::RoaringBitmap;

use super::arena::{ArenaReader, Watermark};
use crate::error::StorageError;
use crate::schema::{ATTRIBUTE_COUNT, Column};
use crate::segment::Segment;
use crate::segment::build::{ColumnContent, TableContent, write_site};
use crate::segment::layout::FileWriter;
use crate::segment::sink::Sink;
use crate::segment::table::{FLAG_GIVEN_ID, NO_ROW};
use crate::units::{SegmentId, SiteId};
use crate::vfs::Bytes;

/// A tail of fewer rows than this is never worth a new base.
const TAIL_ROWS_MIN: usize = 4_096;
/// The base is made anew when the tail has more than one in this many of its rows.
const TAIL_SHARE: usize = 6;

/// One part of a site's view: a segment in memory and which of its sessions to leave out.
#[derive(Clone)]
pub(crate) struct ViewPart {
    pub(crate) segment: Arc<Segment>,
    pub(crate) hidden: Arc<RoaringBitmap>,
}

/// The views of the sites, made when asked for.
#[derive(Default)]
pub(crate) struct SiteViews {
    sites: Mutex<HashMap<SiteId, Arc<SiteView>>>,
}

/// Some sessions of one site, sorted: the segment, and where each session (by ordinal) is in it.
struct Part {
    segment: Arc<Segment>,
    /// (ordinal, index in the segment), sorted.
    positions: Vec<(u32, u32)>,
}

/// A site's view at a watermark.
struct SiteView {
    watermark: Watermark,
    base_rows: usize,
    base: Arc<Part>,
    tail: Option<Arc<Part>>,
    /// Sessions of the base that are in the tail.
    replaced: RoaringBitmap,
}

impl ArenaReader {
    /// The parts that show the site's sessions at `watermark`, without those whose ordinal is in `moved`.
    pub(crate) fn view(
        &self,
        site: SiteId,
        watermark: Watermark,
        moved: &RoaringBitmap,
    ) -> Result<Vec<ViewPart>, StorageError> {
        let known = self.lock_views().get(&site).cloned();
        let view = match known {
            Some(view) if view.watermark == watermark => view,
            Some(view) if view.base_rows <= watermark.rows => {
                self.remember(site, self.advance(site, &view, watermark)?)
            }
            // A query with an older snapshot than the view: it pays for its own.
            Some(_) => Arc::new(self.fresh(site, watermark)?),
            None => self.remember(site, self.fresh(site, watermark)?),
        };
        Ok(view.parts(moved))
    }

    fn lock_views(&self) -> std::sync::MutexGuard<'_, HashMap<SiteId, Arc<SiteView>>> {
        self.views.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, site: SiteId, view: SiteView) -> Arc<SiteView> {
        let view = Arc::new(view);
        let mut sites = self.lock_views();
        let newer = sites.get(&site).is_none_or(|known| known.watermark.rows < view.watermark.rows);
        if newer {
            sites.insert(site, view.clone());
        }
        view
    }

    fn fresh(&self, site: SiteId, watermark: Watermark) -> Result<SiteView, StorageError> {
        let rows = self.rows_of_site(site, watermark);
        let base_rows = watermark.rows;
        let base = Arc::new(self.part(site, rows)?);
        Ok(SiteView { watermark, base_rows, base, tail: None, replaced: RoaringBitmap::new() })
    }

    fn advance(
        &self,
        site: SiteId,
        known: &SiteView,
        watermark: Watermark,
    ) -> Result<SiteView, StorageError> {
        let rows = self.rows_of_touched(site, known.base_rows, watermark);
        let base_size = known.base.segment.row_count() as usize;
        if rows.len() > TAIL_ROWS_MIN.max(base_size / TAIL_SHARE) {
            return self.fresh(site, watermark);
        }
        let mut replaced = RoaringBitmap::new();
        for &(ordinal, _) in &rows {
            replaced.extend(known.base.position(ordinal));
        }
        let tail = if rows.is_empty() { None } else { Some(Arc::new(self.part(site, rows)?)) };
        Ok(SiteView { watermark, base_rows: known.base_rows, base: known.base.clone(), tail, replaced })
    }

    /// (session, row) of all rows of the site, in arrival order.
    fn rows_of_site(&self, site: SiteId, watermark: Watermark) -> Vec<(u32, u32)> {
        let sites = self.site.slice(watermark.sessions);
        let sessions = self.session.slice(watermark.rows);
        let of_site = |&(_, ordinal): &(usize, &u32)| sites.get(*ordinal as usize) == Some(&site.0);
        sessions.iter().enumerate().filter(of_site).map(|(row, &ordinal)| (ordinal, row as u32)).collect()
    }

    /// (session, row) of all rows of those sessions of the site that have a row since `from`.
    fn rows_of_touched(&self, site: SiteId, from: usize, watermark: Watermark) -> Vec<(u32, u32)> {
        let sites = self.site.slice(watermark.sessions);
        let sessions = self.session.slice(watermark.rows);
        let previous = self.previous.slice(watermark.rows);
        let mut seen = RoaringBitmap::new();
        let mut rows = Vec::new();
        for (row, &ordinal) in sessions.iter().enumerate().skip(from).rev() {
            if sites.get(ordinal as usize) != Some(&site.0) || !seen.insert(ordinal) {
                continue;
            }
            let mut at = row as u32;
            while at != NO_ROW {
                rows.push((ordinal, at));
                at = previous.get(at as usize).copied().unwrap_or(NO_ROW);
            }
        }
        rows
    }

    fn part(&self, site: SiteId, rows: Vec<(u32, u32)>) -> Result<Part, StorageError> {
        let mut out = FileWriter::new(SegmentId(0));
        let ordinals = self.write_table(&mut out, site, rows, false);
        let bytes = Bytes::from_vec(out.finish());
        let segment = Arc::new(Segment::open(Path::new("(memory)"), bytes)?);
        let mut positions: Vec<(u32, u32)> =
            ordinals.iter().enumerate().map(|(index, &ordinal)| (ordinal, index as u32)).collect();
        positions.sort_unstable();
        Ok(Part { segment, positions })
    }

    /// Writes a sealed segment with all sessions but `left_out`. `None` when there are none: nothing is written.
    pub(crate) fn seal<S: Sink>(
        &self,
        id: SegmentId,
        watermark: Watermark,
        left_out: &RoaringBitmap,
        out: S,
    ) -> Option<S> {
        let sites = self.site.slice(watermark.sessions);
        let mut by_site: std::collections::BTreeMap<u32, Vec<(u32, u32)>> = std::collections::BTreeMap::new();
        for (row, &ordinal) in self.session.slice(watermark.rows).iter().enumerate() {
            if !left_out.contains(ordinal) {
                let site = sites.get(ordinal as usize).copied().unwrap_or(0);
                by_site.entry(site).or_default().push((ordinal, row as u32));
            }
        }
        if by_site.is_empty() {
            return None;
        }
        let mut out = FileWriter::to(id, out);
        for (site, rows) in by_site {
            self.write_table(&mut out, SiteId(site), rows, true);
        }
        Some(out.finish())
    }

    /// Writes the rows as one site's table; returns the sessions' ordinals in the table's order.
    fn write_table<S: Sink>(
        &self,
        out: &mut FileWriter<S>,
        site: SiteId,
        mut rows: Vec<(u32, u32)>,
        with_postings: bool,
    ) -> Vec<u32> {
        let times = self.time.slice(usize::MAX);
        let time_of = |row: u32| times.get(row as usize).copied().unwrap_or(0);
        let mut ordinals: Vec<u32> = rows.iter().map(|&(ordinal, _)| ordinal).collect();
        ordinals.sort_unstable();
        ordinals.dedup();
        ordinals.sort_by_cached_key(|&ordinal| {
            let key = self.key(ordinal);
            (key.session.day(), key.visitor, key.session)
        });
        let mut rank = vec![0u32; self.site.slice(usize::MAX).len()];
        for (index, &ordinal) in ordinals.iter().enumerate() {
            rank[ordinal as usize] = index as u32;
        }
        rows.sort_unstable_by_key(|&(ordinal, row)| (rank[ordinal as usize], time_of(row), row));
        drop(rank);
        let content = self.content(&ordinals, &rows);
        let mut ranks = vec![0u32; self.strings.len()];
        let texts = |column: Column| {
            let codes = if column.is_attribute() {
                gather(self.attributes[column.index()].slice(usize::MAX), ordinals.iter().map(of_sessions))
            } else {
                let texts = &self.texts[column.index() - ATTRIBUTE_COUNT];
                gather(texts.slice(usize::MAX), rows.iter().map(of_rows))
            };
            self.column(codes, &mut ranks)
        };
        write_site(out, site, &content, texts, with_postings);
        ordinals
    }

    fn content(&self, ordinals: &[u32], rows: &[(u32, u32)]) -> TableContent {
        let mut first_row = Vec::with_capacity(ordinals.len() + 1);
        let mut previous = None;
        for (index, &(ordinal, _)) in rows.iter().enumerate() {
            if previous != Some(ordinal) {
                first_row.push(index as u32);
                previous = Some(ordinal);
            }
        }
        first_row.push(rows.len() as u32);
        TableContent {
            visitor: gather(self.visitor.slice(usize::MAX), ordinals.iter().map(of_sessions)),
            session_id: gather(self.session_id.slice(usize::MAX), ordinals.iter().map(of_sessions)),
            user_key: gather(self.user_key.slice(usize::MAX), ordinals.iter().map(of_sessions)),
            given_id: gather(self.flags.slice(usize::MAX), ordinals.iter().map(of_sessions))
                .into_iter()
                .map(|flags: u8| flags & FLAG_GIVEN_ID != 0)
                .collect(),
            first_row,
            time: gather(self.time.slice(usize::MAX), rows.iter().map(of_rows)),
            kind: gather(self.kind.slice(usize::MAX), rows.iter().map(of_rows)),
            event_duration: gather(self.event_duration.slice(usize::MAX), rows.iter().map(of_rows)),
            status: gather(self.status.slice(usize::MAX), rows.iter().map(of_rows)),
            received: gather(self.received.slice(usize::MAX), rows.iter().map(of_rows)),
        }
    }

    /// Turns codes of the open segment into codes of a dictionary of their own, in byte order of the strings.
    /// `ranks` is scratch space, all zero before and after.
    fn column(&self, mut codes: Vec<u32>, ranks: &mut [u32]) -> ColumnContent {
        let mut distinct = Vec::new();
        for &code in &codes {
            if code != 0 && ranks[code as usize] == 0 {
                ranks[code as usize] = 1;
                distinct.push(code);
            }
        }
        let distinct = self.in_byte_order(&distinct);
        let mut content = ColumnContent {
            offsets: vec![0, 0],
            strings: Vec::new(),
            site_codes: vec![0],
            codes: Vec::new(),
        };
        for (index, &code) in distinct.iter().enumerate() {
            ranks[code as usize] = index as u32 + 1;
            content.strings.extend_from_slice(self.strings.bytes(code));
            content.offsets.push(content.strings.len() as u32);
            content.site_codes.push(self.strings.site_code(code));
        }
        for code in &mut codes {
            *code = ranks[*code as usize];
        }
        for code in distinct {
            ranks[code as usize] = 0;
        }
        content.codes = codes;
        content
    }

    /// Codes in byte order of their strings. Strings of a column mostly begin alike, so what tells them apart is the bytes
    /// behind that: these are compared as one number, and the strings themselves are hardly ever looked at.
    fn in_byte_order(&self, codes: &[u32]) -> Vec<u32> {
        let bytes = |code: u32| self.strings.bytes(code);
        let first = codes.first().map_or(&[][..], |&code| bytes(code));
        let shared = codes.iter().fold(first.len(), |shared, &code| {
            first.iter().zip(bytes(code)).take(shared).take_while(|(a, b)| a == b).count()
        });
        let key = |code: u32| number_of(bytes(code).get(shared..).unwrap_or_default());
        let mut keyed: Vec<(u64, u32)> = codes.iter().map(|&code| (key(code), code)).collect();
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| bytes(a.1).cmp(bytes(b.1))));
        keyed.into_iter().map(|(_, code)| code).collect()
    }
}

/// The first bytes as a number that never orders two texts otherwise than their bytes do.
fn number_of(bytes: &[u8]) -> u64 {
    let mut head = [0; 8];
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(head)
}

fn of_rows(at: &(u32, u32)) -> usize {
    at.1 as usize
}

fn of_sessions(ordinal: &u32) -> usize {
    *ordinal as usize
}

fn gather<T: Copy + Default>(column: &[T], indices: impl Iterator<Item = usize>) -> Vec<T> {
    indices.map(|index| column.get(index).copied().unwrap_or_default()).collect()
}

impl Part {
    fn position(&self, ordinal: u32) -> Option<u32> {
        let at = self.positions.binary_search_by_key(&ordinal, |&(known, _)| known).ok()?;
        Some(self.positions[at].1)
    }

    fn hide(&self, ordinals: &RoaringBitmap) -> RoaringBitmap {
        ordinals.iter().filter_map(|ordinal| self.position(ordinal)).collect()
    }
}

impl SiteView {
    fn parts(&self, moved: &RoaringBitmap) -> Vec<ViewPart> {
        let base_hidden = self.base.hide(moved) | &self.replaced;
        let mut parts = vec![ViewPart { segment: self.base.segment.clone(), hidden: Arc::new(base_hidden) }];
        if let Some(tail) = &self.tail {
            let hidden = Arc::new(tail.hide(moved));
            parts.push(ViewPart { segment: tail.segment.clone(), hidden });
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_never_order_texts_otherwise_than_their_bytes() {
        let mut texts: Vec<&[u8]> = vec![
            b"",
            b"\0",
            b"a",
            b"a\0",
            b"ab",
            b"abcdefgh",
            b"abcdefgh\0",
            b"abcdefgi",
            b"b",
            "é".as_bytes(),
        ];
        texts.sort_unstable();
        assert!(texts.is_sorted_by_key(|text| number_of(text)));
        assert_eq!(number_of(b"abcdefgh"), number_of(b"abcdefghi"));
    }
}
