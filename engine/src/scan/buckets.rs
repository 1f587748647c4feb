//! From a time to its bucket, for any sorted edges.
//!
//! The time between the first and the last edge is cut into equal granules, a power of two of milliseconds long;
//! a table holds each granule's first bucket. Where no granule holds more than one edge (so with all regular edges),
//! a lookup is a shift, two loads and a comparison; otherwise the edges of the granule are searched.

/// The largest table, in granules.
const GRANULE_COUNT_MAX: u64 = 1 << 22;
/// Granules for each bucket that the table aims at.
const GRANULES_A_BUCKET: u64 = 8;

/// Sorted edges with a lookup table. Bucket `i` is `edges[i] <= time < edges[i + 1]`.
#[derive(Debug, Clone)]
pub struct Buckets {
    edges: Vec<i64>,
    shift: u32,
    /// Bucket at the start of each granule, and the last bucket at the end.
    firsts: Vec<u32>,
    /// No granule holds more than one edge.
    is_even: bool,
}

impl Buckets {
    /// The buckets between sorted edges.
    pub fn new(edges: &[i64]) -> Self {
        let edges = edges.to_vec();
        let (first, last) = match (edges.first(), edges.last()) {
            (Some(&first), Some(&last)) if first < last => (first, last),
            _ => return Self { edges: Vec::new(), shift: 0, firsts: Vec::new(), is_even: true },
        };
        let width = last.wrapping_sub(first) as u64;
        let aim = (edges.len() as u64 * GRANULES_A_BUCKET).clamp(1024, GRANULE_COUNT_MAX);
        let mut shift = 0;
        while (width - 1) >> shift >= aim {
            shift += 1;
        }
        let granule_count = ((width - 1) >> shift) + 1;
        let mut firsts = Vec::with_capacity(granule_count as usize + 1);
        let mut bucket = 0;
        for granule in 0..granule_count {
            let start = first.wrapping_add((granule << shift) as i64);
            while edges[bucket + 1] <= start {
                bucket += 1;
            }
            firsts.push(bucket as u32);
        }
        firsts.push((edges.len() - 2) as u32);
        let is_even = firsts.windows(2).all(|pair| pair[1] - pair[0] <= 1);
        Self { edges, shift, firsts, is_even }
    }

    /// The bucket that holds `time`, if any does.
    #[inline]
    pub fn find(&self, time: i64) -> Option<u32> {
        let (first, last) = (*self.edges.first()?, *self.edges.last()?);
        if time < first || time >= last {
            return None;
        }
        let granule = (time.wrapping_sub(first) as u64 >> self.shift) as usize;
        let low = *self.firsts.get(granule)?;
        if self.is_even {
            return Some(low + u32::from(*self.edges.get(low as usize + 1)? <= time));
        }
        Some(self.search(low, *self.firsts.get(granule + 1)?, time))
    }

    #[inline(never)]
    fn search(&self, low: u32, high: u32, time: i64) -> u32 {
        let edges = self.edges.get(low as usize + 1..=high as usize).unwrap_or_default();
        low + edges.partition_point(|&edge| edge <= time) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edges: &[i64], times: impl Iterator<Item = i64>) {
        let buckets = Buckets::new(edges);
        for time in times {
            let want = edges.windows(2).position(|pair| pair[0] <= time && time < pair[1]);
            assert_eq!(buckets.find(time), want.map(|at| at as u32), "{time} in {edges:?}");
        }
    }

    #[test]
    fn finds_what_a_plain_search_finds() {
        check(&[0, 10, 10, 11, 5000, 5001, 90_000_000], (-5..6000).chain([89_999_999, 90_000_000]));
        check(&[-7, -3], -10..3);
        check(&[5, 5], 0..9);
        check(&[], 0..3);
        check(&[3], 0..5);
        check(&[i64::MIN, 0, i64::MAX], [i64::MIN, -1, 0, 1, i64::MAX - 1, i64::MAX].into_iter());
        let days: Vec<i64> =
            (0..400).map(|day| day * 86_400_000 - if day > 90 { 3_600_000 } else { 0 }).collect();
        check(&days, (0..2000).map(|n| n * 17_280_001));
    }
}
