//! Little-endian bytes: a [`Writer`] that appends and a [`Reader`] that checks every bound.
//!
//! Variable-length integers are LEB128 (seven bits a byte, least first, at most ten bytes); signed ones are zigzagged
//! before that. Texts and byte strings carry their length as such an integer.
//!
//! The reader never panics and never allocates; a length that goes beyond the bytes at hand is an error, so what a
//! caller allocates is bounded by what it was given. It knows nothing of files or formats.

/// Bytes of the longest variable-length integer.
const VARINT_BYTES_MAX: usize = 10;

/// Bytes that are not what a [`Writer`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct Malformed {
    /// Where in the reader's bytes the value begins.
    pub offset: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Appends values to a buffer.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends after what `bytes` holds.
    pub fn after(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Bytes written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was written.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Eight bytes, two's complement.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// One to ten bytes.
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// One to ten bytes, few for a number near zero.
    pub fn zigzag(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    /// A length and the bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// A length and the text's bytes.
    pub fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// The bytes alone, without their length.
    pub fn raw(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }
}

/// Reads what a [`Writer`] wrote. After an error its position is where the bad value begins.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Where the next value begins.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// Whether everything was read.
    pub fn is_at_end(&self) -> bool {
        self.remaining() == 0
    }

    /// Demands that everything was read.
    pub fn finish(&self) -> Result<(), Malformed> {
        if self.is_at_end() { Ok(()) } else { Err(self.malformed("bytes too many")) }
    }

    /// An error at the position where the reader is, for callers that check what they read.
    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { offset: self.offset, what }
    }

    /// The next `len` bytes.
    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let end = self.offset.checked_add(len).ok_or(self.malformed("too few bytes"))?;
        let taken = self.bytes.get(self.offset..end).ok_or(self.malformed("too few bytes"))?;
        self.offset = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let taken = rest.first_chunk::<N>().ok_or(self.malformed("too few bytes"))?;
        self.offset += N;
        Ok(*taken)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Eight bytes, two's complement.
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A variable-length integer.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        match self.bytes.get(self.offset) {
            Some(&byte) if byte < 0x80 => {
                self.offset += 1;
                Ok(byte.into())
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let mut value = 0u64;
        for (at, &byte) in rest.iter().take(VARINT_BYTES_MAX).enumerate() {
            if at == VARINT_BYTES_MAX - 1 && byte > 1 {
                return Err(self.malformed("integer too large"));
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.offset += at + 1;
                return Ok(value);
            }
        }
        Err(self.malformed("too few bytes"))
    }

    /// A signed variable-length integer.
    #[inline]
    pub fn zigzag(&mut self) -> Result<i64, Malformed> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A number of things that follow, each of which takes at least `bytes_each_min` bytes; an error when the bytes
    /// left cannot hold them. So a caller may reserve memory for them.
    pub fn count(&mut self, bytes_each_min: usize) -> Result<usize, Malformed> {
        let before = self.offset;
        let count = self.varint()?;
        let most = self.remaining() / bytes_each_min.max(1);
        if count > most as u64 {
            self.offset = before;
            return Err(self.malformed("count beyond the end"));
        }
        Ok(count as usize)
    }

    /// Bytes with their length before them.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.count(1)?;
        self.raw(len)
    }

    /// A text with its length before it.
    pub fn str(&mut self) -> Result<&'a str, Malformed> {
        let before = self.offset;
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| {
            self.offset = before;
            self.malformed("text is not UTF-8")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_survive(a: u8, b: u16, c: u32, d: u64, e: i64, f: u64, g: i64, text: String, bytes: Vec<u8>) {
            let mut writer = Writer::new();
            writer.u8(a);
            writer.u16(b);
            writer.u32(c);
            writer.u64(d);
            writer.i64(e);
            writer.varint(f >> (a % 64));
            writer.zigzag(g >> (a % 64));
            writer.str(&text);
            writer.bytes(&bytes);
            writer.raw(&bytes);
            let written = writer.into_vec();
            let mut reader = Reader::new(&written);
            prop_assert_eq!(reader.u8(), Ok(a));
            prop_assert_eq!(reader.u16(), Ok(b));
            prop_assert_eq!(reader.u32(), Ok(c));
            prop_assert_eq!(reader.u64(), Ok(d));
            prop_assert_eq!(reader.i64(), Ok(e));
            prop_assert_eq!(reader.varint(), Ok(f >> (a % 64)));
            prop_assert_eq!(reader.zigzag(), Ok(g >> (a % 64)));
            prop_assert_eq!(reader.str(), Ok(text.as_str()));
            prop_assert_eq!(reader.bytes(), Ok(bytes.as_slice()));
            prop_assert_eq!(reader.finish().is_err(), !bytes.is_empty());
            prop_assert_eq!(reader.raw(bytes.len()), Ok(bytes.as_slice()));
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>, choices: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            for choice in choices {
                let before = reader.offset();
                let failed = match choice % 8 {
                    0 => reader.u16().is_err(),
                    1 => reader.u64().is_err(),
                    2 => reader.varint().is_err(),
                    3 => reader.zigzag().is_err(),
                    4 => reader.bytes().is_err(),
                    5 => reader.str().is_err(),
                    6 => reader.count(usize::from(choice)).is_err(),
                    _ => reader.raw(usize::MAX).is_err(),
                };
                prop_assert!(!failed || reader.offset() == before);
            }
        }
    }

    #[test]
    fn integers_at_the_ends() {
        for value in [0, 0x7f, 0x80, u64::MAX] {
            let mut writer = Writer::new();
            writer.varint(value);
            assert_eq!(Reader::new(writer.as_slice()).varint(), Ok(value));
        }
        for value in [0, -1, i64::MIN, i64::MAX] {
            let mut writer = Writer::new();
            writer.zigzag(value);
            assert_eq!(Reader::new(writer.as_slice()).zigzag(), Ok(value));
        }
        let beyond = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(Reader::new(&beyond).varint(), Err(Malformed { offset: 0, what: "integer too large" }));
        assert!(Reader::new(&[0x80; 20]).varint().is_err());
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        let mut writer = Writer::new();
        writer.u8(0);
        writer.varint(u64::MAX);
        let mut reader = Reader::new(writer.as_slice());
        assert_eq!(reader.u8(), Ok(0));
        assert_eq!(reader.bytes(), Err(Malformed { offset: 1, what: "count beyond the end" }));
    }
}
