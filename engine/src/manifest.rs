//! The manifest: the one file that names what is live. It is replaced atomically; anything it does not name is an
//! orphan of a crash and is removed.
//!
//! ```text
//! magic "HITSMAN1", version u32, first log generation u64, next segment id u64, segment count u32,
//! each segment: id u64, length u64, and for each site with superseded sessions their bitmap:
//!               site count u32, then (site u32, length varint, roaring's portable serialisation)
//! CRC32C u32 of all before
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use roaring::RoaringBitmap;

use crate::checksum::crc32c;
use crate::codec::{Malformed, Reader, Writer};
use crate::error::StorageError;
use crate::units::{SegmentId, SiteId};
use crate::vfs::{self, Fs};

const MAGIC: &[u8; 8] = b"HITSMAN1";
const VERSION: u32 = 1;
const NAME: &str = "manifest";

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

/// What is live.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifest {
    /// The log generation where replay starts.
    pub first_generation: u64,
    /// The number of the next segment.
    pub next_segment: u64,
    /// The live segments, oldest first.
    pub segments: Vec<SegmentEntry>,
}

impl Manifest {
    /// Where the manifest of a folder lies.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(NAME)
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
        out.raw(MAGIC);
        out.u32(VERSION);
        out.u64(self.first_generation);
        out.u64(self.next_segment);
        out.u32(self.segments.len() as u32);
        for segment in &self.segments {
            out.u64(segment.id.0);
            out.u64(segment.len);
            out.u32(segment.superseded.len() as u32);
            for (site, sessions) in &segment.superseded {
                out.u32(site.0);
                let mut bitmap = Vec::new();
                // Writing to a vector cannot fail.
                let _ = sessions.serialize_into(&mut bitmap);
                out.bytes(&bitmap);
            }
        }
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
        if !content.starts_with(MAGIC) {
            return Err(corrupt("not a manifest"));
        }
        let mut input = Reader::new(&content[MAGIC.len()..]);
        let version = input.u32().map_err(|_| corrupt("cut short"))?;
        if version > VERSION {
            return Err(StorageError::Version {
                path: path.to_path_buf(),
                found: version,
                supported: VERSION,
            });
        }
        if crc32c(content) != u32::from_le_bytes(*crc) {
            return Err(corrupt("the checksum does not match"));
        }
        Self::decode_body(&mut input).map_err(|error| corrupt(&error.to_string()))
    }

    fn decode_body(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let first_generation = input.u64()?;
        let next_segment = input.u64()?;
        let mut segments = Vec::new();
        for _ in 0..input.u32()? {
            let mut entry = SegmentEntry {
                id: SegmentId(input.u64()?),
                len: input.u64()?,
                superseded: Superseded::new(),
            };
            for _ in 0..input.u32()? {
                let site = SiteId(input.u32()?);
                let sessions = RoaringBitmap::deserialize_from(input.bytes()?)
                    .map_err(|_| input.malformed("a bitmap of superseded sessions"))?;
                entry.superseded.insert(site, sessions);
            }
            segments.push(entry);
        }
        input.finish()?;
        Ok(Self { first_generation, next_segment, segments })
    }
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
    fn a_newer_version_is_named() {
        let mut bytes = sample().encode();
        bytes[8] = 2;
        let error = Manifest::decode(Path::new("m"), &bytes).unwrap_err();
        assert!(matches!(error, StorageError::Version { found: 2, .. }), "{error}");
    }
}
