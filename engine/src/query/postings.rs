//! Posting lists as sets of sessions, where reading them costs less than a scan.

use roaring::RoaringBitmap;

use crate::scan::bits::Bits;
use crate::scan::mask::Mask;
use crate::schema::Column;
use crate::segment::table::SiteTable;

/// A scan looks at this many codes in the time in which one byte of a list is read.
const CODES_A_BYTE: usize = 2;

/// The sessions that hold a code of the mask; `None` when one of its codes has no list, when the lists are longer
/// than a scan of `scan_length` codes is dear, or when a list is damaged (a scan needs none).
pub(super) fn listed(table: &SiteTable<'_>, column: Column, mask: &Mask, scan_length: usize) -> Option<Bits> {
    if !matches!(mask, Mask::Codes(_)) {
        return None;
    }
    let postings = table.postings(column)?;
    let mut lists = Vec::new();
    let mut byte_count = 0;
    for code in mask.codes() {
        let start = *postings.offsets.get(code as usize)? as usize;
        let end = *postings.offsets.get(code as usize + 1)? as usize;
        let list = postings.bytes.get(start..end)?;
        byte_count += list.len();
        if list.is_empty() || byte_count.saturating_mul(CODES_A_BYTE) > scan_length {
            return None;
        }
        lists.push(list);
    }
    let mut bits = Bits::new(table.session_count());
    for list in lists {
        let sessions = RoaringBitmap::deserialize_from(list).ok()?;
        sessions.iter().for_each(|session| bits.insert(session as usize));
    }
    Some(bits)
}
