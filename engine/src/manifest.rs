//! The manifest: the one file that names what is live. It is replaced atomically; anything it does not name is an
//! orphan of a crash and is removed.
//!
//! ```text
//! magic "HITSMAN1", version u32, first log generation u64, next segment id u64, segment count u32,
//! each segment: id u64, length u64, and for each site with superseded sessions their bitmap:
//!               site count u32, then (site u32, bitmap)
//! since version 2:
//! lake          site count u32, each: site u32, host string, dictionary's number u64 (0: none) and length u64,
//!               file count u32, each: key string, index's number u64, index's length u64, Parquet's length u64,
//!               CRC32C of its end u32, rows u64, sessions u64, end of the sessions' numbers u32 (since version 3),
//!               superseded sessions bitmap
//! imports       count u32, each: site u32, SHA-256 of the content 32 bytes
//! positions     count u32, each: identity of a file 16 bytes, offset u64; the one used last comes last
//! taken         count u32, each: log generation u64, sequence u64, session count u32, sessions (site u32, visitor u64,
//!               session u32)
//! CRC32C u32 of all before
//!
//! bitmap        length varint, roaring's portable serialisation
//! ```
//!
//! A file of version 1 has none of what version 2 added; one of version 2 not what version 3 added.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use roaring::RoaringBitmap;

use crate::checksum::crc32c;
use crate::codec::{Malformed, Reader, Writer};
use crate::error::StorageError;
use crate::event::FileIdentity;
use crate::units::{SegmentId, SessionId, SessionKey, SiteId, VisitorId};
use crate::version::Kind;
use crate::vfs::{self, Fs};

const KIND: Kind = Kind { magic: *b"HITSMAN1", version: 3 };
/// Bytes at the end of a Parquet file whose checksum tells it from others; its footer is there.
pub const PARQUET_END_BYTES: usize = 64 << 10;
const NAME: &str = "manifest";
/// Stands for [`LakeEntry::numbers_end`] of files that were written before a manifest said it: beyond all numbers that
/// were given then, unless a visitor had sixteen thousand sessions on a day.
const NUMBERS_END_UNKNOWN: u32 = 0xc000;

/// Sessions of a sealed segment that have moved on: indices in each site's table.
pub type Superseded = BTreeMap<SiteId, RoaringBitmap>;

/// A live segment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SegmentEntry {
    /// Its number, which gives the file's name.
    pub id: SegmentId,
    /// Its length in bytes.
    pub len: u64,
    /// Its sessions that must not count.
    pub superseded: Superseded,
}

/// A live file of the lake: one site's sessions of one key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LakeEntry {
    /// The key's name, which gives the Parquet file's: a month (2026-11) or a day (2026-11-30).
    pub key: String,
    /// The number of its index.
    pub index: SegmentId,
    /// The index's length in bytes.
    pub index_len: u64,
    /// The Parquet file's length in bytes.
    pub parquet_len: u64,
    /// CRC32C of the Parquet file's last [`PARQUET_END_BYTES`], or of all when it has fewer.
    pub parquet_end_crc: u32,
    /// Rows in it.
    pub rows: u64,
    /// Sessions in it.
    pub sessions: u64,
    /// The numbers of all sessions in it, superseded ones too, are below this. So sessions of its days get numbers that
    /// none in it has, even when it cannot be read.
    pub numbers_end: u32,
    /// Its sessions that must not count.
    pub superseded: RoaringBitmap,
}

/// What the lake has of a site.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LakeSite {
    /// The host name when the first file was written; it gives the folder's name.
    pub host: String,
    /// Number and length of the site's dictionary.
    pub dictionary: Option<(SegmentId, u64)>,
    /// The files, in the order of their keys.
    pub files: Vec<LakeEntry>,
}

/// SHA-256 of an imported file's content.
pub type ContentHash = [u8; 32];

/// Sessions that an import has taken out of the logs: whatever the logs say of them up to a frame is void.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// The generation of the log that was open then.
    pub generation: u64,
    /// The last frame of it that is void for these sessions; 0: none of this log, only older ones.
    pub sequence: u64,
    /// The sessions.
    pub sessions: Vec<SessionKey>,
}

/// What is live.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifest {
    /// The log generation where replay starts.
    pub first_generation: u64,
    /// The number of the next segment.
    pub next_segment: u64,
    /// The live segments, oldest first.
    pub segments: Vec<SegmentEntry>,
    /// The files of the lake.
    pub lake: BTreeMap<SiteId, LakeSite>,
    /// What has been imported.
    pub imports: BTreeSet<(SiteId, ContentHash)>,
    /// How far files that are followed were taken, the one used last at the end.
    pub positions: Vec<(FileIdentity, u64)>,
    /// What imports have taken out of the logs that are live, oldest first.
    pub taken: Vec<Taken>,
}

impl Manifest {
    /// Where the manifest of a folder lies.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    /// Refuses a folder whose manifest a newer program wrote; nothing else of it is read.
    ///
    /// # Errors
    /// [`StorageError::Version`].
    pub fn check_version(fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
        KIND.check_file(fs, &Self::path(folder))
    }

    /// Reads a folder's manifest; `None` when it has none yet.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], [`StorageError::Version`].
    pub fn read(fs: &dyn Fs, folder: &Path) -> Result<Option<Self>, StorageError> {
        let path = Self::path(folder);
        if !fs.exists(&path)? {
            return Ok(None);
        }
        Self::decode(&path, &fs.read(&path)?).map(Some)
    }

    /// Replaces the folder's manifest, durably.
    ///
    /// # Errors
    /// The failed operation.
    pub fn write(&self, fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
        vfs::replace(fs, &Self::path(folder), &self.encode(), false)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.raw(&KIND.magic);
        out.u32(KIND.version);
        out.u64(self.first_generation);
        out.u64(self.next_segment);
        out.u32(self.segments.len() as u32);
        for segment in &self.segments {
            out.u64(segment.id.0);
            out.u64(segment.len);
            out.u32(segment.superseded.len() as u32);
            for (site, sessions) in &segment.superseded {
                out.u32(site.0);
                encode_bitmap(&mut out, sessions);
            }
        }
        out.u32(self.lake.len() as u32);
        self.lake.iter().for_each(|(site, lake)| encode_lake(&mut out, *site, lake));
        out.u32(self.imports.len() as u32);
        for (site, hash) in &self.imports {
            out.u32(site.0);
            out.raw(hash);
        }
        out.u32(self.positions.len() as u32);
        for (identity, offset) in &self.positions {
            out.raw(identity);
            out.u64(*offset);
        }
        out.u32(self.taken.len() as u32);
        self.taken.iter().for_each(|taken| encode_taken(&mut out, taken));
        let crc = crc32c(out.as_slice());
        out.u32(crc);
        out.into_vec()
    }

    /// Reads a manifest's bytes; `path` is for messages.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], [`StorageError::Version`].
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, StorageError> {
        let corrupt = |what: &str| StorageError::corrupt(path, 0, what);
        let Some((content, crc)) = bytes.split_last_chunk::<4>() else {
            return Err(corrupt("not a manifest"));
        };
        KIND.check(path, bytes)?;
        let Some(body) = content.strip_prefix(&KIND.magic) else {
            return Err(corrupt("not a manifest"));
        };
        let mut input = Reader::new(body);
        let version = input.u32().map_err(|_| corrupt("cut short"))?;
        if crc32c(content) != u32::from_le_bytes(*crc) {
            return Err(corrupt("the checksum does not match"));
        }
        Self::decode_body(&mut input, version).map_err(|error| corrupt(&error.to_string()))
    }

    fn decode_body(input: &mut Reader<'_>, version: u32) -> Result<Self, Malformed> {
        let mut manifest =
            Self { first_generation: input.u64()?, next_segment: input.u64()?, ..Self::default() };
        for _ in 0..input.u32()? {
            let mut entry = SegmentEntry {
                id: SegmentId(input.u64()?),
                len: input.u64()?,
                superseded: Superseded::new(),
            };
            for _ in 0..input.u32()? {
                let site = SiteId(input.u32()?);
                entry.superseded.insert(site, decode_bitmap(input)?);
            }
            manifest.segments.push(entry);
        }
        if version >= 2 {
            for _ in 0..input.u32()? {
                let (site, lake) = decode_lake(input, version)?;
                manifest.lake.insert(site, lake);
            }
            for _ in 0..input.u32()? {
                manifest.imports.insert((SiteId(input.u32()?), decode_array(input)?));
            }
            for _ in 0..input.u32()? {
                manifest.positions.push((decode_array(input)?, input.u64()?));
            }
            for _ in 0..input.u32()? {
                manifest.taken.push(decode_taken(input)?);
            }
        }
        input.finish()?;
        Ok(manifest)
    }
}

fn encode_bitmap(out: &mut Writer, sessions: &RoaringBitmap) {
    let mut bitmap = Vec::new();
    // Writing to a vector cannot fail.
    let _ = sessions.serialize_into(&mut bitmap);
    out.bytes(&bitmap);
}

fn decode_bitmap(input: &mut Reader<'_>) -> Result<RoaringBitmap, Malformed> {
    RoaringBitmap::deserialize_from(input.bytes()?)
        .map_err(|_| input.malformed("a bitmap of superseded sessions"))
}

fn decode_array<const N: usize>(input: &mut Reader<'_>) -> Result<[u8; N], Malformed> {
    let bytes = input.raw(N)?;
    bytes.try_into().map_err(|_| input.malformed("cut short"))
}

fn encode_taken(out: &mut Writer, taken: &Taken) {
    out.u64(taken.generation);
    out.u64(taken.sequence);
    out.u32(taken.sessions.len() as u32);
    for key in &taken.sessions {
        out.u32(key.site.0);
        out.u64(key.visitor.0);
        out.u32(key.session.0);
    }
}

fn decode_taken(input: &mut Reader<'_>) -> Result<Taken, Malformed> {
    let mut taken = Taken { generation: input.u64()?, sequence: input.u64()?, sessions: Vec::new() };
    for _ in 0..input.u32()? {
        let (site, visitor) = (SiteId(input.u32()?), VisitorId(input.u64()?));
        taken.sessions.push(SessionKey { site, visitor, session: SessionId(input.u32()?) });
    }
    Ok(taken)
}

fn encode_lake(out: &mut Writer, site: SiteId, lake: &LakeSite) {
    out.u32(site.0);
    out.str(&lake.host);
    let (dictionary, len) = lake.dictionary.unwrap_or_default();
    out.u64(dictionary.0);
    out.u64(len);
    out.u32(lake.files.len() as u32);
    for file in &lake.files {
        out.str(&file.key);
        out.u64(file.index.0);
        out.u64(file.index_len);
        out.u64(file.parquet_len);
        out.u32(file.parquet_end_crc);
        out.u64(file.rows);
        out.u64(file.sessions);
        out.u32(file.numbers_end);
        encode_bitmap(out, &file.superseded);
    }
}

fn decode_lake(input: &mut Reader<'_>, version: u32) -> Result<(SiteId, LakeSite), Malformed> {
    let site = SiteId(input.u32()?);
    let mut lake = LakeSite { host: input.str()?.to_owned(), ..LakeSite::default() };
    let dictionary = (SegmentId(input.u64()?), input.u64()?);
    lake.dictionary = (dictionary.0 != SegmentId::default()).then_some(dictionary);
    for _ in 0..input.u32()? {
        lake.files.push(LakeEntry {
            key: input.str()?.to_owned(),
            index: SegmentId(input.u64()?),
            index_len: input.u64()?,
            parquet_len: input.u64()?,
            parquet_end_crc: input.u32()?,
            rows: input.u64()?,
            sessions: input.u64()?,
            numbers_end: if version >= 3 { input.u32()? } else { NUMBERS_END_UNKNOWN },
            superseded: decode_bitmap(input)?,
        });
    }
    Ok((site, lake))
}

/// Where a segment's file lies.
pub fn segment_path(folder: &Path, id: SegmentId) -> PathBuf {
    folder.join(format!("segment-{:016x}", id.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let sessions: RoaringBitmap = [1u32, 5, 70_000].into_iter().collect();
        let superseded = Superseded::from([(SiteId(3), sessions)]);
        Manifest {
            first_generation: 7,
            next_segment: 9,
            segments: vec![
                SegmentEntry { id: SegmentId(4), len: 1000, superseded },
                SegmentEntry { id: SegmentId(8), len: 64, superseded: Superseded::new() },
            ],
            lake: BTreeMap::from([(SiteId(2), lake()), (SiteId(5), LakeSite::default())]),
            imports: BTreeSet::from([(SiteId(2), [7; 32])]),
            positions: vec![([3; 16], 77), ([1; 16], u64::MAX)],
            taken: vec![Taken {
                generation: 7,
                sequence: 3,
                sessions: vec![SessionKey { site: SiteId(2), visitor: VisitorId(9), session: SessionId(4) }],
            }],
        }
    }

    fn lake() -> LakeSite {
        let file = LakeEntry {
            key: "2026-11".into(),
            index: SegmentId(5),
            index_len: 640,
            parquet_len: 4000,
            parquet_end_crc: 0xdead_beef,
            rows: 10,
            sessions: 4,
            numbers_end: 2,
            superseded: RoaringBitmap::from([3]),
        };
        LakeSite {
            host: "example.com".into(),
            dictionary: Some((SegmentId(6), 99)),
            files: vec![file.clone(), LakeEntry { key: "2026-12-01".into(), ..file }],
        }
    }

    #[test]
    fn a_manifest_survives() {
        let manifest = sample();
        assert_eq!(Manifest::decode(Path::new("m"), &manifest.encode()).unwrap(), manifest);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let bytes = sample().encode();
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(Manifest::decode(Path::new("m"), &damaged).is_err(), "bit {at}");
        }
        for len in 0..bytes.len() {
            assert!(Manifest::decode(Path::new("m"), &bytes[..len]).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn a_manifest_of_version_1_is_read() {
        let segments = sample().segments;
        let mut old = Manifest { first_generation: 7, next_segment: 9, segments, ..Manifest::default() };
        let mut bytes = old.encode();
        // What version 2 added is four counts of nothing.
        bytes.truncate(bytes.len() - 20);
        bytes[8] = 1;
        bytes.extend(crc32c(&bytes).to_le_bytes());
        assert_eq!(Manifest::decode(Path::new("m"), &bytes).unwrap(), old);
        old.positions.push(([3; 16], 77));
        assert_ne!(Manifest::decode(Path::new("m"), &bytes).unwrap(), old);
    }

    #[test]
    fn a_manifest_of_version_2_is_read() {
        let mut old = sample();
        old.lake.remove(&SiteId(5));
        old.lake.get_mut(&SiteId(2)).unwrap().files.truncate(1);
        // The end of the file's numbers stands before its bitmap.
        let one = old.encode();
        let bitmap = {
            let mut out = Writer::new();
            encode_bitmap(&mut out, &RoaringBitmap::from([3]));
            out.into_vec()
        };
        let at = one.windows(bitmap.len()).position(|window| window == bitmap).unwrap() - 4;
        let mut v2 = [&one[..at], &one[at + 4..one.len() - 4]].concat();
        v2[8] = 2;
        v2.extend(crc32c(&v2).to_le_bytes());
        old.lake.get_mut(&SiteId(2)).unwrap().files[0].numbers_end = NUMBERS_END_UNKNOWN;
        assert_eq!(Manifest::decode(Path::new("m"), &v2).unwrap(), old);
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = sample().encode();
        bytes[8] = 4;
        let error = Manifest::decode(Path::new("m"), &bytes).unwrap_err();
        assert!(matches!(error, StorageError::Version { found: 4, .. }), "{error}");
    }
}
