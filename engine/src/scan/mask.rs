//! A test of codes: which codes of a dictionary pass, worked out once before the loop.

/// Which codes pass. A code past the end is taken for 0, the absent value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mask {
    /// No code passes.
    Never,
    /// Every code passes.
    Always,
    /// Code `c` passes when entry `c` is true. At least one entry.
    Codes(Vec<bool>),
}

impl Mask {
    /// The mask with these entries, of which only those that `matters` need be right: the others do not occur.
    pub fn of(entries: Vec<bool>, matters: impl Fn(usize) -> bool) -> Self {
        let mut seen = [false; 2];
        for (code, &entry) in entries.iter().enumerate() {
            if matters(code) {
                seen[usize::from(entry)] = true;
            }
        }
        match seen {
            [true, true] => Mask::Codes(entries),
            [false, true] => Mask::Always,
            _ => Mask::Never,
        }
    }

    /// Whether the code passes.
    #[inline]
    pub fn passes(&self, code: u32) -> bool {
        match self {
            Mask::Never => false,
            Mask::Always => true,
            Mask::Codes(entries) => match entries.get(code as usize) {
                Some(&entry) => entry,
                None => entries.first().copied().unwrap_or(false),
            },
        }
    }

    /// The mask of the codes that pass both.
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Mask::Never, _) | (_, Mask::Never) => Mask::Never,
            (Mask::Always, mask) | (mask, Mask::Always) => mask.clone(),
            (Mask::Codes(own), Mask::Codes(others)) => {
                let codes = 0..own.len().max(others.len()) as u32;
                Mask::of(codes.map(|code| self.passes(code) && other.passes(code)).collect(), |_| true)
            }
        }
    }

    /// For each of so many codes whether it passes.
    pub fn into_entries(self, len: usize) -> Vec<bool> {
        match self {
            Mask::Never => vec![false; len],
            Mask::Always => vec![true; len],
            Mask::Codes(entries) => entries,
        }
    }

    /// The codes that pass, when they are neither none nor all.
    pub fn codes(&self) -> impl Iterator<Item = u32> + '_ {
        let entries = match self {
            Mask::Codes(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().enumerate().filter(|(_, entry)| **entry).map(|(code, _)| code as u32)
    }
}
