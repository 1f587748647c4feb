//! The language that a browser asks for first. It knows nothing of regions.

use std::cmp::Ordering;

/// All two-letter codes of ISO 639-1, in order.
const CODES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da \
     de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii \
     ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn \
     mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si \
     sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi \
     yo za zh zu";

/// The ISO 639-1 code of the first entry of an `Accept-Language` header, lower case; empty when it has none.
pub fn first(accept_language: &str) -> &'static str {
    let entry = accept_language.split([',', ';']).next().unwrap_or_default().trim();
    let subtag = entry.split(['-', '_']).next().unwrap_or_default().as_bytes();
    let Ok(subtag) = <[u8; 2]>::try_from(subtag) else { return "" };
    find(subtag.map(|byte| byte.to_ascii_lowercase())).unwrap_or("")
}

/// The code with these letters. Each has as many bytes in [`CODES`], so they are found as in any ordered table.
fn find(letters: [u8; 2]) -> Option<&'static str> {
    const WIDTH: usize = "aa ".len();
    let (mut low, mut high) = (0, CODES.len().div_ceil(WIDTH));
    while low < high {
        let middle = usize::midpoint(low, high);
        let code = CODES.get(middle * WIDTH..)?.get(..letters.len())?;
        match code.as_bytes().cmp(&letters) {
            Ordering::Equal => return Some(code),
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found() {
        for code in CODES.split(' ') {
            assert_eq!(first(code), code);
        }
        assert_eq!(CODES.split(' ').count(), 184);
    }

    #[test]
    fn the_first_entry_decides() {
        let table = [
            ("", ""),
            ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr"),
            ("en-gb, en", "en"),
            (" DE ", "de"),
            ("pt_BR", "pt"),
            ("de;q=0.7", "de"),
            ("zh-Hant-TW", "zh"),
            ("*", ""),
            ("xx-YY", ""),
            ("eng", ""),
            (",en", ""),
            ("é", ""),
        ];
        for (header, wanted) in table {
            assert_eq!(first(header), wanted, "{header}");
        }
    }

    #[test]
    fn codes_are_sorted_and_of_two_letters() {
        let codes: Vec<&str> = CODES.split(' ').collect();
        assert!(codes.is_sorted());
        assert!(codes.iter().all(|code| code.len() == 2), "{codes:?}");
    }
}
