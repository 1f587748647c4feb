//! `/track/batch`: lists and lines, whole or not at all.

use super::*;

const LINES: &str = "application/x-ndjson";

fn messages(ids: std::ops::Range<usize>) -> Vec<Value> {
    ids.map(|id| page_view(&id.to_string(), "/", json!({"hitId": id.to_string()}))).collect()
}

fn lines(messages: &[Value]) -> String {
    messages.iter().map(|message| format!("{message}\n")).collect()
}

#[test]
fn lists_and_lines_are_stored_once() {
    let mut shop = Shop::open(&[]);
    let first = messages(0..3);
    assert_eq!(repeated(&shop.send("/track/batch", JSON, json!(first).to_string())), 0);
    assert_eq!(repeated(&shop.send("/track/batch", "application/json; charset=utf-8", lines(&first))), 3);
    shop = shop.restarted(true);
    for (content_type, ids, wanted) in
        [(LINES, 2..5, 1), ("application/ndjson", 4..6, 1), ("application/jsonl", 6..7, 0), (LINES, 0..7, 7)]
    {
        let response = shop.send("/track/batch", content_type, lines(&messages(ids)));
        assert_eq!(repeated(&response), wanted, "{content_type}");
        assert!(response.body.is_empty());
    }
    assert_eq!((shop.total("visitors"), shop.total("views")), (json!(7), json!(7)));
    for nothing in ["[]", "", "\n \n"] {
        assert_eq!(repeated(&shop.send("/track/batch", JSON, nothing)), 0);
    }
    let request = || {
        let request = Request::new("POST", "/track/batch", "").header("Authorization", &basic(&shop.token));
        let unnamed = [lead("8", json!({})), lead("9", json!({}))];
        shop.server.send(&request.header("Idempotency-Key", "k").json(&json!(unnamed)))
    };
    assert_eq!([request(), request()].map(|response| repeated(&response)), [0, 2]);
}

#[test]
fn a_bad_item_is_named_and_nothing_is_stored() {
    let mut shop = Shop::open(&[]);
    let good = || messages(0..2);
    for (bad, wanted) in [
        (json!({"userId": "1"}), "item 2: event is required"),
        (json!({"event": {"name": "Lead"}}), "item 2: the event is nobody's"),
        (json!({"userId": "1", "event": {"name": ""}}), "item 2: event.name"),
        (json!({"userId": "1", "event": {"name": "x".repeat(201)}}), "item 2: event_name"),
        (page_view("1", "/", json!({"event": {"name": "Viewed Page", "page": {"url": "x"}}})), "item 2: url"),
        (json!("Lead"), "item 2: expected a JSON object"),
        (json!(null), "item 2: expected"),
        (json!([[]]), "item 2: expected"),
    ] {
        let batch = [good(), vec![bad.clone()], good()].concat();
        for (content_type, body) in [(JSON, json!(batch).to_string()), (LINES, lines(&batch))] {
            let response = shop.send("/track/batch", content_type, body);
            assert_eq!(response.status, 400, "{bad}: {response:?}");
            assert!(response.text().starts_with(wanted), "{bad}: {response:?}");
        }
    }
    let broken = lines(&good()) + "{\"userId\":\n" + &lines(&good());
    let response = shop.send("/track/batch", LINES, broken);
    assert_eq!((response.status, response.text().starts_with("item 2: the body is not JSON")), (400, true));
    assert_eq!(shop.send("/track/batch", JSON, "[{},").status, 400);
    for (content_type, status) in [("text/plain", 400), ("", 400), (JSON, 204)] {
        assert_eq!(shop.send("/track/batch", content_type, "[]").status, status, "{content_type}");
    }
    assert_eq!(shop.total("views"), 0);
    // What is merely left out costs nothing else.
    shop.set("--track-bot-filter", "true");
    let bot = page_view("bot", "/", json!({"context": {"userAgent": "curl/8"}}));
    let response = shop.send("/track/batch", JSON, json!([good(), vec![bot]].concat()).to_string());
    assert_eq!((response.status, response.header("X-Hitstone-Rejected")), (204, Some("bot")));
    assert_eq!(shop.total("views"), 2);
}

#[test]
fn a_batch_has_a_mebibyte_and_5000_items() {
    let mut shop = Shop::open(&[]);
    let of = |bytes: usize| {
        let message = page_view("1", "/", json!({"integrations": ""})).to_string();
        let pad = "x".repeat(bytes - message.len() - 2);
        format!("[{}]", message.replacen(r#""integrations":"""#, &format!(r#""integrations":"{pad}""#), 1))
    };
    for (bytes, status) in [(65_537, 204), (1 << 20, 204), ((1 << 20) + 1, 413)] {
        let body = of(bytes);
        assert_eq!(body.len(), bytes);
        assert_eq!(shop.send("/track/batch", JSON, body).status, status, "{bytes}");
    }
    let line = |n: usize| format!("{{\"userId\":{n},\"sentAt\":\"{TIME}\",\"event\":{{\"name\":\"e\"}}}}\n");
    let lines = |count: usize| (0..count).map(line).collect::<String>();
    assert_eq!(shop.send("/track/batch", LINES, lines(5_001)).status, 400);
    assert_eq!(shop.send("/track/batch", LINES, lines(5_000)).status, 204);
    assert_eq!(shop.client.statistics("events", DAY)[0]["visitors"], 5_000);
}
