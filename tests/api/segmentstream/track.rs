//! `/track`: who may send what, and what of it statistics tell.

use super::*;
use crate::support::{files_below, hit_body};

/// The documentation's example, with its address that is none.
const EXAMPLE: &str = r#"{
  "hitId": "4c59d330-35c7-11e9-8f27-8d1d7d4690e7",
  "sentAt": "2019-02-21T10:56:10.723Z",
  "event": {
    "category": "Auth",
    "name": "Registered",
    "label": "some label",
    "user": {
      "anonymousId": "80ddb140-35c6-11e9-bd56-eb1c05e6de18",
      "emailHash": "eff8c37862c7a2f0019448289bdd0869c30ae7f07060e4be9d",
      "userId": "u2783187492",
      "firstName": "John",
      "lastName": "Doe"
    },
    "nonInteraction": false
  },
  "context": {
    "ip": "123.22.334.55"
  }
}
"#;
const EXAMPLE_DAY: &str = "from=2019-02-21&to=2019-02-21";

#[test]
fn the_documented_example_is_counted_once_without_its_person() {
    let mut shop = Shop::open(&[]);
    assert_eq!(repeated(&shop.send("/track", JSON, EXAMPLE)), 0);
    for kill in [true, false] {
        shop = shop.restarted(kill);
        assert_eq!(repeated(&shop.send("/track", JSON, EXAMPLE)), 1);
    }
    let events = shop.client.statistics("events", EXAMPLE_DAY);
    assert_eq!(events.as_array().map(Vec::len), Some(1), "{events}");
    assert_eq!((&events[0]["name"], &events[0]["count"]), (&json!("Registered"), &json!(1)));
    assert_eq!(events[0]["meta_keys"], json!(["category", "label"]));
    assert_eq!(shop.meta(EXAMPLE_DAY, "Registered", "category"), "Auth");
    assert_eq!(shop.meta(EXAMPLE_DAY, "Registered", "label"), "some label");
    let total = shop.client.statistics("total", EXAMPLE_DAY);
    assert_eq!((&total["visitors"], &total["views"]), (&json!(1), &json!(0)), "{total}");
    assert_eq!(shop.client.statistics("country", EXAMPLE_DAY)[0]["country_code"], "", "nobody knows where");

    let folder = shop.server.stop();
    let mut stored: Vec<u8> = files_below(&folder.data()).into_iter().flat_map(|file| file.1).collect();
    stored.extend(folder.stderr().into_bytes());
    let holds = |text: &str| stored.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds("some label"));
    for personal in ["John", "Doe", "u2783187492", "80ddb140", "eff8c378", "4c59d330", "123.22.334.55"] {
        assert!(!holds(personal), "{personal} is stored");
    }
}

#[test]
fn ids_of_events_are_those_of_the_whole_site() {
    let mut shop = Shop::open(&[]);
    assert_eq!(repeated(&shop.track(&lead("1", json!({"hitId": "a"})), 204)), 0);
    assert_eq!(repeated(&shop.track(&page_view("2", "/", json!({"hitId": "a"})), 204)), 1);
    let hit = hit_body("https://shop.test/", "198.51.100.1", json!({"event_id": "a"}));
    assert_eq!(shop.client.post("/api/v1/hit", &hit).header("X-Hitstone-Repeated"), Some("1"));
    let request = |header: &str, value: &str| {
        let request = Request::new("POST", "/track", "").header("Authorization", &basic(&shop.token));
        let message = lead("1", json!({}));
        shop.server.send(&request.header(header, value).json(&message))
    };
    assert_eq!(repeated(&request("X-Event-Id", "a")), 1);
    for wanted in [0, 1] {
        assert_eq!(repeated(&request("Idempotency-Key", "k")), wanted);
    }
    assert_eq!(shop.client.statistics("events", DAY)[0]["count"], 2);
}

#[test]
fn a_call_has_64_kib() {
    let shop = Shop::open(&[]);
    let of = |bytes: usize| {
        let message = lead("1", json!({"integrations": {"pad": ""}})).to_string();
        message.replacen(r#""pad":"""#, &format!(r#""pad":"{}""#, "x".repeat(bytes - message.len())), 1)
    };
    for (bytes, status) in [(65_535, 204), (65_536, 204), (65_537, 400), (1 << 20, 400), (3 << 20, 400)] {
        let body = of(bytes);
        assert_eq!(body.len(), bytes);
        let response = shop.send("/track", JSON, body);
        assert_eq!(response.status, status, "{bytes}: {response:?}");
        if status == 400 {
            assert_eq!(response.text(), "the body is larger than 65536 bytes");
        }
    }
    let chunked = |bytes: usize| {
        let head = format!(
            "POST /track HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n",
            basic(&shop.token)
        );
        let mut connection = shop.server.connect();
        let body = of(bytes);
        let (first, second) = body.split_at(40_000);
        let chunks = [first, second].map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).concat();
        connection.write(format!("{head}{chunks}0\r\n\r\n").as_bytes()).expect("writing");
        connection.read_response().expect("an answer").status
    };
    assert_eq!((chunked(65_536), chunked(65_537)), (204, 400));
}

#[test]
fn content_types_tokens_and_methods() {
    let mut shop = Shop::open(&[]);
    let body = lead("1", json!({})).to_string();
    for (content_type, status) in [
        ("application/json", 204),
        ("application/json; charset=utf-8", 204),
        ("Application/JSON ;charset=UTF-8", 204),
        ("text/plain", 400),
        ("application/x-www-form-urlencoded", 400),
        ("application/x-ndjson", 400),
        ("application/jsonx", 400),
        ("", 400),
    ] {
        let response = shop.send("/track", content_type, body.clone());
        assert_eq!(response.status, status, "{content_type:?}: {response:?}");
    }
    let untyped = Request::new("POST", "/track", "").header("Authorization", &basic(&shop.token));
    assert_eq!(shop.server.send(&untyped.body(body.clone())).status, 400, "no content type");

    let access_key = shop.server.folder().create_access_key(HOST);
    let token = shop.token.clone();
    for (authorization, status) in [
        (basic(&token), 204),
        (basic(&token).replace("Basic", "bAsIc"), 204),
        (basic("abc123"), 401),
        (basic(""), 401),
        (basic(&access_key), 401),
        (format!("Basic {token}"), 401),
        (format!("Bearer {token}"), 401),
        (format!("Bearer {}", shop.client.token), 401),
        ("Basic".into(), 401),
    ] {
        for (path, body) in [("/track", body.clone()), ("/track/batch", format!("[{body}]"))] {
            let request = Request::new("POST", path, "").header("Authorization", &authorization);
            let response = shop.server.send(&request.header("Content-Type", JSON).body(body));
            assert_eq!(response.status, status, "{path} {authorization}: {response:?}");
            let challenge = (status == 401).then_some("Basic realm=\"Hitstone\"");
            assert_eq!(response.header("WWW-Authenticate"), challenge, "{path} {authorization}");
        }
    }
    let none = Request::new("POST", "/track", "").header("Content-Type", JSON).body(body.clone());
    assert_eq!(shop.server.send(&none).status, 401);
    // The token opens nothing else.
    let elsewhere = Request::post("/api/v1/hit", &token);
    let hit = hit_body("https://shop.test/", "198.51.100.1", json!({}));
    assert_eq!(shop.server.send(&elsewhere.json(&hit)).status, 401);

    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let request = Request::new(method, "/track", "").header("Origin", "https://shop.test");
        let response = shop.server.send(&request);
        assert_eq!((response.status, response.header("Allow")), (405, Some("POST")), "{method}");
        assert_eq!(response.header("Access-Control-Allow-Origin"), None);
    }
    assert_eq!(shop.client.statistics("events", DAY)[0]["count"], 7);

    let list = shop.server.folder().run_json(&["client", "list", "--site", HOST, "--json"]);
    let client =
        list.as_array().unwrap().iter().find(|client| client["basic"] == true).expect("a basic client");
    let revoked = shop.server.folder().run(&["client", "revoke", client["client_id"].as_str().unwrap()]);
    assert!(revoked.status.success());
    shop.track(&lead("1", json!({})), 401);
}

#[test]
fn what_makes_no_sense_is_400_and_what_is_optional_is_not() {
    let mut shop = Shop::open(&[]);
    for body in ["", "{", "[]", "7", "null", "{} {}", "{\"event\":", "\u{feff}{}"] {
        let response = shop.send("/track", JSON, body);
        assert_eq!(response.status, 400, "{body:?}: {response:?}");
        assert!(!response.body.is_empty());
    }
    assert_eq!(shop.send("/track", JSON, b"{\"userId\":\"\xff\"}".to_vec()).status, 400);
    let long = |chars: usize| "x".repeat(chars);
    for event in [
        json!(null),
        json!("Lead"),
        json!([]),
        json!({}),
        json!({"name": ""}),
        json!({"name": 7}),
        json!({"name": long(201)}),
        json!({"name": "Lead", long(101): 1}),
        json!({"name": "Viewed Page", "page": {"url": "no address"}}),
    ] {
        shop.track(&json!({"userId": "1", "event": event}), 400);
    }
    let many: serde_json::Map<String, Value> = (0..101).map(|n| (format!("k{n}"), json!(n))).collect();
    shop.track(&lead("1", json!({"event": {"name": "Lead", "many": many}, "userId": "1"})), 400);
    assert_eq!(shop.client.statistics("events", DAY), json!([]));

    for (place, value) in [
        ("hitId", json!({})),
        ("sentAt", json!(true)),
        ("context", json!("none")),
        ("context", json!({"ip": {}, "page": 7, "campaign": [], "screenWidth": "wide", "userAgent": 5})),
        ("context", json!({"ip": "123.22.334.55", "userAgent": FIREFOX})),
        ("integrations", json!({"Google Analytics": false, "deep": {"er": [1, 2]}})),
        ("integrations", json!("all")),
        ("website", json!(7)),
        ("somethingNew", json!([{}])),
    ] {
        shop.track(&lead("1", json!({"sentAt": null, place: value})), 204);
    }
    let today = "from=2026-07-01&to=2026-07-01";
    assert_eq!(shop.client.statistics("events", today)[0]["count"], 9);
}

#[test]
fn a_visitor_is_whom_the_message_names_else_an_address_with_a_browser() {
    let mut shop = Shop::open(&[]);
    let event = |message: Value| {
        let mut message = message;
        message["sentAt"] = json!(TIME);
        message["event"]["name"] = json!("Lead");
        message
    };
    // Each line is one visitor, in different spellings.
    for (count, spellings) in [
        vec![
            json!({"event": {"user": {"userId": "7"}}}),
            json!({"userId": "7", "anonymousId": "other"}),
            json!({"user": {"userId": 7}, "context": {"ip": "198.51.100.9", "userAgent": "x"}}),
        ],
        vec![json!({"anonymousId": "7"}), json!({"event": {"user": {"anonymousId": "7", "userId": ""}}})],
        vec![
            json!({"context": {"ip": "198.51.100.1", "userAgent": FIREFOX}}),
            json!({"context": {"ip": "198.51.100.1:443", "userAgent": FIREFOX}}),
        ],
        vec![json!({"context": {"ip": "198.51.100.2", "userAgent": FIREFOX}})],
        vec![json!({"context": {"ip": "198.51.100.1", "userAgent": "Opera/9.80"}})],
    ]
    .into_iter()
    .enumerate()
    {
        for message in spellings {
            shop.track(&event(message.clone()), 204);
            assert_eq!(shop.total("visitors"), count + 1, "{message}");
        }
    }
    for context in [json!({}), json!({"ip": "198.51.100.1"}), json!({"userAgent": FIREFOX}), json!(null)] {
        let response = shop.track(&event(json!({"context": context})), 400);
        assert!(response.text().contains("userId"), "{response:?}");
    }
    // The same as a visitor that Pirsch's calls tell of; and ids are the same on all days.
    let hit = hit_body("https://shop.test/", "198.51.100.1", json!({"time": TIME}));
    shop.client.post_ok("/api/v1/hit", &hit);
    let later = |user: &str| lead(user, json!({"sentAt": "2026-06-12T12:00:00Z"}));
    shop.track(&later("7"), 204);
    let both = shop.client.statistics("total", "from=2026-06-10&to=2026-06-12");
    assert_eq!((&both["visitors"], &both["sessions"]), (&json!(5), &json!(6)), "{both}");
}

#[test]
fn history_has_its_own_time_and_impossible_times_are_now() {
    let mut shop = Shop::open(&[]);
    for (sent_at, day) in [
        (json!("2001-05-05T23:59:59.999Z"), "2001-05-05"),
        (json!("2026-06-11T01:30:00+02:00"), "2026-06-10"),
        (json!("2026-06-09"), "2026-06-09"),
        (json!("2026-06-08T10:00:00"), "2026-06-08"),
        (json!("2026-07-02T11:59:59Z"), "2026-07-02"),
    ] {
        shop.track(&page_view("a", "/", json!({"sentAt": sent_at})), 204);
        let views = &shop.client.statistics("total", &format!("from={day}&to={day}"))["views"];
        assert_eq!(views, 1, "{sent_at} on {day}");
    }
    let today = "from=2026-07-01&to=2026-07-01";
    let impossible =
        [json!(null), json!("1999-12-31T23:59:59Z"), json!("2026-07-02T12:00:01Z"), json!("soon"), json!(5)];
    for (count, sent_at) in impossible.into_iter().enumerate() {
        shop.track(&page_view("a", "/", json!({"sentAt": sent_at})), 204);
        assert_eq!(shop.client.statistics("total", today)["views"], count + 1, "{sent_at}");
    }
}

/// A visitor from London by way of a campaign.
fn context() -> Value {
    json!({
        "ip": "81.2.69.142", "locale": "en-GB", "userAgent": FIREFOX, "screenWidth": 1920, "screenHeight": 1080,
        "page": {"url": "https://shop.test/?utm_source=url&utm_term=url", "title": "Context",
            "referrer": "https://news.example.com/a?b"},
        "campaign": {"source": "google", "medium": "cpc", "name": "summer", "content": "top"},
        "browser": {"name": "Other"}, "device": {"type": "mobile"}, "library": {"name": "x"},
    })
}

#[test]
fn what_the_context_tells_is_in_the_statistics() {
    let folder = Folder::new();
    let places = folder.beside("places.mmdb");
    let database = mmdb::Writer::new("Test-City");
    let database = database.with("81.2.69.0/24", &mmdb::nested("GB", "England", "ENG", "London"));
    std::fs::write(&places, database.bytes()).expect("writing the database of places");
    let mut shop = Shop::open_in(folder, &["--geo-db", places.to_str().expect("a UTF-8 path")]);
    let event =
        json!({"name": "Viewed Page", "page": {"url": "/prices?x=1", "title": "Prices", "type": "home"}});
    shop.track(&lead("1", json!({"anonymousId": "1", "event": event, "context": context()})), 204);
    for (statistic, member, wanted) in [
        ("page", "path", "/prices"),
        ("page?include_title=true", "title", "Prices"),
        ("country", "country_code", "gb"),
        ("region", "region", "England"),
        ("city", "city", "London"),
        ("language", "language", "en"),
        ("browser", "browser", "Firefox"),
        ("os", "os", "Linux"),
        ("screen", "screen_class", "Full HD"),
        ("referrer", "referrer", "https://news.example.com/a"),
        ("utm/source", "utm_source", "google"),
        ("utm/medium", "utm_medium", "cpc"),
        ("utm/campaign", "utm_campaign", "summer"),
        ("utm/content", "utm_content", "top"),
        ("channel", "channel", "Paid Search"),
        ("hostname", "hostname", HOST),
    ] {
        let (statistic, more) = statistic.split_once('?').unwrap_or((statistic, ""));
        let answer = shop.client.statistics(statistic, &format!("{DAY}&{more}"));
        assert_eq!(answer[0][member], wanted, "{statistic}: {answer}");
    }
    assert_eq!(shop.client.statistics("platform", DAY)["platform_desktop"], 1);
    // What the campaign does not name the page's address may.
    let event = json!({"event": {"name": "Viewed Page"}, "anonymousId": "2", "context": context()});
    shop.track(&lead("2", event), 204);
    assert_eq!(shop.client.statistics("total", &format!("{DAY}&utm_term=url"))["visitors"], 1);
    assert_eq!(shop.client.statistics("page", &format!("{DAY}&path=/"))[0]["views"], 1);
}

#[test]
fn metadata_is_the_rest_of_the_event() {
    let mut shop = Shop::open_in(Folder::new(), &[]);
    let goal =
        ["goal", "create", "Sales", "--event", "Completed Transaction", "--metric-key", "transaction.total"];
    shop.server.folder().run_json(&[&goal[..], &["--site", HOST, "--json"]].concat());
    let sale = |user: &str, total: f64| {
        let item = json!({"product": {"id": "p-1", "name": "Pen"}, "quantity": 2, "subtotal": total});
        let transaction = json!({"orderId": "o-1", "total": total, "currency": "EUR", "isFirst": true, "tax": null,
            "lineItems": [item], "email": "ada@shop.test"});
        let event = json!({"name": "Completed Transaction", "category": "Ecommerce", "transaction": transaction,
            "user": {"userId": user, "email": "ada@shop.test"}});
        json!({"sentAt": TIME, "event": event})
    };
    shop.track(&sale("1", 19.5), 204);
    shop.track(&sale("2", 100.0), 204);
    let events = shop.client.statistics("events", DAY);
    assert_eq!((&events[0]["name"], &events[0]["count"]), (&json!("Completed Transaction"), &json!(2)));
    let keys = [
        "category",
        "transaction.currency",
        "transaction.isFirst",
        "transaction.lineItems",
        "transaction.orderId",
        "transaction.total",
    ];
    assert_eq!(events[0]["meta_keys"], json!(keys));
    let of = |key: &str| (key.to_owned(), shop.meta(DAY, "Completed Transaction", key));
    let found = keys[1..4].iter().copied().map(of).collect::<Vec<_>>();
    assert_eq!(found[0].1, "EUR");
    assert_eq!(found[1].1, "true");
    assert!(
        found[2].1.as_str().unwrap().starts_with(r#"[{"product":{"id":"p-1","name":"Pen"},"quantity":2"#)
    );
    let filtered = format!("{DAY}&event=Completed+Transaction&meta_transaction.total=19.5");
    assert_eq!(shop.client.statistics("total", &filtered)["visitors"], 1);
    let goals = shop.client.statistics("goals", DAY);
    assert_eq!(goals[0]["stats"]["custom_metric_total"], 119.5, "{goals}");
}

#[test]
fn an_event_that_nobody_caused_ends_no_bounce() {
    let mut shop = Shop::open(&[]);
    for user in ["1", "2"] {
        shop.track(&page_view(user, "/", json!({})), 204);
        let event = json!({"name": "Shown", "nonInteraction": user == "1"});
        shop.track(
            &lead("", json!({"anonymousId": user, "event": event, "sentAt": "2026-06-10T12:00:10Z"})),
            204,
        );
    }
    let found = ["visitors", "sessions", "views", "bounces"].map(|member| shop.total(member));
    assert_eq!(found, [2, 2, 2, 1].map(Value::from));
}

#[test]
fn a_page_view_without_an_address_is_an_event_without_a_page() {
    let mut shop = Shop::open(&[]);
    shop.track(&lead("1", json!({"userId": "1", "event": {"name": "Viewed Page"}})), 204);
    let events = shop.client.statistics("events", DAY);
    assert_eq!((&events[0]["name"], &events[0]["count"]), (&json!("Viewed Page"), &json!(1)), "{events}");
    assert_eq!((shop.total("visitors"), shop.total("views")), (json!(1), json!(0)));
}

#[test]
fn programs_and_other_hosts_count_unless_the_site_says_otherwise() {
    let mut shop = Shop::open(&[]);
    let bot = lead("bot", json!({"context": {"userAgent": "Googlebot/2.1"}}));
    let foreign =
        page_view("a", "/", json!({"event": {"name": "Viewed Page", "page": {"url": "https://b.test/"}}}));
    let unnamed = lead("none", json!({}));
    let rejected = |shop: &Shop, message: &Value| {
        shop.track(message, 204).header("X-Hitstone-Rejected").unwrap_or_default().to_owned()
    };
    for message in [&bot, &foreign, &unnamed] {
        assert_eq!(rejected(&shop, message), "");
    }
    assert_eq!(shop.total("visitors"), 3);
    shop.set("--track-bot-filter", "true");
    assert_eq!([&bot, &foreign, &unnamed].map(|message| rejected(&shop, message)), ["bot", "", ""]);
    shop.set("--strict-hosts", "true");
    assert_eq!([&bot, &foreign, &unnamed].map(|message| rejected(&shop, message)), ["bot", "hostname", ""]);
    shop.set("--track-bot-filter", "false");
    assert_eq!([&bot, &foreign, &unnamed].map(|message| rejected(&shop, message)), ["", "hostname", ""]);
    assert_eq!(shop.total("visitors"), 3);
    // A backend's own wishes are not its visitors'.
    let request = Request::new("POST", "/track", "").header("Authorization", &basic(&shop.token));
    let request = request.header("DNT", "1").header("Sec-GPC", "1").header("Purpose", "prefetch");
    let response = shop.server.send(&request.json(&lead("dnt", json!({}))));
    assert_eq!((response.status, response.header("X-Hitstone-Rejected")), (204, None));
    assert_eq!(shop.total("visitors"), 4);
}

#[test]
fn the_site_s_filters_always_hold_and_its_checks_where_it_wants_them() {
    let shop = Shop::open(&[]);
    for (kind, value) in [("--address", "192.0.2.0/24"), ("--country", "jp"), ("--path", "/admin/**")] {
        shop.server.folder().run_json(&["filter", "create", "--site", HOST, kind, value, "--json"]);
    }
    let of = |context: Value| lead("u", json!({ "context": context }));
    let torn = "Mozilla/5.0 (X11; Linux x86_64; rv:78.0) Gecko/20100101 Firefox/128.0";
    let messages = [
        of(json!({"ip": "192.0.2.7"})),
        of(json!({"ip": "133.242.0.1"})),
        page_view("u", "/admin/x", json!({})),
        of(json!({"userAgent": "curl/8.4.0"})),
        of(json!({"userAgent": torn})),
        of(json!({"userAgent": FIREFOX, "page": {"referrer": "https://semalt.com/"}})),
        of(json!({"userAgent": FIREFOX, "campaign": {"source": "semalt.com"}})),
        of(json!({"userAgent": FIREFOX, "ip": "198.51.100.7"})),
    ];
    let rejected = || {
        let reason = |message| shop.track(message, 204).header("X-Hitstone-Rejected").map(str::to_owned);
        messages.iter().map(|message| reason(message).unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(rejected(), ["filter", "filter", "filter", "", "", "", "", ""]);
    shop.set("--track-bot-filter", "true");
    assert_eq!(rejected(), ["filter", "filter", "filter", "bot", "bot", "spam", "spam", ""]);
    shop.set("--checks-off", "headers,spam");
    assert_eq!(rejected(), ["filter", "filter", "filter", "bot", "", "", "", ""]);
    shop.set("--track-bot-filter", "false");
    shop.set("--checks-off", "");
    assert_eq!(rejected(), ["filter", "filter", "filter", "", "", "", "", ""]);
}
