//! Texts that name places: page URLs, referrers, client addresses, spam lists, languages, hints.

use hitstone::enrich::client_ip::parse_address;
use hitstone::enrich::spam::SpamList;
use hitstone::enrich::url::{PageUrl, canonical_host, percent_decode};
use hitstone::enrich::{language, referrer, screen};

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let page = PageUrl::parse(&text).ok();
    for (explicit, header) in [(&*text, ""), ("", &*text)] {
        let found = referrer::of(explicit, header, page.as_ref(), &|host| host == "example.com");
        assert!(!found.url.contains(['\r', '\n', '?', '#']), "{found:?}");
    }
    if let Some(address) = parse_address(&text) {
        assert_eq!(parse_address(&address.to_string()), Some(address), "an address reads as itself");
    }
    let language = language::first(&text);
    assert!(language.is_empty() || language.len() == 2, "{language:?}");
    let _ = (canonical_host(&text), percent_decode(&text), screen::class(screen::hinted_width(&text)));
    let _ = SpamList::with_more(&text).holds(&text);
}

pub fn seeds() -> Vec<Vec<u8>> {
    [
        "https://www.example.com:8443/a//b/%C3%BC?utm_source=x&ref=https%3A%2F%2Fa.example%2F&q=#top",
        "HTTPS://Example.COM",
        "http://user:secret@[2001:db8::1]:80/",
        "https%3A%2F%2Fnews.example.org%2Fitem%3Fid%3D1",
        "android-app://com.google.android.gm/",
        "My Referrer\r\nX: y",
        "198.51.100.1:4711",
        "[2a02:c7f::1%eth0]:80",
        "fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5",
        "\"1920\"",
        "xn--bcher-kva.example",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
