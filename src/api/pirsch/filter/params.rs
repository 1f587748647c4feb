//! The raw query string as names and values, bounded.

use std::collections::BTreeMap;

use super::Invalid;

/// Bytes of a query string.
const QUERY_BYTES_MAX: usize = 64 << 10;
/// Parameters in a query string, repeated ones included.
const PARAMETERS_MAX: usize = 500;

/// The parameters of a query string: every name with its distinct values that are not empty, in order.
///
/// A name may end in `[]`, as some clients write repeated parameters.
pub(super) fn parse(query: &str) -> Result<BTreeMap<String, Vec<String>>, Invalid> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(Invalid::new("query", format!("is longer than {QUERY_BYTES_MAX} bytes")));
    }
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if index == PARAMETERS_MAX {
            return Err(Invalid::new("query", format!("has more than {PARAMETERS_MAX} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name);
        let values = parameters.entry(name.strip_suffix("[]").unwrap_or(&name).to_owned()).or_default();
        let value = decode(value);
        if !value.is_empty() && !values.contains(&value) {
            values.push(value);
        }
    }
    Ok(parameters)
}

/// Percent-decoding with `+` as a space. What is no escape stays as it is; bytes that are no UTF-8 are replaced.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = (byte == b'%').then(|| (digit(bytes, at + 1), digit(bytes, at + 2)));
        if let Some((Some(high), Some(low))) = escape {
            decoded.push(high << 4 | low);
            at += 3;
        } else {
            decoded.push(if byte == b'+' { b' ' } else { byte });
            at += 1;
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn digit(bytes: &[u8], at: usize) -> Option<u8> {
    let value = char::from(*bytes.get(at)?).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded() {
        for (text, want) in [
            ("a+b", "a b"),
            ("a%20b%2Bc", "a b+c"),
            ("%C3%A9", "é"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%+1", "% 1"),
            ("%FF", "\u{fffd}"),
            ("é", "é"),
        ] {
            assert_eq!(decode(text), want, "{text}");
        }
    }

    #[test]
    fn names_are_gathered() {
        let parameters = parse("path=/a&path[]=/b&path%5B%5D=/a&&from=&x&y=1=2").unwrap();
        let of = |name: &str| parameters[name].clone();
        assert_eq!((of("path"), of("y")), (vec!["/a".to_owned(), "/b".into()], vec!["1=2".to_owned()]));
        assert_eq!((of("from"), of("x")), (vec![], vec![]));
    }

    #[test]
    fn sizes_are_bounded() {
        assert!(parse(&"a&".repeat(500)).is_ok());
        assert!(parse(&"a&".repeat(501)).is_err());
        assert!(parse(&"a".repeat(64 << 10)).is_ok());
        assert!(parse(&"a".repeat((64 << 10) + 1)).is_err());
    }
}
