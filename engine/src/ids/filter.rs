//! Bloom filters over event ids, so that an id that a file does not have touches no page of the file.
//!
//! A filter is blocks of one cache line; all bits of an id lie in one block. Ids are keyed hashes already, so their own
//! bits choose. With twelve bits an id about one foreign id in two hundred passes. It knows nothing of files.

use crate::units::EventHash;

const WORDS: usize = 8;
const BLOCK_BITS: usize = WORDS * 64;
/// About twelve bits for each.
const IDS_A_BLOCK: usize = BLOCK_BITS / 12;
/// Bits that an id sets; with nine bits for the place of each, one number gives all.
const PROBES: usize = 6;

/// Tells of most foreign ids that they are foreign, and of no other.
pub(super) struct Filter {
    blocks: Vec<[u64; WORDS]>,
}

impl Filter {
    /// A filter that these ids pass.
    pub(super) fn of(hashes: &[EventHash]) -> Self {
        let count = hashes.len().div_ceil(IDS_A_BLOCK);
        let mut blocks = vec![[0; WORDS]; count];
        for hash in hashes {
            let probe = Probe::of(hash);
            if let Some(block) = blocks.get_mut(probe.block(count)) {
                block.iter_mut().zip(probe.mask).for_each(|(word, bits)| *word |= bits);
            }
        }
        Self { blocks }
    }

    /// Whether the id may be one of those that the filter was made of.
    pub(super) fn may_hold(&self, probe: &Probe) -> bool {
        let block = self.blocks.get(probe.block(self.blocks.len()));
        block.is_some_and(|block| block.iter().zip(probe.mask).all(|(word, bits)| word & bits == bits))
    }
}

/// An id with its bits, worked out once for all filters.
pub(super) struct Probe {
    pub(super) hash: EventHash,
    mask: [u64; WORDS],
}

impl Probe {
    pub(super) fn of(hash: &EventHash) -> Self {
        let mut choice = u128::from_be_bytes(hash.0) as u64;
        let mut mask = [0; WORDS];
        for _ in 0..PROBES {
            let bit = choice as usize % BLOCK_BITS;
            mask[bit / 64] |= 1 << (bit % 64);
            choice /= BLOCK_BITS as u64;
        }
        Self { hash: *hash, mask }
    }

    /// The id's block among `count`. Ids in order go to blocks in order.
    fn block(&self, count: usize) -> usize {
        let position = u128::from_be_bytes(self.hash.0) >> 64;
        ((position * count as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hash;
    use super::*;

    #[test]
    fn its_own_ids_pass_and_few_others() {
        let own: Vec<EventHash> = (0..20_000).map(hash).collect();
        let filter = Filter::of(&own);
        assert!(own.iter().all(|id| filter.may_hold(&Probe::of(id))));
        let foreign = (20_000..120_000).filter(|&n| filter.may_hold(&Probe::of(&hash(n)))).count();
        assert!(foreign < 1_000, "{foreign} of 100,000 foreign ids pass");
        assert!(!Filter::of(&[]).may_hold(&Probe::of(&hash(1))));
    }
}
