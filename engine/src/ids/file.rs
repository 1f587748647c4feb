//! A file of event ids: those that arrived in one hour, or a part of them. Written once, never changed.
//!
//! ```text
//! header  magic "HITSIDS1" 8 | version u32 = 1 | zero u32 | hour u32 | zero u32 | number u64 | count u64 | zero u32
//!         | CRC32C u32 of the 44 bytes before and of all ids
//! ids     16 bytes each, ascending, no two alike, to the end of the file
//! ```
//!
//! The hour counts from 1970-01-01. The name says hour and number too: `ids/HHHHHHHH-NNNNNNNNNNNNNNNN`, hexadecimal. A
//! file comes to its name by a rename once it is whole, so every file of such a name is in force, whoever left it.

use std::path::{Path, PathBuf};

use super::filter::{Filter, Probe};
use crate::checksum::crc32c_of_parts;
use crate::codec::{Malformed, Reader, Writer};
use crate::error::StorageError;
use crate::units::EventHash;
use crate::version::Kind;
use crate::vfs::{self, Bytes, Fs};

/// How a file begins.
pub const KIND: Kind = Kind { magic: *b"HITSIDS1", version: 1 };
/// Bytes before the ids.
pub const HEADER_BYTES: usize = 48;
/// Bytes of the header that the checksum covers.
const CHECKED_BYTES: usize = 44;
/// Ids that are written at once.
const WRITE_IDS: usize = 1 << 16;

/// An id file: mapped, checked, with its filter in memory.
pub struct IdFile {
    path: PathBuf,
    hour: u32,
    number: u64,
    bytes: Bytes,
    filter: Filter,
}

impl IdFile {
    /// Checks the bytes of a file. `path` is for messages.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], [`StorageError::Version`].
    pub fn of(path: &Path, bytes: Bytes) -> Result<Self, StorageError> {
        let corrupt = |error: Malformed| StorageError::corrupt(path, error.offset as u64, error.what);
        KIND.check(path, &bytes)?;
        let header = Header::decode(&bytes).map_err(corrupt)?;
        let hashes = ids_of(&bytes);
        if size_of_val(hashes) + HEADER_BYTES != bytes.len() || hashes.len() as u64 != header.count {
            return Err(StorageError::corrupt(path, 32, "the file is longer or shorter than it says"));
        }
        if !hashes.is_sorted_by(|a, b| a < b) {
            return Err(StorageError::corrupt(path, HEADER_BYTES as u64, "the ids are not in order"));
        }
        let filter = Filter::of(hashes);
        Ok(Self { path: path.to_path_buf(), hour: header.hour, number: header.number, bytes, filter })
    }

    /// Opens the file of this name.
    pub(super) fn open(fs: &dyn Fs, dir: &Path, name: Name) -> Result<Self, StorageError> {
        let path = name.path(dir);
        let file = Self::of(&path, fs.map(&path)?)?;
        if (file.hour, file.number) != (name.hour, name.number) {
            let what = format!("it is file {} of hour {}", file.number, file.hour);
            return Err(StorageError::corrupt(&path, 16, what));
        }
        Ok(file)
    }

    /// Writes a file of these ids, ascending, durably, and opens it.
    pub(super) fn write(
        fs: &dyn Fs,
        dir: &Path,
        name: Name,
        hashes: &[EventHash],
    ) -> Result<Self, StorageError> {
        let header = header(name.hour, name.number, hashes);
        vfs::replace_with(fs, &name.path(dir), true, &mut |file| {
            file.append(&header)?;
            hashes.chunks(WRITE_IDS).try_for_each(|part| file.append(bytemuck::cast_slice(part)))
        })?;
        Self::open(fs, dir, name)
    }

    /// Whether the id is in the file.
    pub fn holds(&self, hash: &EventHash) -> bool {
        self.holds_probed(&Probe::of(hash))
    }

    pub(super) fn holds_probed(&self, probe: &Probe) -> bool {
        self.filter.may_hold(probe) && self.hashes().binary_search(&probe.hash).is_ok()
    }

    /// Its ids, ascending.
    pub fn hashes(&self) -> &[EventHash] {
        ids_of(&self.bytes)
    }

    /// The hour in which the ids arrived.
    pub fn hour(&self) -> u32 {
        self.hour
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The whole bytes of a file of these ids, which must ascend.
pub fn encode(hour: u32, number: u64, hashes: &[EventHash]) -> Vec<u8> {
    let mut bytes = header(hour, number, hashes);
    bytes.extend_from_slice(bytemuck::cast_slice(hashes));
    bytes
}

fn header(hour: u32, number: u64, hashes: &[EventHash]) -> Vec<u8> {
    let mut out = Writer::new();
    out.raw(&KIND.magic);
    out.u32(KIND.version);
    out.u32(0);
    out.u32(hour);
    out.u32(0);
    out.u64(number);
    out.u64(hashes.len() as u64);
    out.u32(0);
    out.u32(crc32c_of_parts(&[out.as_slice(), bytemuck::cast_slice(hashes)]));
    out.into_vec()
}

/// The ids behind the header; bytes that are no whole id are left to the count.
fn ids_of(bytes: &[u8]) -> &[EventHash] {
    let ids = bytes.get(HEADER_BYTES..).unwrap_or_default();
    bytemuck::cast_slice(&ids[..ids.len() - ids.len() % size_of::<EventHash>()])
}

struct Header {
    hour: u32,
    number: u64,
    count: u64,
}

impl Header {
    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let checked = Reader::new(bytes).raw(CHECKED_BYTES)?;
        if reader.raw(KIND.magic.len())? != KIND.magic {
            return Err(Reader::new(bytes).malformed("not a file of event ids"));
        }
        reader.u32()?;
        reader.u32()?;
        let hour = reader.u32()?;
        reader.u32()?;
        let number = reader.u64()?;
        let count = reader.u64()?;
        reader.u32()?;
        let crc = reader.u32()?;
        if crc != crc32c_of_parts(&[checked, reader.raw(reader.remaining())?]) {
            return Err(Reader::new(bytes).malformed("the checksum does not match"));
        }
        Ok(Self { hour, number, count })
    }
}

/// What an id file's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) hour: u32,
    pub(super) number: u64,
}

impl Name {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (hour, number) = name.split_once('-')?;
        let parsed =
            Self { hour: u32::from_str_radix(hour, 16).ok()?, number: u64::from_str_radix(number, 16).ok()? };
        (parsed.text() == name).then_some(parsed)
    }

    fn text(self) -> String {
        format!("{:08x}-{:016x}", self.hour, self.number)
    }

    pub(super) fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hash;
    use super::*;

    fn sorted(numbers: std::ops::Range<u64>) -> Vec<EventHash> {
        let mut hashes: Vec<EventHash> = numbers.map(hash).collect();
        hashes.sort_unstable();
        hashes
    }

    fn read(bytes: &[u8]) -> Result<IdFile, StorageError> {
        IdFile::of(Path::new("ids/x"), Bytes::copy_of(bytes))
    }

    #[test]
    fn a_file_holds_its_ids_and_no_other() {
        for count in [0, 1, 2, 1000] {
            let bytes = encode(7, 9, &sorted(0..count));
            assert_eq!(bytes.len(), HEADER_BYTES + 16 * count as usize);
            let file = read(&bytes).unwrap();
            assert_eq!((file.hour(), file.number(), file.hashes().len() as u64), (7, 9, count));
            assert!((0..count).all(|n| file.holds(&hash(n))));
            assert!((count..count + 1000).all(|n| !file.holds(&hash(n))));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let bytes = encode(7, 9, &sorted(0..5));
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            match read(&damaged) {
                Err(StorageError::Corrupt { .. }) => {}
                Err(StorageError::Version { .. }) => assert!((64..96).contains(&at), "bit {at}"),
                _ => panic!("bit {at}"),
            }
        }
        for len in 0..bytes.len() {
            assert!(matches!(read(&bytes[..len]), Err(StorageError::Corrupt { .. })), "cut at {len}");
        }
        assert!(read(&[&bytes[..], &[0; 16]].concat()).is_err());
    }

    #[test]
    fn what_a_faulty_writer_would_write_is_refused() {
        let mut hashes = sorted(0..5);
        hashes.swap(1, 2);
        assert!(matches!(read(&encode(7, 9, &hashes)), Err(StorageError::Corrupt { offset: 48, .. })));
        let mut newer = encode(7, 9, &[]);
        newer[8] = 2;
        assert!(matches!(read(&newer), Err(StorageError::Version { found: 2, .. })), "whatever the checksum");
        let crc = crc32c_of_parts(&[&newer[..CHECKED_BYTES]]);
        newer[CHECKED_BYTES..].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(read(&newer), Err(StorageError::Version { found: 2, supported: 1, .. })));
        let mut longer = [encode(7, 9, &sorted(0..5)), vec![0; 3]].concat();
        let crc = crc32c_of_parts(&[&longer[..CHECKED_BYTES], &longer[HEADER_BYTES..]]);
        longer[CHECKED_BYTES..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(read(&longer), Err(StorageError::Corrupt { offset: 32, .. })));
    }

    #[test]
    fn names_are_exact() {
        let name = Name { hour: 0x7_1234, number: 0x1f };
        assert_eq!(Name::parse(&name.text()), Some(name));
        for other in
            ["", "-", "00071234", "71234-1f", "00071234-000000000000001F", "00071234-000000000000001f.tmp"]
        {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
