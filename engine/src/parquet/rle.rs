//! Parquet's hybrid of run lengths and packed bits, for dictionary codes and definition levels.

/// Values of a packed run come in groups of so many.
const GROUP: usize = 8;
/// Runs of as many equal values are told by their length; shorter ones are packed.
const LEAST_RUN: usize = 8;
/// Values packed in one run, at most.
const MOST_PACKED: usize = 1 << 15;

/// Encodes values of one width, appended to bytes that are there already.
pub(super) struct HybridEncoder {
    width: u32,
    out: Vec<u8>,
    packed: Vec<u32>,
    value: u32,
    count: usize,
}

impl HybridEncoder {
    /// For values of `width` bits, 1 to 32.
    pub fn new(width: u32, out: Vec<u8>) -> Self {
        Self { width: width.clamp(1, 32), out, packed: Vec::new(), value: 0, count: 0 }
    }

    /// The value, so many times more.
    pub fn put(&mut self, value: u32, count: usize) {
        if value != self.value {
            self.end_equal();
            self.value = value;
        }
        self.count += count;
    }

    /// All bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.end_equal();
        self.end_packed();
        self.out
    }

    /// Where equal values end. A group that is begun is filled first: only the last one may be padded.
    fn end_equal(&mut self) {
        let missing = self.packed.len().next_multiple_of(GROUP) - self.packed.len();
        self.pack(missing.min(self.count));
        if self.count >= LEAST_RUN {
            self.end_packed();
            self.header((self.count as u64) << 1);
            let bytes = self.width.div_ceil(8) as usize;
            self.out.extend(self.value.to_le_bytes().into_iter().take(bytes));
            self.count = 0;
        }
        self.pack(self.count);
        if self.packed.len() >= MOST_PACKED && self.packed.len().is_multiple_of(GROUP) {
            self.end_packed();
        }
    }

    fn pack(&mut self, count: usize) {
        self.packed.extend(std::iter::repeat_n(self.value, count));
        self.count -= count;
    }

    fn end_packed(&mut self) {
        if self.packed.is_empty() {
            return;
        }
        let groups = self.packed.len().div_ceil(GROUP);
        self.packed.resize(groups * GROUP, 0);
        self.header((groups as u64) << 1 | 1);
        let (mut bits, mut filled) = (0u64, 0);
        for &value in &self.packed {
            bits |= u64::from(value) << filled;
            filled += self.width;
            while filled >= 8 {
                self.out.push(bits as u8);
                bits >>= 8;
                filled -= 8;
            }
        }
        self.packed.clear();
    }

    /// A run's header, seven bits a byte.
    fn header(&mut self, mut header: u64) {
        while header >= 0x80 {
            self.out.push(header as u8 | 0x80);
            header >>= 7;
        }
        self.out.push(header as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(width: u32, runs: &[(u32, usize)]) -> Vec<u8> {
        let mut encoder = HybridEncoder::new(width, Vec::new());
        runs.iter().for_each(|&(value, count)| encoder.put(value, count));
        encoder.finish()
    }

    #[test]
    fn the_examples_of_the_format() {
        let counting: Vec<(u32, usize)> = (0..8).map(|value| (value, 1)).collect();
        assert_eq!(encode(3, &counting), [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
        assert_eq!(encode(1, &[(1, 100)]), [200, 1, 1]);
        assert_eq!(encode(12, &[(0xabc, 8)]), [16, 0xbc, 0x0a]);
        assert!(encode(8, &[]).is_empty());
    }

    #[test]
    fn a_group_that_is_begun_is_filled_before_a_run() {
        assert_eq!(
            encode(8, &[(1, 1), (2, 20), (3, 1)]),
            [3, 1, 2, 2, 2, 2, 2, 2, 2, 26, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(encode(8, &[(1, 1), (2, 9)])[..9], [5, 1, 2, 2, 2, 2, 2, 2, 2]);
    }
}
