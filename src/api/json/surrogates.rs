//! Escapes of half a character in JSON text. Such text is well-formed, but no UTF-8 can say what it says.

/// What half a character becomes: U+FFFD.
const REPLACEMENT: &[u8; DIGITS] = b"fffd";
/// Digits of an escape.
const DIGITS: usize = 4;
/// What stands before them.
const PREFIX: &[u8] = b"\\u";

/// The text with U+FFFD in the place of each half of a character that stands alone; of the same length. `None` when there
/// is none.
pub fn mended(text: &[u8]) -> Option<Vec<u8>> {
    let mut mended = None;
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(escape) = rest.iter().position(|byte| *byte == b'\\') else { break };
        at += escape;
        at += match half(text, at) {
            None => PREFIX.len(),
            Some(Half::First) if half(text, at + ESCAPE_BYTES) == Some(Half::Second) => 2 * ESCAPE_BYTES,
            Some(_) => {
                let mended = mended.get_or_insert_with(|| text.to_vec());
                if let Some(digits) = mended.get_mut(at + PREFIX.len()..at + ESCAPE_BYTES) {
                    digits.copy_from_slice(REPLACEMENT);
                }
                ESCAPE_BYTES
            }
        };
    }
    mended
}

/// Bytes of an escape.
const ESCAPE_BYTES: usize = PREFIX.len() + DIGITS;

/// Which half of a character an escape stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    First,
    Second,
}

/// The half of a character whose escape is here.
fn half(text: &[u8], at: usize) -> Option<Half> {
    let digits = text.get(at..at + ESCAPE_BYTES)?.strip_prefix(PREFIX)?;
    let is_hexadecimal = digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_hexadecimal)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::First),
        0xdc00..=0xdfff => Some(Half::Second),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_halves_that_stand_alone_are_replaced() {
        let mended = |text: &str| mended(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        for (text, wanted) in [
            (r"", None),
            (r"\ud83c\udf89", None),
            (r"\\ud83c", None),
            (r"\u00e9 \ud83", None),
            (r"\u+83c \", None),
            (r"\ud83c", Some(r"\ufffd")),
            (r"\\\ud83c", Some(r"\\\ufffd")),
            (r"\ud83c\\udf89", Some(r"\ufffd\\udf89")),
            (r"\uDF89\uD83C\ud83c\udf89", Some(r"\ufffd\ufffd\ud83c\udf89")),
        ] {
            assert_eq!(mended(text).as_deref(), wanted, "{text}");
        }
    }

    /// Every text of escapes, halves and the rest in turn: what the standard library makes of its units is what the
    /// parser makes of the mended text.
    #[test]
    fn all_texts_of_six_units_are_read_as_utf_16_is() {
        let units: [(&str, u16); 5] =
            [(r"\ud83c", 0xd83c), (r"\uDF89", 0xdf89), (r"\\", 0x5c), ("u", 0x75), (r"\u00e9", 0xe9)];
        for number in 0..units.len().pow(6) {
            let chosen = (0..6).map(|place| units[number / units.len().pow(place) % units.len()]);
            let (escapes, codes): (Vec<&str>, Vec<u16>) = chosen.unzip();
            let text = format!("\"{}\"", escapes.concat());
            let mended = mended(text.as_bytes()).unwrap_or_else(|| text.clone().into_bytes());
            let read: String = serde_json::from_slice(&mended).unwrap();
            assert_eq!(read, String::from_utf16_lossy(&codes), "{text}");
        }
    }
}
