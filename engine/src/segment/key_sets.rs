//! Which keys the texts of a column of pairs have: few sets of keys stand for many texts.

use std::collections::HashMap;

use crate::event::Pairs;

/// The sets of keys of a column's texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextKeySets {
    /// The set of each text.
    of_texts: Box<[u32]>,
    /// A text that has each set.
    examples: Box<[u32]>,
}

impl TextKeySets {
    /// Of these texts, each of which is decoded. They are numbered from 0.
    pub fn of<'t>(texts: impl ExactSizeIterator<Item = &'t str>) -> Self {
        let mut known: HashMap<Vec<&str>, u32> = HashMap::new();
        let (mut of_texts, mut examples) = (Vec::with_capacity(texts.len()), Vec::new());
        // Texts are in byte order: neighbours often have the same keys.
        let (mut before, mut keys) = (Vec::new(), Vec::new());
        let mut set = None;
        for (number, text) in (0..).zip(texts) {
            keys.clear();
            keys.extend(Pairs(text).iter().map(|pair| pair.0));
            let own = match set {
                Some(set) if keys == before => set,
                _ => *known.entry(keys.clone()).or_insert_with(|| {
                    examples.push(number);
                    examples.len() as u32 - 1
                }),
            };
            of_texts.push(own);
            set = Some(own);
            std::mem::swap(&mut before, &mut keys);
        }
        Self { of_texts: of_texts.into(), examples: examples.into() }
    }

    /// How many sets there are.
    pub fn count(&self) -> usize {
        self.examples.len()
    }

    /// The set of a text, by the text's number.
    #[inline]
    pub fn of_text(&self, number: u32) -> Option<u32> {
        self.of_texts.get(number as usize).copied()
    }

    /// A text that has this set.
    pub fn example(&self, set: u32) -> Option<u32> {
        self.examples.get(set as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::encode_pairs;

    #[test]
    fn texts_with_the_same_keys_share_a_set() {
        let pairs: [&[(&str, &str)]; 5] = [
            &[("a", "1")],
            &[("a", "2")],
            &[("a", "2"), ("b", "3")],
            &[("b", "1")],
            &[("a", "7"), ("b", "")],
        ];
        let mut all: Vec<String> = pairs.iter().map(|pairs| encode_pairs(pairs)).collect();
        all.sort_unstable();
        let sets = TextKeySets::of(all.iter().map(String::as_str));
        assert_eq!(sets.count(), 3);
        let keys = |text: &str| Pairs(text).iter().map(|pair| pair.0.to_owned()).collect::<Vec<_>>();
        for (number, text) in (0..).zip(&all) {
            let example = sets.of_text(number).and_then(|set| sets.example(set)).unwrap();
            assert_eq!(keys(&all[example as usize]), keys(text));
        }
        assert_eq!((sets.of_text(5), sets.example(3)), (None, None));
    }
}
