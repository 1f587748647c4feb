//! The bytes of a segment file: header, blocks, directory, trailer.
//!
//! ```text
//! header   64 bytes  magic "HITSSEG1", version u32, zero u32, segment id u64, zeros
//! blocks             each at a multiple of 64 bytes, zero padding between them
//! directory          one entry a site, each with one entry a block (see `Directory`)
//! trailer  40 bytes  directory offset u64, directory length u64, file length u64, version u32,
//!                    CRC32C u32 of header, directory and the trailer's first 28 bytes, magic "HITSSEGE"
//! ```
//!
//! Blocks are plain little-endian arrays, so that a mapped file is read without decoding. A block that is not in the
//! directory stands for zeros. What each block holds is said at [`Tag`]. This module knows bytes, not sessions.

use std::path::Path;

use super::sink::Sink;
use crate::checksum::crc32c_append;
use crate::codec::{Malformed, Reader, Writer};
use crate::error::StorageError;
use crate::schema::{COLUMN_COUNT, Column};
use crate::units::{SegmentId, SiteId};
use crate::version::{HEAD_BYTES, Kind};
use crate::vfs::Fs;

/// How a file begins, in the version that this program writes.
const KIND: Kind = Kind { magic: *b"HITSSEG1", version: 2 };
/// Alignment of blocks in bytes: a cache line, and enough for every number.
pub const ALIGNMENT: usize = 64;

/// Bytes of a block that are gathered before they are written.
const GATHERED_BYTES: usize = 1 << 14;

const HEADER_BYTES: usize = 64;
const TRAILER_BYTES: usize = 40;
const TRAILER_VERSION_AT: usize = 24;
const END_MAGIC: &[u8; 8] = b"HITSSEGE";

/// What a block holds. Per-column tags are the base plus the column's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(pub u16);

#[allow(missing_docs, reason = "named after the fields of `SiteTable`")]
impl Tag {
    pub const RUNS: Tag = Tag(1);
    pub const VISITOR: Tag = Tag(2);
    pub const SESSION_ID: Tag = Tag(3);
    pub const START: Tag = Tag(4);
    pub const LAST: Tag = Tag(5);
    pub const FIRST_ROW: Tag = Tag(6);
    pub const VIEWS: Tag = Tag(7);
    pub const ENTRY_ROW: Tag = Tag(8);
    pub const EXIT_ROW: Tag = Tag(9);
    pub const FLAGS: Tag = Tag(10);
    pub const USER_KEY: Tag = Tag(11);
    pub const GAP: Tag = Tag(12);
    pub const KIND: Tag = Tag(13);
    pub const EVENT_DURATION: Tag = Tag(14);
    pub const STATUS: Tag = Tag(15);
    pub const RECEIVED: Tag = Tag(16);

    // Of an index.
    pub const START_SECONDS: Tag = Tag(17);
    pub const SHAPE_CODES: Tag = Tag(18);
    pub const SHAPES: Tag = Tag(19);
    pub const FIRST_ROW_BASES: Tag = Tag(20);
    pub const FIRST_ROW_OFFSETS: Tag = Tag(21);
    pub const GAP_SECONDS: Tag = Tag(22);
    pub const KINDS: Tag = Tag(23);
    pub const KNOWN_SESSIONS: Tag = Tag(24);
    pub const KNOWN_VISITORS: Tag = Tag(25);
    pub const PARQUET_LENGTH: Tag = Tag(26);
    pub const PARQUET_CHECKSUMS: Tag = Tag(27);

    /// Codes of combinations of an index; `value` is how many combinations there are.
    pub fn combinations(number: usize) -> Tag {
        Tag(0x20 + number as u16)
    }

    /// Which sessions have another combination than the first, one bit each in words of 64; the codes are theirs only.
    pub fn present(number: usize) -> Tag {
        Tag(0x30 + number as u16)
    }

    /// How many sessions before each of these words have one.
    pub fn ranks(number: usize) -> Tag {
        Tag(0x38 + number as u16)
    }

    /// Codes of a column; the width says whether u8, u16 or u32, width 0 that `value` is the code of all. In an index
    /// not of each session or row, but of each combination that the column is part of.
    pub fn codes(column: Column) -> Tag {
        Tag(0x100 + column.index() as u16)
    }
    /// Offsets of a column's strings, u32.
    pub fn offsets(column: Column) -> Tag {
        Tag(0x200 + column.index() as u16)
    }
    /// A column's strings, UTF-8, in byte order.
    pub fn strings(column: Column) -> Tag {
        Tag(0x300 + column.index() as u16)
    }
    /// The site's code of each string, u32; `value` is the greatest.
    pub fn site_codes(column: Column) -> Tag {
        Tag(0x400 + column.index() as u16)
    }
    /// Offsets of a column's posting lists, u32.
    pub fn posting_offsets(column: Column) -> Tag {
        Tag(0x500 + column.index() as u16)
    }
    /// A column's posting lists, roaring's portable serialisation.
    pub fn postings(column: Column) -> Tag {
        Tag(0x600 + column.index() as u16)
    }
    /// Tags by which a column's strings are found, u8: see `finder`. The strings' codes, or their places in a dictionary,
    /// are beside them. Not there when there are few.
    pub fn finder_tags(column: Column) -> Tag {
        Tag(0xc00 + column.index() as u16)
    }
    /// The codes or places of the strings that these tags are of, u32.
    pub fn finder_numbers(column: Column) -> Tag {
        Tag(0xd00 + column.index() as u16)
    }
    /// In a site's dictionary: the site's codes of a column's strings, u32, ascending; `value` is the greatest.
    /// Width 0: they follow each other without a gap.
    pub fn dictionary_codes(column: Column) -> Tag {
        Tag(0x800 + column.index() as u16)
    }
    /// In a site's dictionary: offsets of the strings in the order of their codes, u32.
    pub fn dictionary_offsets(column: Column) -> Tag {
        Tag(0x900 + column.index() as u16)
    }
    /// In a site's dictionary: the strings in the order of their codes, UTF-8.
    pub fn dictionary_strings(column: Column) -> Tag {
        Tag(0xa00 + column.index() as u16)
    }
    /// In a site's dictionary: places of the strings in byte order, u32.
    pub fn dictionary_order(column: Column) -> Tag {
        Tag(0xb00 + column.index() as u16)
    }
}

/// Where a block lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// What it holds.
    pub tag: Tag,
    /// Bytes of an element; 0: no bytes, `value` stands for all elements.
    pub width: u16,
    /// A small number that the tag explains.
    pub value: u32,
    /// Where it starts.
    pub offset: u64,
    /// How many bytes it has.
    pub len: u64,
    /// CRC32C of its bytes.
    pub crc: u32,
}

/// One site's part of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteEntry {
    /// The site.
    pub site: SiteId,
    /// Its sessions in this segment.
    pub session_count: u32,
    /// Its rows in this segment.
    pub row_count: u32,
    /// Its blocks, in the order of their tags.
    pub blocks: Vec<Block>,
}

impl SiteEntry {
    /// The block with this tag.
    pub fn block(&self, tag: Tag) -> Option<&Block> {
        let at = self.blocks.binary_search_by_key(&tag.0, |block| block.tag.0).ok()?;
        self.blocks.get(at)
    }
}

/// The directory of a segment: sites in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// The segment's number.
    pub id: SegmentId,
    /// Its sites.
    pub sites: Vec<SiteEntry>,
}

/// Writes a segment's bytes: blocks first, then `finish`.
pub struct FileWriter<S = Vec<u8>> {
    out: S,
    header: [u8; HEADER_BYTES],
    len: usize,
    directory: Directory,
}

impl FileWriter {
    /// An empty segment in memory.
    pub fn new(id: SegmentId) -> Self {
        Self::to(id, Vec::new())
    }
}

impl<S: Sink> FileWriter<S> {
    /// An empty segment whose bytes go somewhere.
    pub fn to(id: SegmentId, mut out: S) -> Self {
        let mut header = [0; HEADER_BYTES];
        let fields = KIND
            .magic
            .iter()
            .copied()
            .chain(KIND.version.to_le_bytes())
            .chain([0; 4])
            .chain(id.0.to_le_bytes());
        header.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        out.put(&header);
        Self { out, header, len: HEADER_BYTES, directory: Directory { id, sites: Vec::new() } }
    }

    /// Begins a site; its blocks follow. Sites come in ascending order.
    pub fn begin_site(&mut self, site: SiteId, session_count: usize, row_count: usize) {
        debug_assert!(self.directory.sites.last().is_none_or(|last| last.site < site));
        self.directory.sites.push(SiteEntry {
            site,
            session_count: session_count as u32,
            row_count: row_count as u32,
            blocks: Vec::new(),
        });
    }

    /// Adds a block of plain numbers to the site that was begun last.
    pub fn block<T: bytemuck::NoUninit>(&mut self, tag: Tag, value: u32, elements: &[T]) {
        self.content(tag, size_of::<T>() as u16, value, bytemuck::cast_slice(elements));
    }

    /// As [`Self::block`], of numbers that are not in memory all at once.
    pub fn numbers<T: bytemuck::NoUninit>(
        &mut self,
        tag: Tag,
        value: u32,
        numbers: impl IntoIterator<Item = T>,
    ) {
        let start = self.begin_block();
        let count = GATHERED_BYTES / size_of::<T>().max(1);
        let (mut crc, mut gathered) = (0, Vec::with_capacity(count));
        let mut numbers = numbers.into_iter();
        loop {
            gathered.clear();
            gathered.extend(numbers.by_ref().take(count));
            if gathered.is_empty() {
                break;
            }
            crc = self.append_to_block(crc, bytemuck::cast_slice(&gathered));
        }
        self.end_block(tag, size_of::<T>() as u16, value, (start, crc));
    }

    /// Adds a block of bytes that come in pieces, most of them small.
    pub fn pieces<'b>(&mut self, tag: Tag, value: u32, pieces: impl IntoIterator<Item = &'b [u8]>) {
        let start = self.begin_block();
        let (mut crc, mut gathered) = (0, Vec::with_capacity(GATHERED_BYTES));
        for piece in pieces {
            if gathered.len() + piece.len() > GATHERED_BYTES {
                crc = self.append_to_block(crc, &gathered);
                gathered.clear();
            }
            gathered.extend_from_slice(piece);
        }
        crc = self.append_to_block(crc, &gathered);
        self.end_block(tag, 1, value, (start, crc));
    }

    /// Adds a block as it is, for tests.
    #[cfg(test)]
    pub(crate) fn raw_block(&mut self, block: Block, content: &[u8]) {
        self.content(block.tag, block.width, block.value, content);
    }

    fn content(&mut self, tag: Tag, width: u16, value: u32, content: &[u8]) {
        let start = self.begin_block();
        let crc = self.append_to_block(0, content);
        self.end_block(tag, width, value, (start, crc));
    }

    /// Appends to a block whose bytes so far have the checksum `crc`; gives that with these.
    fn append_to_block(&mut self, crc: u32, bytes: &[u8]) -> u32 {
        self.append(bytes);
        crc32c_append(crc, bytes)
    }

    fn begin_block(&mut self) -> usize {
        self.align();
        self.len
    }

    /// Enters the block that was begun at `start`, and whose bytes have this checksum.
    fn end_block(&mut self, tag: Tag, width: u16, value: u32, (start, crc): (usize, u32)) {
        let (offset, len) = (start as u64, (self.len - start) as u64);
        self.push(Block { tag, width, value, offset, len, crc });
    }

    fn append(&mut self, bytes: &[u8]) {
        self.out.put(bytes);
        self.len += bytes.len();
    }

    fn align(&mut self) {
        let missing = self.len.next_multiple_of(ALIGNMENT) - self.len;
        self.append(&[0; ALIGNMENT][..missing]);
    }

    /// Adds a block without bytes: `value` stands for every element.
    pub fn constant(&mut self, tag: Tag, value: u32) {
        self.push(Block { tag, width: 0, value, offset: 0, len: 0, crc: 0 });
    }

    fn push(&mut self, block: Block) {
        if let Some(site) = self.directory.sites.last_mut() {
            let at = site.blocks.partition_point(|known| known.tag.0 < block.tag.0);
            site.blocks.insert(at, block);
        }
    }

    /// Ends the file; gives where its bytes went.
    pub fn finish(mut self) -> S {
        self.align();
        let directory = encode_directory(&self.directory);
        let directory_offset = self.len as u64;
        self.append(&directory);
        let file_len = (self.len + TRAILER_BYTES) as u64;
        let mut trailer = Vec::with_capacity(TRAILER_BYTES);
        trailer.extend_from_slice(&directory_offset.to_le_bytes());
        trailer.extend_from_slice(&(directory.len() as u64).to_le_bytes());
        trailer.extend_from_slice(&file_len.to_le_bytes());
        trailer.extend_from_slice(&KIND.version.to_le_bytes());
        let crc = outline_crc(&self.header, &directory, &trailer);
        trailer.extend_from_slice(&crc.to_le_bytes());
        trailer.extend_from_slice(END_MAGIC);
        self.append(&trailer);
        self.out
    }
}

fn outline_crc(header: &[u8], directory: &[u8], trailer: &[u8]) -> u32 {
    crate::checksum::crc32c_of_parts(&[header, directory, trailer])
}

fn encode_directory(directory: &Directory) -> Vec<u8> {
    let mut out = Writer::new();
    out.u64(directory.id.0);
    out.u32(directory.sites.len() as u32);
    for site in &directory.sites {
        out.u32(site.site.0);
        out.u32(site.session_count);
        out.u32(site.row_count);
        out.u32(site.blocks.len() as u32);
        for block in &site.blocks {
            out.u16(block.tag.0);
            out.u16(block.width);
            out.u32(block.value);
            out.u64(block.offset);
            out.u64(block.len);
            out.u32(block.crc);
        }
    }
    out.into_vec()
}

fn decode_directory(bytes: &[u8]) -> Result<Directory, Malformed> {
    let mut input = Reader::new(bytes);
    let id = SegmentId(input.u64()?);
    let site_count = input.u32()?;
    let mut sites = Vec::new();
    for _ in 0..site_count {
        let mut entry = SiteEntry {
            site: SiteId(input.u32()?),
            session_count: input.u32()?,
            row_count: input.u32()?,
            blocks: Vec::new(),
        };
        let block_count = input.u32()?;
        for _ in 0..block_count {
            entry.blocks.push(Block {
                tag: Tag(input.u16()?),
                width: input.u16()?,
                value: input.u32()?,
                offset: input.u64()?,
                len: input.u64()?,
                crc: input.u32()?,
            });
        }
        sites.push(entry);
    }
    Ok(Directory { id, sites })
}

/// Reads and checks header, trailer and directory. Blocks are inside the file and aligned; their content is not
/// looked at.
pub fn read_directory(path: &Path, bytes: &[u8]) -> Result<Directory, StorageError> {
    let corrupt = |offset: usize, what: &str| StorageError::corrupt(path, offset as u64, what);
    check_versions(path, bytes, bytes)?;
    if bytes.len() < HEADER_BYTES + TRAILER_BYTES || !bytes.starts_with(&KIND.magic) {
        return Err(corrupt(0, "not a segment file"));
    }
    let trailer_at = bytes.len() - TRAILER_BYTES;
    let mut trailer = Reader::new(&bytes[trailer_at..]);
    let outline = (|| -> Result<_, Malformed> {
        let (offset, len, file_len) = (trailer.u64()?, trailer.u64()?, trailer.u64()?);
        trailer.u32()?;
        Ok((offset, len, file_len, trailer.u32()?))
    })();
    let Ok((offset, len, file_len, crc)) = outline else {
        return Err(corrupt(trailer_at, "short trailer"));
    };
    if !bytes.ends_with(END_MAGIC) || file_len != bytes.len() as u64 {
        return Err(corrupt(trailer_at, "the file's end is missing"));
    }
    if offset.checked_add(len) != Some(trailer_at as u64) || offset < HEADER_BYTES as u64 {
        return Err(corrupt(trailer_at, "the directory lies outside the file"));
    }
    let directory_bytes = &bytes[offset as usize..trailer_at];
    if outline_crc(&bytes[..HEADER_BYTES], directory_bytes, &bytes[trailer_at..trailer_at + 28]) != crc {
        return Err(corrupt(offset as usize, "the directory's checksum does not match"));
    }
    let directory = decode_directory(directory_bytes)
        .map_err(|_| corrupt(offset as usize, "the directory is cut short"))?;
    check_blocks(path, &directory, offset)?;
    Ok(directory)
}

/// Refuses a file that a newer program wrote, by its beginning and its end, which both say the version.
fn check_versions(path: &Path, beginning: &[u8], end: &[u8]) -> Result<(), StorageError> {
    KIND.check(path, beginning)?;
    let Some(trailer) = end.last_chunk::<TRAILER_BYTES>() else { return Ok(()) };
    match trailer[TRAILER_VERSION_AT..].first_chunk() {
        Some(version) if trailer.ends_with(END_MAGIC) => KIND.check_found(path, u32::from_le_bytes(*version)),
        _ => Ok(()),
    }
}

/// Refuses a file that a newer program wrote, without reading more of it than that takes. One that is missing or cannot
/// be read is left to whoever needs it.
///
/// # Errors
/// [`StorageError::Version`].
pub fn check_file_version(fs: &dyn Fs, path: &Path) -> Result<(), StorageError> {
    let (mut beginning, mut end) = ([0; HEAD_BYTES], [0; TRAILER_BYTES]);
    let read = fs.open_to_read(path).and_then(|file| {
        let end_at = file.len()?.saturating_sub(TRAILER_BYTES as u64);
        file.read_at(0, &mut beginning)?;
        file.read_at(end_at, &mut end)
    });
    if read.is_ok() { check_versions(path, &beginning, &end) } else { Ok(()) }
}

fn check_blocks(path: &Path, directory: &Directory, end: u64) -> Result<(), StorageError> {
    let mut previous = None;
    for site in &directory.sites {
        if previous >= Some(site.site) {
            return Err(StorageError::corrupt(path, end, "sites are out of order"));
        }
        previous = Some(site.site);
        if !site.blocks.is_sorted_by(|a, b| a.tag.0 < b.tag.0) {
            return Err(StorageError::corrupt(path, end, "blocks are out of order"));
        }
        for block in &site.blocks {
            let inside = block.offset.checked_add(block.len).is_some_and(|block_end| block_end <= end);
            if !inside || block.offset % ALIGNMENT as u64 != 0 {
                return Err(StorageError::corrupt(path, block.offset, "a block lies outside the file"));
            }
        }
    }
    Ok(())
}

const _: () = assert!(COLUMN_COUNT <= 0x100);
