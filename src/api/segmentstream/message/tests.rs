use serde_json::{Value, json};

use super::*;

/// 2026-07-01T12:00:00Z.
const NOW: TimestampMs = 1_782_907_200_000;

fn own() -> Browser {
    Browser {
        ip: IpAddr::from([192, 0, 2, 1]),
        user_agent: "Own/1.0".into(),
        accept_language: "sv".into(),
        hints: ClientHints { mobile: "?1".into(), ..ClientHints::default() },
        dnt: true,
        prefetch: true,
    }
}

fn read_text(text: &str, is_page: bool, filters_bots: bool) -> Result<Hit, Refused> {
    let browser = own();
    let sender =
        if is_page { Sender::Page(&browser) } else { Sender::Backend { browser: &browser, filters_bots } };
    read(Json::parse(text.as_bytes()).unwrap(), &sender, NOW)
}

/// A backend's.
fn track(message: &Value) -> Result<Hit, Refused> {
    read_text(&message.to_string(), false, false)
}

/// A page's.
fn collect(message: &Value) -> Hit {
    read_text(&message.to_string(), true, false).unwrap()
}

/// A message of user 7 with these members more.
fn with(more: Value) -> Value {
    let mut message = json!({"userId": "7", "event": {"name": "Lead"}});
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message
}

fn meta(hit: Hit) -> Vec<(String, String)> {
    let HitKind::Event(event) = hit.kind else { panic!("no event: {:?}", hit.kind) };
    event.meta
}

#[test]
fn all_of_a_page_view() {
    let context = json!({"ip": "81.2.69.142:80", "locale": "fr_CH", "userAgent": " UA ",
        "page": {"url": "https://a.test/c", "title": "C", "referrer": "https://b.test/"},
        "campaign": {"source": "s", "medium": "m", "name": "n", "term": "t", "content": "c"},
        "screenWidth": 1920, "screenHeight": 1080});
    let message = json!({"hitId": "h", "sentAt": "2026-06-10T10:00:00+02:00", "anonymousId": "a", "context": context,
        "integrations": {"Google Analytics": {"clientId": "1.2"}}, "event": {"name": "Viewed Page", "page": {"title": "T"}}});
    let hit = track(&message).unwrap();
    assert_eq!(hit.kind, HitKind::PageView);
    assert_eq!((hit.url.as_str(), hit.title.as_str()), ("https://a.test/c", "T"));
    assert_eq!(hit.referrer, "https://b.test/");
    assert_eq!(
        (hit.ip, hit.user_agent.as_str(), hit.accept_language.as_str()),
        (IpAddr::from([81, 2, 69, 142]), "UA", "fr_CH")
    );
    assert_eq!((hit.hints, hit.dnt, hit.prefetch), (ClientHints::default(), false, false));
    assert_eq!(hit.time, Some(1_781_078_400_000));
    assert_eq!((hit.event_id.as_str(), hit.screen_width, hit.source), ("h", 1920, "segmentstream"));
    assert_eq!(hit.given_visitor, GivenVisitor::new(GivenKind::Anonymous, "a"));
    let [source, medium, campaign, content, term] = ["s", "m", "n", "c", "t"].map(str::to_owned);
    assert_eq!(hit.campaign, Campaign { source, medium, campaign, content, term });
    assert!(hit.bot_filter == BotFilter::None && hit.disable_host_check);
}

#[test]
fn the_page_of_the_event_wins_and_a_page_view_without_one_is_an_event() {
    let context = json!({"page": {"url": "https://a.test/context"}});
    let url = |event: Value| track(&with(json!({"event": event, "context": context}))).unwrap().url;
    assert_eq!(url(json!({"name": "Lead"})), "https://a.test/context");
    assert_eq!(url(json!({"name": "Lead", "page": {"url": "/own"}})), "/own");
    assert_eq!(url(json!({"name": "Lead", "page": {"url": 5}})), "https://a.test/context");
    let hit = track(&with(json!({"event": {"name": "Viewed Page"}}))).unwrap();
    assert!(matches!(hit.kind, HitKind::Event(event) if event.name == "Viewed Page"));
}

#[test]
fn the_rest_of_the_event_is_its_metadata_but_for_what_is_personal() {
    let event = json!({"name": " Completed Transaction ", "category": "Ecommerce", "nonInteraction": true,
        "user": {"userId": "u", "email": "a@b.test", "firstName": "A"}, "email": "a@b.test", "value": null,
        "transaction": {"total": 99.50, "currency": "EUR", "isFirst": true, "lastName": "B",
            "lineItems": [{"quantity": 2, "emailHash": "x", "product": {"id": "p", "name": "Pen"}}]}});
    let hit = track(&with(json!({"event": event}))).unwrap();
    assert_eq!(hit.given_visitor, GivenVisitor::new(GivenKind::User, "u"), "that of the event comes first");
    let HitKind::Event(custom) = hit.kind else { panic!("no event") };
    assert_eq!(
        (custom.name.as_str(), custom.non_interactive, custom.duration),
        ("Completed Transaction", true, 0)
    );
    let wanted = [
        ("category", "Ecommerce"),
        ("transaction.currency", "EUR"),
        ("transaction.isFirst", "true"),
        ("transaction.lineItems", r#"[{"product":{"id":"p","name":"Pen"},"quantity":2}]"#),
        ("transaction.total", "99.5"),
    ];
    let mut found = custom.meta;
    found.sort();
    assert_eq!(found, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn visitors_are_named_in_several_places_or_told_by_address_and_agent() {
    let visitor =
        |message: Value| track(&message).map(|hit| hit.given_visitor.map(|given| (given.kind, given.id)));
    let lead = json!({"name": "Lead"});
    let (user, anonymous) = (GivenKind::User, GivenKind::Anonymous);
    for (message, wanted) in [
        (json!({"event": lead, "userId": 42}), (user, "42")),
        (json!({"event": lead, "anonymousId": "a", "userId": "u"}), (user, "u")),
        (json!({"event": lead, "anonymousId": "a", "userId": " "}), (anonymous, "a")),
        (json!({"event": lead, "user": {"anonymousId": "a"}}), (anonymous, "a")),
        (json!({"event": {"name": "Lead", "user": {"anonymousId": "a"}}, "userId": "u"}), (user, "u")),
    ] {
        assert_eq!(visitor(message.clone()), Ok(Some((wanted.0, wanted.1.to_owned()))), "{message}");
    }
    for (context, is_taken) in [
        (json!({"ip": "198.51.100.1", "userAgent": "UA"}), true),
        (json!({"ip": "123.22.334.55", "userAgent": "UA"}), true),
        (json!({"ip": "198.51.100.1"}), false),
        (json!({"userAgent": "UA"}), false),
        (json!({"ip": 5, "userAgent": ["UA"]}), false),
        (json!({}), false),
    ] {
        let found = visitor(json!({"event": lead, "context": context}));
        assert_eq!(found.is_ok_and(|given| given.is_none()), is_taken, "{context}");
    }
    assert_eq!(collect(&json!({"event": lead})).given_visitor, None, "a page's request tells");
}

#[test]
fn times_that_cannot_be_right_are_the_server_s() {
    let day = 86_400_000;
    let iso = |ms: i64| Timestamp::from_millisecond(ms).unwrap().to_string();
    for (text, wanted) in [
        ("2019-02-21T10:56:10.723Z".to_owned(), Some(1_550_746_570_723)),
        ("2019-02-21T12:56:10.723+0200".into(), Some(1_550_746_570_723)),
        ("2019-02-21T10:56:10.723".into(), Some(1_550_746_570_723)),
        ("2019-02-21".into(), Some(1_550_707_200_000)),
        ("2000-01-01T00:00:00Z".into(), Some(TIME_MIN)),
        ("1999-12-31T23:59:59.999Z".into(), None),
        (iso(NOW + day), Some(NOW + day)),
        (iso(NOW + day + 1), None),
        ("yesterday".into(), None),
        (String::new(), None),
    ] {
        assert_eq!(time(&text, NOW), wanted, "{text}");
    }
    assert_eq!(track(&with(json!({"sentAt": 1_550_746_570}))).unwrap().time, None);
}

#[test]
fn what_is_missing_in_the_context_the_request_shows() {
    let of = |message: &Value| {
        let hit = track(message).unwrap();
        (hit.ip, hit.user_agent, hit.accept_language, hit.screen_width)
    };
    let own = (own().ip, "Own/1.0".to_owned(), "sv".to_owned(), 0);
    assert_eq!(of(&with(json!({}))), own);
    let wrong =
        json!({"ip": 5, "userAgent": {}, "locale": [], "screenWidth": "wide", "campaign": "c", "page": 7});
    assert_eq!(of(&with(json!({"context": wrong}))), own);
    assert_eq!(of(&with(json!({"context": "none"}))), own);
    assert_eq!(of(&with(json!({"context": {"screenWidth": 70_000}}))), own);
    let nowhere = track(&with(json!({"context": {"ip": "123.22.334.55"}}))).unwrap().ip;
    assert!(nowhere.is_unspecified(), "{nowhere}");
}

#[test]
fn pages_are_looked_at_and_backends_when_they_name_a_browser() {
    let said = json!({"ip": "198.51.100.7", "userAgent": "Shown", "locale": "de"});
    let hit = collect(&with(json!({"context": said, "sentAt": "2026-06-10T10:00:00Z"})));
    assert_eq!((hit.ip, hit.user_agent.as_str(), hit.accept_language.as_str()), (own().ip, "Own/1.0", "sv"));
    assert_eq!(hit.time, None, "nobody writes history without a token");
    assert_eq!((hit.hints, hit.dnt, hit.prefetch), (own().hints, true, true));
    assert!(hit.bot_filter == BotFilter::All && !hit.disable_host_check);
    let unfiltered = |context: Value, filters_bots: bool| {
        let message = with(json!({"context": context})).to_string();
        read_text(&message, false, filters_bots).unwrap().bot_filter == BotFilter::None
    };
    assert!(unfiltered(json!({"userAgent": "UA"}), false));
    assert!(!unfiltered(json!({"userAgent": "UA"}), true));
    assert!(unfiltered(json!({}), true), "the backend's own user agent is a program's");
}

#[test]
fn an_address_that_is_none_is_no_page() {
    let url = |event: &str, context: &str| {
        let context = json!({"page": {"url": context}});
        let event = json!({"name": "Lead", "page": {"url": event}});
        track(&with(json!({"context": context, "event": event}))).unwrap().url
    };
    let long = format!("/{}", "x".repeat(8 << 10));
    for bad in ["", "file:///C:/x", "https://a b.test/", "//a.test/", "x", long.as_str()] {
        assert_eq!(url("", bad), "", "{bad}");
        assert_eq!(url(bad, "https://a.test/"), "https://a.test/", "{bad}");
    }
    assert_eq!(url("/x?y", ""), "/x?y");
}

#[test]
fn messages_without_an_event_are_refused() {
    for message in ["[]", "7", r#""x""#, "null", r#"{"userId":"7"}"#, r#"{"userId":"7","event":"Lead"}"#] {
        assert!(read_text(message, true, false).unwrap_err().is_bad_request(), "{message}");
    }
    for event in [json!({}), json!({"name": " "}), json!({"name": 5}), json!({"name": null})] {
        assert!(track(&with(json!({"event": event}))).unwrap_err().is_bad_request(), "{event}");
    }
    let mut deep = json!(1);
    (0..20).for_each(|_| deep = json!({ "a": deep }));
    assert!(track(&with(json!({"event": {"name": "Lead", "deep": deep}}))).is_err());
    assert!(meta(track(&with(json!({}))).unwrap()).is_empty());
}
