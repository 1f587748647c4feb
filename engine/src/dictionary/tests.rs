//! Dictionaries against plain maps, and over damaged bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{DictionaryBuilder, SiteDictionary};
use crate::error::StorageError;
use crate::schema::Column;
use crate::segment::layout::{FileWriter, Tag};
use crate::units::{SegmentId, SiteId};
use crate::vfs::Bytes;

const SITE: SiteId = SiteId(7);
const COLUMNS: [Column; 3] = [Column::Referrer, Column::Path, Column::Source];

/// Codes and strings of each column.
type Plain = BTreeMap<(Column, u32), String>;

fn open(bytes: &[u8]) -> Result<SiteDictionary, StorageError> {
    SiteDictionary::open(Path::new("dictionary-1"), Bytes::copy_of(bytes))
}

fn build(older: Option<&SiteDictionary>, entries: &[((Column, u32), String)]) -> Vec<u8> {
    let mut builder = DictionaryBuilder::new(Path::new("dictionary-1"), older);
    for (number, ((column, code), text)) in (0..).zip(entries) {
        builder.add(*column, *code, text, number).unwrap();
    }
    let text = |_, number: u32| entries[number as usize].1.as_bytes();
    builder.finish(SegmentId(1), SITE, text, Vec::new()).unwrap()
}

/// Strings with codes that follow each other, or with gaps; in an order that is not that of the codes.
fn entries() -> impl Strategy<Value = Vec<((Column, u32), String)>> {
    let column =
        (vec("[a-cä/]{1,6}", 0..160), 1u32..50, prop_oneof![Just(1u32), 1u32..25_000_000], any::<u64>());
    vec(column, COLUMNS.len()).prop_map(|columns| {
        let mut all = Vec::new();
        for (column, (texts, first, step, mix)) in COLUMNS.into_iter().zip(columns) {
            let texts: BTreeSet<String> = texts.into_iter().collect();
            let mut texts: Vec<String> = texts.into_iter().collect();
            texts.sort_by_key(|text| {
                text.bytes().fold(mix, |hash, byte| hash.rotate_left(9) ^ u64::from(byte))
            });
            let codes = (0u32..).map(|at| first + at * step + u32::from(step > 1 && at % 3 == 0));
            all.extend(codes.map(|code| (column, code)).zip(texts));
        }
        all.sort_by_key(|((column, code), _)| (code.wrapping_mul(0x9e37_79b9), *column));
        all
    })
}

fn assert_same(dictionary: &SiteDictionary, plain: &Plain) {
    dictionary.verify().unwrap();
    assert_eq!((dictionary.id(), dictionary.site()), (SegmentId(1), SITE));
    for column in Column::ALL {
        let of_column = |entry: &(&(Column, u32), &String)| entry.0.0 == column;
        let wanted: Vec<(u32, &str)> =
            plain.iter().filter(of_column).map(|((_, code), text)| (*code, text.as_str())).collect();
        let found: Vec<(u32, &str)> = dictionary.entries(column).collect();
        assert_eq!(found, wanted, "{column:?}");
        assert_eq!((dictionary.len(column), dictionary.is_empty(column)), (wanted.len(), wanted.is_empty()));
        assert_eq!(dictionary.greatest(column), wanted.last().map_or(0, |last| last.0));
        assert_eq!(dictionary.find(column, ""), Some(0));
        assert_eq!(dictionary.get(column, 0), "");
        for (code, text) in wanted {
            assert_eq!((dictionary.get(column, code), dictionary.find(column, text)), (text, Some(code)));
            for near in [code - 1, code.saturating_add(1), u32::MAX] {
                let known = plain.get(&(column, near)).map_or("", String::as_str);
                assert_eq!(dictionary.get(column, near), known);
            }
            for other in
                [format!("{text}b"), text[..text.len() - text.chars().last().unwrap().len_utf8()].into()]
            {
                let known = plain.iter().find(|((of, _), text)| *of == column && **text == other);
                let known = known.map(|((_, code), _)| *code).or(other.is_empty().then_some(0));
                assert_eq!(dictionary.find(column, &other), known, "{other:?}");
            }
        }
    }
}

/// Asks for everything; only a panic is a fault.
fn use_all(dictionary: &SiteDictionary) {
    for column in Column::ALL {
        let greatest = dictionary.greatest(column);
        for code in [0, 1, 2, greatest.saturating_sub(1), greatest, u32::MAX] {
            dictionary.get(column, code);
        }
        let texts: Vec<String> = dictionary.entries(column).map(|(_, text)| text.to_owned()).collect();
        texts.iter().for_each(|text| _ = dictionary.find(column, text));
        dictionary.find(column, "none");
        let _ = (dictionary.len(column), dictionary.site(), dictionary.strings(column).is_ok());
    }
}

proptest! {
    #[test]
    fn says_what_a_map_says(entries in entries(), cut in 0usize..480, doubled in 0usize..480) {
        let plain: Plain = entries.iter().cloned().collect();
        let cut = cut.min(entries.len());
        let older = open(&build(None, &entries[..cut])).unwrap();
        assert_same(&older, &entries[..cut].iter().cloned().collect());
        let again = &entries[..doubled.min(entries.len())];
        let newer = open(&build(Some(&older), &[&entries[cut..], again].concat())).unwrap();
        assert_same(&newer, &plain);
        prop_assert_eq!(build(None, &entries), build(Some(&older), &entries));
    }

    /// Sound checksums over blocks of any content.
    #[test]
    fn foreign_blocks_never_panic(
        blocks in vec((0u16..6, 0u32..4, vec(prop_oneof![0u32..5, any::<u32>()], 0..6)), 0..8)
    ) {
        let mut out = FileWriter::new(SegmentId(1));
        out.begin_site(SITE, 0, 0);
        let mut seen = BTreeSet::new();
        for (kind, value, numbers) in blocks {
            let tag = Tag(0x800 + kind * 0x100 + Column::Path.index() as u16);
            if !seen.insert(tag.0) {
                continue;
            }
            match value {
                0 => out.constant(tag, numbers.len() as u32),
                1 => out.block(tag, 3, bytemuck::cast_slice::<u32, u8>(&numbers)),
                _ => out.block(tag, numbers.last().copied().unwrap_or(0), &numbers),
            }
        }
        let dictionary = open(&out.finish()).unwrap();
        use_all(&dictionary);
        let _ = dictionary.verify();
    }

    #[test]
    fn foreign_bytes_are_refused(bytes: Vec<u8>) {
        prop_assert!(open(&bytes).is_err());
    }
}

fn small() -> Vec<u8> {
    let entry = |column, code, text: &str| ((column, code), text.to_owned());
    build(
        None,
        &[
            entry(Column::Path, 1, "/"),
            entry(Column::Path, 2, "/é"),
            entry(Column::Path, 3, "/a"),
            entry(Column::Source, 9, "log"),
            entry(Column::Source, 4, "script"),
        ],
    )
}

#[test]
fn each_flipped_bit_is_seen() {
    let bytes = small();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match open(&damaged) {
            Err(StorageError::Corrupt { path, .. }) => assert_eq!(path, Path::new("dictionary-1")),
            Err(StorageError::Version { .. }) => {}
            Err(other) => panic!("bit {bit}: {other}"),
            Ok(dictionary) => {
                let damage = dictionary.verify().expect_err(&format!("bit {bit}"));
                assert!(damage.to_string().contains("dictionary-1"), "{damage}");
                use_all(&dictionary);
            }
        }
    }
}

#[test]
fn a_damaged_column_spoils_no_other() {
    let mut bytes = small();
    let at = bytes.windows(6).position(|window| window == b"script").unwrap();
    bytes[at] = b'S';
    let dictionary = open(&bytes).unwrap();
    assert_eq!(dictionary.get(Column::Path, 2), "/é");
    assert_eq!(dictionary.find(Column::Path, "/a"), Some(3));
    assert!(matches!(dictionary.strings(Column::Source), Err(StorageError::Corrupt { .. })));
    assert_eq!(dictionary.get(Column::Source, 9), "", "what is damaged is not served");
    let builder = DictionaryBuilder::new(Path::new("next"), Some(&dictionary));
    assert!(builder.finish(SegmentId(2), SITE, |_, _| &[], Vec::new()).is_err());
}

#[test]
fn cut_short_is_refused() {
    let bytes = small();
    for len in 0..bytes.len() {
        assert!(open(&bytes[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn codes_and_strings_stay_one_to_one() {
    let older = open(&small()).unwrap();
    let texts = ["", "/a", "/b", "/b", "/c", "/a"];
    let next = |added: &[(u32, u32)]| {
        let mut builder = DictionaryBuilder::new(Path::new("next"), Some(&older));
        for &(code, number) in added {
            builder.add(Column::Path, code, texts[number as usize], number)?;
        }
        let has_new = builder.has_new();
        let text = |_, number: u32| texts[number as usize].as_bytes();
        let bytes = builder.finish(SegmentId(2), SITE, text, Vec::new())?;
        Ok((has_new, open(&bytes).unwrap().len(Column::Path)))
    };
    assert_eq!(next(&[(0, 0), (3, 1), (3, 5)]).unwrap(), (false, 3));
    assert_eq!(next(&[(5, 2), (0, 0), (5, 3)]).unwrap(), (true, 4));
    // Code 3 is that of "/a", which has no other; 0 is that of "", which has no other; 5 is not that of two strings.
    for unfit in [&[(3, 2)][..], &[(6, 5)], &[(0, 4)], &[(6, 0)], &[(5, 2), (5, 4)], &[(5, 2), (6, 3)]] {
        let damage: Result<_, StorageError> = next(unfit);
        assert!(matches!(damage, Err(StorageError::Corrupt { path, .. }) if path == Path::new("next")));
    }
}

#[test]
fn a_segment_is_no_dictionary() {
    let mut out = FileWriter::new(SegmentId(1));
    assert!(open(&FileWriter::new(SegmentId(1)).finish()).is_err());
    out.begin_site(SITE, 1, 1);
    assert!(open(&out.finish()).is_err());
}

/// Blocks are written piece by piece: these are longer than a piece, and so is one of the strings.
#[test]
fn long_columns_are_whole() {
    let text =
        |n: u32| format!("/{:05}{}", 50_000 - n, "x".repeat(if n == 77 { 40_000 } else { n as usize % 9 }));
    let entries: Vec<_> = (1..=9_000).map(|n| ((Column::Path, 2 * n), text(n))).collect();
    let (first, rest) = entries.split_at(4_500);
    let older = open(&build(None, first)).unwrap();
    let bytes = build(Some(&older), rest);
    assert_eq!(bytes, build(None, &entries));
    let dictionary = open(&bytes).unwrap();
    dictionary.verify().unwrap();
    assert!(
        dictionary.entries(Column::Path).eq(entries.iter().map(|((_, code), text)| (*code, text.as_str())))
    );
    for ((_, code), text) in &entries {
        assert_eq!(dictionary.find(Column::Path, text), Some(*code));
    }
}
