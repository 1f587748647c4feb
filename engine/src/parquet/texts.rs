//! Encodes a column of texts from codes: a text is looked at once in a row group, not once in every row.
//!
//! Codes of five bits and more are written in whole bytes: packed bits hide from zstd what repeats, and cost more than
//! they save. Of a column with too many texts the rest is written plain.

use hashbrown::HashMap;
use parquet::basic::Compression;
use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::chunk::{Chunk, ChunkEnd, Pages};
use super::dictionary::Dictionary;
use super::rle::HybridEncoder;

/// The dictionary of a chunk takes no more texts when it has so many bytes.
const DICTIONARY_BYTES: usize = 2 << 20;
/// Bytes of plain texts in a page.
const PLAIN_PAGE_BYTES: usize = 1 << 20;
/// Codes of as many bits are written in whole bytes.
const WHOLE_BYTES_FROM: u32 = 5;

/// The code of what is no text.
const NULL: u32 = u32::MAX;
/// The code of what was not seen yet.
const UNKNOWN: u32 = u32::MAX - 1;
/// Codes of a source below this are looked up in a list.
const LISTED: u32 = 1 << 16;

/// What a caller calls a text: its number in a source. Two numbers may be of one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Number {
    pub source: u32,
    pub code: u32,
}

/// The codes in the chunk of the texts that callers have numbered.
#[derive(Default)]
struct Known {
    /// For each source.
    listed: Vec<Vec<u32>>,
    others: HashMap<Number, u32>,
}

impl Known {
    fn code(&mut self, number: Number) -> &mut u32 {
        let (source, code) = (number.source as usize, number.code as usize);
        if number.code >= LISTED {
            return self.others.entry(number).or_insert(UNKNOWN);
        }
        if self.listed.len() <= source {
            self.listed.resize_with(source + 1, Vec::new);
        }
        let list = &mut self.listed[source];
        if list.len() <= code {
            list.resize(code + 1, UNKNOWN);
        }
        &mut list[code]
    }
}

/// How a column is encoded.
#[derive(Clone)]
pub(super) struct TextSettings {
    pub column: ColumnDescPtr,
    pub compression: Compression,
    pub page_rows: usize,
    /// How often its bloom filter may say yes in vain.
    pub bloom_filter: Option<f64>,
}

/// One column of one row group.
pub(super) struct TextEncoder {
    settings: TextSettings,
    known: Known,
    /// The text before and its code.
    last: Option<(Number, u32)>,
    dictionary: Dictionary,
    /// What the pages of codes need of the dictionary.
    entries: usize,
    page: CodePage,
    pages: Pages,
    nulls: u64,
}

/// The rows of a page: runs of codes and, of a column that may be null, which are there.
#[derive(Default)]
struct CodePage {
    codes: Vec<(u32, u32)>,
    levels: Vec<(bool, u32)>,
    rows: usize,
    text_bytes: usize,
}

impl TextEncoder {
    pub fn new(settings: TextSettings) -> Self {
        Self {
            settings,
            known: Known::default(),
            last: None,
            dictionary: Dictionary::default(),
            entries: 0,
            page: CodePage::default(),
            pages: Pages::default(),
            nulls: 0,
        }
    }

    /// Bytes it will have, about.
    pub fn estimated_bytes(&self) -> usize {
        self.pages.len() + self.dictionary.byte_len() + 2 * self.page.rows
    }

    /// A text in so many rows; the empty text is null. Of equal numbers the text is asked for once.
    pub fn put<'t>(
        &mut self,
        number: Number,
        text: impl FnOnce() -> &'t str,
        mut count: usize,
        compressor: &mut Compressor<'_>,
    ) -> Result<()> {
        let code = self.code(number, text);
        let bytes = self.dictionary.entry(code).len();
        let most = if self.is_plain() { (PLAIN_PAGE_BYTES / bytes.max(1)).max(1) } else { count };
        while count > 0 {
            let some = count.min(most).min(self.settings.page_rows - self.page.rows);
            self.page.add(code, some);
            self.page.text_bytes += some * bytes;
            self.nulls += if code == NULL { some as u64 } else { 0 };
            count -= some;
            let is_long = self.is_plain() && self.page.text_bytes >= PLAIN_PAGE_BYTES;
            if self.page.rows >= self.settings.page_rows || is_long {
                self.end_page(compressor)?;
            }
        }
        Ok(())
    }

    fn code<'t>(&mut self, number: Number, text: impl FnOnce() -> &'t str) -> u32 {
        if let Some((_, code)) = self.last.filter(|last| last.0 == number) {
            return code;
        }
        let code = self.known.code(number);
        if *code == UNKNOWN {
            *code = match text() {
                "" => NULL,
                text => self.dictionary.intern(text),
            };
        }
        self.last = Some((number, *code));
        *code
    }

    fn is_plain(&self) -> bool {
        self.dictionary.byte_len() > DICTIONARY_BYTES
    }

    fn end_page(&mut self, compressor: &mut Compressor<'_>) -> Result<()> {
        let page = std::mem::take(&mut self.page);
        let mut content = Vec::new();
        if self.settings.column.max_def_level() > 0 {
            page.write_levels(&mut content);
        }
        let is_plain = self.is_plain();
        if is_plain {
            for &(code, count) in &page.codes {
                (0..count).for_each(|_| content.extend_from_slice(self.dictionary.entry(code)));
            }
        } else {
            self.entries = self.dictionary.len();
            content = page.write_codes(code_width(self.entries), content);
        }
        self.pages.add(&content, page.rows, is_plain, compressor)?;
        self.page = page.emptied();
        Ok(())
    }

    pub fn finish(mut self, compressor: &mut Compressor<'_>) -> Result<Chunk> {
        if self.page.rows > 0 {
            self.end_page(compressor)?;
        }
        let end = ChunkEnd {
            statistics: self.dictionary.statistics(self.nulls),
            bloom_filter: self
                .settings
                .bloom_filter
                .map(|share| self.dictionary.filter(share))
                .transpose()?,
            column: self.settings.column,
            compression: self.settings.compression,
        };
        self.pages.finish(self.dictionary.first(self.entries), self.entries, end, compressor)
    }
}

/// Bits of the codes of so many texts. Readers take any width that holds them.
fn code_width(entries: usize) -> u32 {
    let needed = (usize::BITS - entries.saturating_sub(1).leading_zeros()).max(1);
    if needed < WHOLE_BYTES_FROM { needed } else { needed.next_multiple_of(8) }
}

impl CodePage {
    fn add(&mut self, code: u32, count: usize) {
        self.rows += count;
        let (is_there, count) = (code != NULL, count as u32);
        match self.levels.last_mut() {
            Some(level) if level.0 == is_there => level.1 += count,
            _ => self.levels.push((is_there, count)),
        }
        if is_there {
            match self.codes.last_mut() {
                Some(run) if run.0 == code => run.1 += count,
                _ => self.codes.push((code, count)),
            }
        }
    }

    /// Their length in bytes, then the levels.
    fn write_levels(&self, to: &mut Vec<u8>) {
        let mut encoder = HybridEncoder::new(1, Vec::new());
        self.levels.iter().for_each(|&(is_there, count)| encoder.put(u32::from(is_there), count as usize));
        let levels = encoder.finish();
        to.extend_from_slice(&(levels.len() as u32).to_le_bytes());
        to.extend_from_slice(&levels);
    }

    /// Their width, then the codes.
    fn write_codes(&self, width: u32, mut to: Vec<u8>) -> Vec<u8> {
        to.push(width as u8);
        let mut encoder = HybridEncoder::new(width, to);
        self.codes.iter().for_each(|&(code, count)| encoder.put(code, count as usize));
        encoder.finish()
    }

    /// The same memory without rows.
    fn emptied(mut self) -> Self {
        self.codes.clear();
        self.levels.clear();
        Self { codes: self.codes, levels: self.levels, rows: 0, text_bytes: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use parquet::basic::ZstdLevel;
    use parquet::bloom_filter::Sbbf;
    use parquet::data_type::ByteArrayType;
    use parquet::file::metadata::ColumnChunkMetaData;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// What the library reads of the texts, and what it is told of them. "" is null.
    fn through_a_file(texts: &[(String, usize)]) -> (Vec<Option<String>>, ColumnChunkMetaData, Sbbf) {
        let schema = parse_message_type("message m { optional binary path (STRING); }").unwrap();
        let mut file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::default()).unwrap();
        let settings = TextSettings {
            column: file.schema_descr().column(0),
            compression: Compression::ZSTD(ZstdLevel::try_new(1).unwrap()),
            page_rows: 100,
            bloom_filter: Some(0.1),
        };
        let (mut encoder, mut compressor) = (TextEncoder::new(settings), Compressor::new(1).unwrap());
        for (at, (text, count)) in texts.iter().enumerate() {
            // Each text has a number of its own in one of two sources, in the list or beyond it.
            let number = Number { source: at as u32 % 2, code: at as u32 * 10_000 };
            encoder.put(number, || text, *count, &mut compressor).unwrap();
        }
        let chunk = encoder.finish(&mut compressor).unwrap();
        let mut group = file.next_row_group().unwrap();
        group.append_column(&chunk.bytes, chunk.close).unwrap();
        group.close().unwrap();
        let bytes = Bytes::from(file.into_inner().unwrap());
        let reader = SerializedFileReader::new(bytes.clone()).unwrap();
        let group = reader.get_row_group(0).unwrap();
        let column = group.get_column_reader(0).unwrap();
        let mut column = parquet::column::reader::get_typed_column_reader::<ByteArrayType>(column);
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let rows = group.metadata().num_rows() as usize;
        column.read_records(rows, Some(&mut levels), None, &mut values).unwrap();
        let mut values = values.iter().map(|value| value.as_utf8().unwrap().to_owned());
        let found = levels.iter().map(|&level| if level > 0 { values.next() } else { None }).collect();
        let metadata = group.metadata().column(0).clone();
        let filter = Sbbf::read_from_column_chunk(&metadata, &bytes).unwrap().unwrap();
        (found, metadata, filter)
    }

    fn check(texts: &[(String, usize)]) -> ColumnChunkMetaData {
        let (found, metadata, filter) = through_a_file(texts);
        let wanted: Vec<Option<String>> = texts
            .iter()
            .flat_map(|(text, count)| std::iter::repeat_n((!text.is_empty()).then(|| text.clone()), *count))
            .collect();
        assert_eq!(found, wanted);
        let nulls = wanted.iter().filter(|text| text.is_none()).count();
        let statistics = metadata.statistics().unwrap();
        assert_eq!(statistics.null_count_opt(), Some(nulls as u64));
        for text in wanted.iter().flatten() {
            assert!(filter.check(text.as_bytes()));
            assert!(statistics.min_bytes_opt().unwrap() <= text.as_bytes(), "{text} is below the least");
            assert!(statistics.max_bytes_opt().is_none_or(|max| max >= text.as_bytes()), "{text} is above");
        }
        metadata
    }

    #[test]
    fn runs_and_nulls_come_back() {
        let text = |n: usize| if n.is_multiple_of(5) { String::new() } else { format!("/{}", n * n % 23) };
        check(&(0..300).map(|n| (text(n), 1 + n % 11 * (n % 3))).collect::<Vec<_>>());
        check(&[("only".into(), 250)]);
        check(&[(String::new(), 250)]);
        check(&[("a".into(), 1), (String::new(), 1), ("b".into(), 300), (String::new(), 8)]);
        for distinct in [2, 16, 17, 256, 257] {
            check(&(0..600).map(|n| ((n * 7 % distinct).to_string(), 1)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn too_many_texts_are_written_plain() {
        let long = |n: usize| format!("{n}{}", "ü".repeat(4_000));
        let metadata = check(&(0..700).map(|n| (long(n % 600), 1 + n % 2)).collect::<Vec<_>>());
        assert!(metadata.encodings().any(|encoding| encoding == parquet::basic::Encoding::RLE_DICTIONARY));
        assert!(metadata.uncompressed_size() > 4 << 20, "some pages have texts");
        check(&[("x".repeat(3 << 20), 4), ("y".into(), 200)]);
    }

    #[test]
    fn long_texts_are_told_in_short() {
        let text = |last: char| "ü".repeat(40) + &last.to_string();
        let metadata = check(&[(text('a'), 1), (text('b'), 1)]);
        let statistics = metadata.statistics().unwrap();
        assert_eq!(statistics.min_bytes_opt(), Some("ü".repeat(32).as_bytes()));
        assert_eq!(statistics.max_bytes_opt(), Some(("ü".repeat(31) + "ý").as_bytes()));
        assert!(!statistics.min_is_exact() && !statistics.max_is_exact());
        check(&[("\u{10ffff}".repeat(40), 1), ("\u{d7ff}".repeat(40), 1)]);
    }
}
