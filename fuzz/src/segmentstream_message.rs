//! SegmentStream's messages, of backends and of pages, and what enrichment makes of them.

use hitstone::api::browser::Browser;
use hitstone::api::json::Json;
use hitstone::api::segmentstream::{Sender, read};
use hitstone::hit::ClientHints;

use super::tracking_body::{NOW_MS, enrich};

pub fn run(data: &[u8]) {
    let Ok(message) = Json::parse(data) else { return };
    let browser = Browser {
        ip: [198, 51, 100, 1].into(),
        user_agent: String::new(),
        accept_language: String::new(),
        hints: ClientHints::default(),
        dnt: false,
        prefetch: false,
    };
    let backend = Sender::Backend { browser: &browser, filters_bots: false };
    for sender in [backend, Sender::Page(&browser)] {
        let Ok(hit) = read(message.clone(), &sender, NOW_MS) else { continue };
        enrich(&hit);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let context = r#"{"ip":"81.2.69.142","locale":"en-GB","userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","page":{"url":"https://example.com/a?gclid=1","referrer":"https://www.google.com/","title":"A"},"campaign":{"source":"google","medium":"cpc","name":"n","term":"t","content":"c"},"screenWidth":1920}"#;
    let page_view = r#""hitId":"4c59d330","sentAt":"2026-06-10T12:00:00.123Z","anonymousId":"80ddb140","event":{"name":"Viewed Page","page":{"url":"/b"}}"#;
    let event = r#""sentAt":"2026-06-10","event":{"name":"Completed Transaction","category":"Ecommerce","nonInteraction":true,"user":{"userId":7,"email":"a@example.com"},"transaction":{"total":19.5,"lineItems":[{"product":{"id":"p"},"quantity":2}]}}"#;
    [page_view, event].map(|message| format!("{{{message},\"context\":{context}}}").into_bytes()).to_vec()
}
