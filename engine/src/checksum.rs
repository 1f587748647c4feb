//! The one checksum of all files: CRC-32C (Castagnoli). It knows nothing of files.

/// The CRC-32C of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The CRC-32C of bytes of which `crc` is that of the first ones (0 of none) and `bytes` are the rest.
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, bytes)
}

/// The CRC-32C of `parts` one after the other, without joining them.
pub fn crc32c_of_parts(parts: &[&[u8]]) -> u32 {
    parts.iter().fold(0, |crc, part| crc32c_append(crc, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn parts_count_as_one_text() {
        assert_eq!(crc32c_of_parts(&[b"1234", b"", b"56789"]), crc32c(b"123456789"));
        assert_eq!(crc32c_of_parts(&[]), crc32c(b""));
    }
}
