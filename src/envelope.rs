//! The envelope of small files that are replaced as a whole: magic, version, length, checksum, payload.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..8 | magic, names the kind of file |
//! | 8..12 | version of the payload, little-endian |
//! | 12..16 | length of the payload |
//! | 16..20 | CRC32C of bytes 0..16 and the payload |
//! | 20.. | payload, JSON |

use std::path::Path;

use hitstone_engine::checksum::crc32c_of_parts;
use hitstone_engine::error::StorageError;
use hitstone_engine::version::Kind;
use hitstone_engine::vfs::{self, Fs};
use serde::Serialize;
use serde::de::DeserializeOwned;

const HEAD_BYTES: usize = 20;

/// Replaces the file by `value`, atomically and durably, mode 0600.
///
/// # Errors
/// The file system refused.
pub fn write<T: Serialize>(fs: &dyn Fs, path: &Path, kind: Kind, value: &T) -> Result<(), StorageError> {
    let payload =
        serde_json::to_vec(value).map_err(|error| StorageError::corrupt(path, 0, error.to_string()))?;
    vfs::replace(fs, path, &wrap(kind, &payload), true)
}

/// Reads the file; `None` when there is none.
///
/// # Errors
/// The file is damaged or was written by a newer program.
pub fn read<T: DeserializeOwned>(fs: &dyn Fs, path: &Path, kind: Kind) -> Result<Option<T>, StorageError> {
    if !fs.exists(path)? {
        return Ok(None);
    }
    let bytes = fs.read(path)?;
    let payload = unwrap(path, kind, &bytes)?;
    serde_json::from_slice(payload)
        .map(Some)
        .map_err(|error| StorageError::corrupt(path, HEAD_BYTES as u64, error.to_string()))
}

fn wrap(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + payload.len());
    bytes.extend_from_slice(&kind.magic);
    bytes.extend_from_slice(&kind.version.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let checksum = crc32c_of_parts(&[&bytes, payload]);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn unwrap<'a>(path: &Path, kind: Kind, bytes: &'a [u8]) -> Result<&'a [u8], StorageError> {
    kind.check(path, bytes)?;
    let fault = |offset: u64, what: &str| StorageError::corrupt(path, offset, what);
    let Some((head, payload)) = bytes.split_at_checked(HEAD_BYTES) else {
        return Err(fault(bytes.len() as u64, "the file is too short"));
    };
    let number =
        |at: usize| head.get(at..at + 4).and_then(|part| part.try_into().ok()).map(u32::from_le_bytes);
    if head.get(..8) != Some(kind.magic.as_slice()) {
        return Err(fault(0, "the file does not begin as it should"));
    }
    let checksum = crc32c_of_parts(&[head.get(..16).unwrap_or_default(), payload]);
    if number(12) != Some(payload.len() as u32) {
        return Err(fault(12, "the length is not what was written"));
    }
    if number(16) != Some(checksum) {
        return Err(fault(16, "the checksum is not what was written"));
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { magic: *b"HITTEST\0", version: 1 };

    #[test]
    fn every_flipped_bit_is_seen() {
        let path = Path::new("state");
        let bytes = wrap(KIND, b"{\"a\":1}");
        assert_eq!(unwrap(path, KIND, &bytes).unwrap(), b"{\"a\":1}");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unwrap(path, KIND, &damaged).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(unwrap(path, KIND, &bytes[..len]).is_err(), "length {len}");
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let bytes = wrap(Kind { version: 2, ..KIND }, b"{}");
        let mut of_another_layout = wrap(KIND, b"{}");
        of_another_layout[8] = 2;
        for bytes in [bytes, of_another_layout] {
            assert!(matches!(
                unwrap(Path::new("x"), KIND, &bytes),
                Err(StorageError::Version { found: 2, supported: 1, .. })
            ));
        }
    }
}
