//! How far followed files have been taken. A bounded map in the order of use; it knows nothing of files or logs.

use hashbrown::HashMap;

use crate::event::{FileIdentity, Position};
use crate::limits::POSITIONS_MAX;

/// The positions that are remembered: at most [`POSITIONS_MAX`]; beyond it the one that was set longest ago goes.
#[derive(Debug, Clone, Default)]
pub struct Positions {
    /// By identity the offset, and the number of the use that set it.
    entries: HashMap<FileIdentity, (u64, u64)>,
    uses: u64,
}

impl Positions {
    /// Remembers a position, in place of an earlier one of the same file.
    pub fn set(&mut self, position: Position) {
        self.uses += 1;
        let is_new = self.entries.insert(position.identity, (position.offset, self.uses)).is_none();
        if is_new && self.entries.len() > POSITIONS_MAX {
            let oldest = self.entries.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(identity) = oldest.map(|(identity, _)| *identity) {
                self.entries.remove(&identity);
            }
        }
    }

    /// How far the file of this identity has been taken, in bytes; `None` when nothing is remembered of it.
    pub fn offset_of(&self, identity: &FileIdentity) -> Option<u64> {
        self.entries.get(identity).map(|(offset, _)| *offset)
    }

    /// All positions, that which was set longest ago first: setting them in this order gives the same again.
    pub fn in_order(&self) -> Vec<(FileIdentity, u64)> {
        let mut all: Vec<_> = self.entries.iter().collect();
        all.sort_unstable_by_key(|(_, (_, used))| *used);
        all.into_iter().map(|(&identity, &(offset, _))| (identity, offset)).collect()
    }
}

impl FromIterator<(FileIdentity, u64)> for Positions {
    fn from_iter<I: IntoIterator<Item = (FileIdentity, u64)>>(positions: I) -> Self {
        let mut all = Self::default();
        positions.into_iter().for_each(|(identity, offset)| all.set(Position { identity, offset }));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(file: u32, offset: u64) -> Position {
        let mut identity = [0; 16];
        identity[..4].copy_from_slice(&file.to_le_bytes());
        Position { identity, offset }
    }

    #[test]
    fn the_one_that_was_set_longest_ago_goes() {
        let numbers = 0..POSITIONS_MAX as u32;
        let mut positions: Positions = numbers.map(|file| (position(file, 0).identity, 1)).collect();
        positions.set(position(0, 2));
        positions.set(position(u32::MAX, 3));
        let offset = |file| positions.offset_of(&position(file, 0).identity);
        assert_eq!([offset(0), offset(1), offset(2), offset(u32::MAX)], [Some(2), None, Some(1), Some(3)]);
        let order = positions.in_order();
        assert_eq!(order.len(), POSITIONS_MAX);
        assert_eq!(order.last(), Some(&(position(u32::MAX, 3).identity, 3)));
        let again: Positions = order.iter().copied().collect();
        assert_eq!(again.in_order(), order);
    }
}
