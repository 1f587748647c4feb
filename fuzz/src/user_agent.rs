//! The user agent.

use std::cell::OnceCell;

use hitstone::enrich::user_agent::Agents;

thread_local! {
    static AGENTS: OnceCell<Agents> = const { OnceCell::new() };
}

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    AGENTS.with(|cell| {
        let agents = cell.get_or_init(|| Agents::new().expect("the tables compile"));
        let first = agents.read(&text);
        assert_eq!(first, agents.read(&text), "the same user agent twice");
        assert!(first.browser.len() <= 2_048 && first.os.len() <= 2_048, "{first:?}");
    });
}

pub fn seeds() -> Vec<Vec<u8>> {
    [
        "",
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.0.0 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 14; Pixel 6a; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 OPR/94.0.0.0",
        "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
