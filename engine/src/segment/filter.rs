//! A Bloom filter over the visitors of one site in one segment, in memory: most visitors are not in most segments, and
//! the writer asks all that are near an event's time.
//!
//! Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970; all bits of a visitor lie in one cache line,
//! as in Putze, Sanders, Singler, "Cache-, hash- and space-efficient Bloom filters", 2009. About one in two hundred
//! visitors that are not there passes.

const WORDS: usize = 8;
/// Sessions for each line of this many words: between twelve and thirteen bits for each.
const SESSIONS_PER_LINE: usize = 40;
/// Bits of a visitor; with nine bits for the place of each, one number gives all.
const PROBES: usize = 6;
const LINE_BITS: u64 = 64 * WORDS as u64;

/// Which visitors may be there.
pub(crate) struct VisitorFilter {
    lines: Vec<Line>,
}

/// A cache line.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Line([u64; WORDS]);

impl VisitorFilter {
    pub(crate) fn of(visitors: &[u64]) -> Self {
        let mut filter = Self { lines: vec![Line::default(); visitors.len() / SESSIONS_PER_LINE + 1] };
        for &visitor in visitors {
            let (line, mixed) = filter.place(visitor);
            if let Some(Line(words)) = filter.lines.get_mut(line) {
                places(mixed).for_each(|(word, bit)| words[word] |= bit);
            }
        }
        filter
    }

    /// `false`: the visitor is not there.
    pub(crate) fn may_hold(&self, visitor: u64) -> bool {
        let (line, mixed) = self.place(visitor);
        self.lines
            .get(line)
            .is_some_and(|Line(words)| places(mixed).all(|(word, bit)| words[word] & bit != 0))
    }

    /// The line, and a number whose bits tell the bits in it. Ids that a site gave through an import need not be hashes, so
    /// they are mixed.
    fn place(&self, visitor: u64) -> (usize, u64) {
        let mixed = visitor.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let line = ((u128::from(mixed) * self.lines.len() as u128) >> 64) as usize;
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (line, mixed ^ (mixed >> 31))
    }
}

/// The words of a visitor's bits in its line, and the bits.
fn places(mixed: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..PROBES).map(move |probe| {
        let place = (mixed >> (9 * probe)) % LINE_BITS;
        ((place / 64) as usize, 1 << (place % 64))
    })
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
            assert!(others < 1_500, "{others} of 100,000 others pass");
        }
        assert!(!VisitorFilter::of(&[]).may_hold(5));
    }
}
