//! A Bloom filter over the visitors of one site in one segment, in memory: most visitors are not in most segments, and
//! the writer asks all that are near an event's time.
//!
//! Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970; three probes in one 64-bit word, as visitor
//! ids are hashes already. About one in thirty visitors that are not there passes.

/// Sessions for each 64-bit word.
const SESSIONS_PER_WORD: usize = 5;

/// Which visitors may be there.
pub(crate) struct VisitorFilter {
    words: Vec<u64>,
}

impl VisitorFilter {
    pub(crate) fn of(visitors: &[u64]) -> Self {
        let mut filter = Self { words: vec![0; visitors.len() / SESSIONS_PER_WORD + 1] };
        for &visitor in visitors {
            let (word, bits) = filter.place(visitor);
            filter.words[word] |= bits;
        }
        filter
    }

    /// `false`: the visitor is not there.
    pub(crate) fn may_hold(&self, visitor: u64) -> bool {
        let (word, bits) = self.place(visitor);
        self.words[word] & bits == bits
    }

    /// The word and the bits in it. Ids that a site gave through an import need not be hashes, so they are mixed.
    fn place(&self, visitor: u64) -> (usize, u64) {
        let mixed = visitor.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = mixed ^ (mixed >> 32);
        let word = ((u128::from(mixed.wrapping_mul(0xd6e8_feb8_6659_fd93)) * self.words.len() as u128) >> 64)
            as usize;
        (word, 1 << (mixed & 63) | 1 << (mixed >> 6 & 63) | 1 << (mixed >> 12 & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_are_there_pass_and_few_others() {
        for stride in [1, 0x1000_0000_0001] {
            let visitors: Vec<u64> = (0..10_000).map(|n| n * stride).collect();
            let filter = VisitorFilter::of(&visitors);
            assert!(visitors.iter().all(|&visitor| filter.may_hold(visitor)));
            let others = (10_000..110_000).filter(|n| filter.may_hold(n * stride)).count();
            assert!(others < 8_000, "{others} of 100,000 others pass");
        }
        assert!(!VisitorFilter::of(&[]).may_hold(5));
    }
}
