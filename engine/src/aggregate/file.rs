//! The bytes of an aggregate file: of one site in one source. Written once, never changed, made anew at will.
//!
//! ```text
//! magic "HITSAGG1" 8 | version u32 = 4 | length of the head u32 | head | CRC32C u32 of all before
//! head    source u64 | site u32 | sessions of the source varint
//!         zone string | days varint, their edges (zigzag, each as the difference to the one before), their months
//!         (varint each) | shifts varint, each: from when zigzag, shift zigzag
//!         sessions that are not counted, and those that are not summed: bytes each, roaring's portable serialisation
//!         groupings varint, each: number u8 | length varint | length of its entries varint | CRC32C u32
//! then the groupings in this order, each compressed with zstd: see `entries`
//! ```

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::days::LocalDays;
use super::entries::{self, Entries};
use super::specs::{Counted, SPECS, Spec};
use super::titles;
use crate::checksum::crc32c;
use crate::codec::{Malformed, Reader, Writer};
use crate::error::StorageError;
use crate::scan::bits::Bits;
use crate::units::{SegmentId, SiteId};
use crate::version::Kind;
use crate::vfs::Bytes;

const KIND: Kind = Kind { magic: *b"HITSAGG1", version: 4 };
/// Bytes before the head.
const PREFIX_BYTES: usize = 16;
/// Bytes of a grouping's entries at most, before compression.
pub(super) const ENTRIES_BYTES_MAX: usize = 32 << 20;
const COMPRESSION: i32 = 19;
/// Sessions that are not counted are listed when they are at most one in so many; in tests, where tables are small, always.
const REST_SHARE: u64 = if cfg!(test) { 1 } else { 8 };

/// The counts of one site in one source, by day, week and month of the site's zone.
pub struct Aggregate {
    path: PathBuf,
    bytes: Bytes,
    source: SegmentId,
    site: SiteId,
    days: LocalDays,
    covered: Cover,
    summed: Cover,
    blocks: Vec<Block>,
}

/// Sessions that groupings count.
struct Cover {
    sessions: Bits,
    /// The others, when they are few.
    rest: Option<Arc<[u32]>>,
}

struct Block {
    spec: u8,
    at: Range<usize>,
    entry_bytes: usize,
    crc: u32,
}

/// What an aggregate is made of.
pub(super) struct Content<'c> {
    pub source: SegmentId,
    pub site: SiteId,
    pub days: &'c LocalDays,
    pub covered: &'c Bits,
    /// Those whose sums are kept.
    pub summed: &'c Bits,
    /// Numbers of groupings, with their entries.
    pub groupings: &'c [(u8, Vec<u8>)],
}

/// The whole bytes of a file; `None` when they could not be compressed.
pub(super) fn encode(content: &Content<'_>) -> Option<Vec<u8>> {
    let mut head = Writer::new();
    head.u64(content.source.0);
    head.u32(content.site.0);
    head.varint(content.covered.len() as u64);
    content.days.encode(&mut head);
    for counted in [content.covered, content.summed] {
        let sessions = 0..counted.len() as u32;
        let others: RoaringBitmap = sessions.filter(|&at| !counted.contains(at as usize)).collect();
        let mut bitmap = Vec::new();
        others.serialize_into(&mut bitmap).ok()?;
        head.bytes(&bitmap);
    }
    head.varint(content.groupings.len() as u64);
    let mut blocks = Vec::new();
    for (spec, entries) in content.groupings {
        let block = zstd::bulk::compress(entries, COMPRESSION).ok()?;
        head.u8(*spec);
        head.varint(block.len() as u64);
        head.varint(entries.len() as u64);
        head.u32(crc32c(&block));
        blocks.push(block);
    }
    let mut out = Writer::new();
    out.raw(&KIND.magic);
    out.u32(KIND.version);
    out.u32(head.len() as u32);
    out.raw(head.as_slice());
    out.u32(crc32c(out.as_slice()));
    blocks.iter().for_each(|block| out.raw(block));
    Some(out.into_vec())
}

impl Aggregate {
    /// Over the bytes of a file, of which all but the groupings is checked. `path` is for messages.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], [`StorageError::Version`].
    pub fn of(path: &Path, bytes: Bytes) -> Result<Self, StorageError> {
        let corrupt = |error: Malformed| StorageError::corrupt(path, error.offset as u64, error.what);
        KIND.check(path, &bytes)?;
        let mut reader = Reader::new(&bytes);
        let head = checked_head(&mut reader).map_err(corrupt)?;
        let blocks_at = reader.offset();
        let mut head = Reader::new(head);
        let in_head =
            |error: Malformed| StorageError::corrupt(path, (PREFIX_BYTES + error.offset) as u64, error.what);
        let Head { source, site, days, covered, summed } = decode_head(&mut head).map_err(in_head)?;
        let blocks = decode_directory(&mut head, blocks_at).map_err(in_head)?;
        let end = blocks.last().map_or(blocks_at, |block| block.at.end);
        if end != bytes.len() {
            return Err(StorageError::corrupt(
                path,
                end as u64,
                "the file is longer or shorter than it says",
            ));
        }
        Ok(Self { path: path.to_path_buf(), bytes, source, site, days, covered, summed, blocks })
    }

    /// The source whose sessions are counted.
    pub fn source(&self) -> SegmentId {
        self.source
    }

    /// The site.
    pub fn site(&self) -> SiteId {
        self.site
    }

    /// The days that it was made for. When a site's days of the same span are others now, it is of no use any more.
    pub fn days(&self) -> &LocalDays {
        &self.days
    }

    /// The file's length in bytes.
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// The sessions that a grouping counts.
    pub(super) fn covered(&self, spec: &Spec) -> &Bits {
        &self.cover(spec).sessions
    }

    /// The sessions that it does not count, ascending, when they are few.
    pub(super) fn rest(&self, spec: &Spec) -> Option<&Arc<[u32]>> {
        self.cover(spec).rest.as_ref()
    }

    fn cover(&self, spec: &Spec) -> &Cover {
        match spec.counted {
            Counted::All => &self.covered,
            Counted::SumsOnly => &self.summed,
        }
    }

    /// How many sessions the source has, and how many of them are counted.
    pub fn session_counts(&self) -> (usize, usize) {
        (self.covered.sessions.len(), self.covered.sessions.count())
    }

    /// Bytes of each grouping in the file, and before compression: its number, what it counts and by what.
    pub fn sizes(&self) -> Vec<(String, usize, usize)> {
        let name = |block: &Block| match SPECS.iter().find(|spec| spec.id == block.spec) {
            Some(spec) => format!("{} {:?} {:?}", spec.id, spec.unit, spec.by),
            None => block.spec.to_string(),
        };
        self.blocks.iter().map(|block| (name(block), block.at.len(), block.entry_bytes)).collect()
    }

    /// Checks every byte.
    ///
    /// # Errors
    /// The first damage found.
    pub fn verify(&self) -> Result<(), StorageError> {
        for block in &self.blocks {
            if let Some(spec) = SPECS.iter().find(|spec| spec.id == block.spec) {
                self.decode(spec, block)?;
            } else {
                self.compressed(block)?;
            }
        }
        Ok(())
    }

    /// Whether there is such a grouping.
    pub(super) fn has(&self, spec: &Spec) -> bool {
        self.blocks.iter().any(|block| block.spec == spec.id)
    }

    /// The entries of a grouping; `None` when there is none.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`].
    pub(super) fn entries(&self, spec: &Spec) -> Result<Option<Entries>, StorageError> {
        let block = self.blocks.iter().find(|block| block.spec == spec.id);
        block.map(|block| self.decode(spec, block)).transpose()
    }

    fn compressed(&self, block: &Block) -> Result<&[u8], StorageError> {
        let bytes = self.bytes.get(block.at.clone()).unwrap_or_default();
        if crc32c(bytes) == block.crc {
            Ok(bytes)
        } else {
            let what = "the checksum of a grouping does not match";
            Err(StorageError::corrupt(&self.path, block.at.start as u64, what))
        }
    }

    fn decode(&self, spec: &Spec, block: &Block) -> Result<Entries, StorageError> {
        let corrupt = |what: &str| StorageError::corrupt(&self.path, block.at.start as u64, what);
        let bytes = zstd::bulk::decompress(self.compressed(block)?, block.entry_bytes)
            .map_err(|_| corrupt("a grouping cannot be decompressed"))?;
        let decoded = match spec.without_title() {
            None => entries::decode(spec, &self.days, &bytes),
            Some((plain, pages)) => {
                let missing = || corrupt("a grouping needs one that is not there");
                let plain = self.entries(plain)?.ok_or_else(missing)?;
                let pages = pages.map(|pages| self.entries(pages)?.ok_or_else(missing)).transpose()?;
                titles::decode(spec, &plain, pages.as_ref(), &bytes)
            }
        };
        decoded.map_err(|error| corrupt(error.what))
    }
}

/// The head once its checksum was found right.
fn checked_head<'b>(reader: &mut Reader<'b>) -> Result<&'b [u8], Malformed> {
    let whole = reader.clone();
    if reader.raw(KIND.magic.len())? != KIND.magic {
        return Err(whole.malformed("not an aggregate"));
    }
    if reader.u32()? != KIND.version {
        // It is made anew.
        return Err(whole.malformed("an aggregate of an earlier version"));
    }
    let len = reader.u32()? as usize;
    let head = reader.raw(len)?;
    let checked = whole.clone().raw(PREFIX_BYTES + len)?;
    if reader.u32()? != crc32c(checked) {
        return Err(whole.malformed("the checksum does not match"));
    }
    Ok(head)
}

/// What the head says before the directory.
struct Head {
    source: SegmentId,
    site: SiteId,
    days: LocalDays,
    covered: Cover,
    summed: Cover,
}

fn decode_head(head: &mut Reader<'_>) -> Result<Head, Malformed> {
    let (source, site) = (SegmentId(head.u64()?), SiteId(head.u32()?));
    let session_count = u32::try_from(head.varint()?).map_err(|_| head.malformed("too many sessions"))?;
    let days = LocalDays::decode(head)?;
    let (covered, summed) = (decode_cover(head, session_count)?, decode_cover(head, session_count)?);
    Ok(Head { source, site, days, covered, summed })
}

/// All sessions but those that are listed.
fn decode_cover(head: &mut Reader<'_>, session_count: u32) -> Result<Cover, Malformed> {
    let bitmap = head.bytes()?;
    let others = RoaringBitmap::deserialize_from(bitmap)
        .map_err(|_| head.malformed("a bitmap of sessions is damaged"))?;
    let mut sessions = Bits::new(session_count as usize);
    sessions.insert_range(0..session_count as usize);
    others.iter().for_each(|session| sessions.remove(session as usize));
    let own = others.iter().take_while(|&session| session < session_count);
    let rest = (others.len() <= u64::from(session_count) / REST_SHARE).then(|| own.collect());
    Ok(Cover { sessions, rest })
}

fn decode_directory(head: &mut Reader<'_>, blocks_at: usize) -> Result<Vec<Block>, Malformed> {
    let mut at = blocks_at;
    let mut blocks = Vec::new();
    for _ in 0..head.count(7)? {
        let spec = head.u8()?;
        let len = head.varint()? as usize;
        let entry_bytes = head.varint()? as usize;
        if entry_bytes > ENTRIES_BYTES_MAX {
            return Err(head.malformed("a grouping is too large"));
        }
        let end = at.checked_add(len).ok_or(head.malformed("a grouping is too large"))?;
        blocks.push(Block { spec, at: at..end, entry_bytes, crc: head.u32()? });
        at = end;
    }
    head.finish()?;
    Ok(blocks)
}
