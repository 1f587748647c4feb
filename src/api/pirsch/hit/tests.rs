//! Bodies and what becomes of them.

use super::*;

const NOW: TimestampMs = 1_782_000_000_000;

fn parse(call: Call, body: &str) -> Result<Hit, ApiError> {
    read(call, Json::parse(body.as_bytes())?, NOW, false)
}

fn with(extra: &str) -> String {
    format!(
        r#"{{"url":"https://example.com/","ip":"198.51.100.2:443","user_agent":"UA","event_name":" E "{extra}}}"#
    )
}

#[test]
fn a_go_client_s_body_is_read() {
    let body = with(
        r#","cf_connecting_ip":"","dnt":"","referrer":"https://a.example/","screen_width":0,"screen_height":0,"tags":null,"Hostname":"","event_meta":null,"event_duration":0"#,
    );
    let hit = parse(Call::Event, &body).unwrap();
    assert_eq!(hit.ip.to_string(), "198.51.100.2");
    assert_eq!(hit.referrer, "https://a.example/");
    assert_eq!(hit.kind, HitKind::Event(CustomEvent { name: "E".into(), ..CustomEvent::default() }));
    assert!(!hit.dnt && hit.tags.is_empty() && hit.time.is_none());
}

#[test]
fn faults_name_their_field() {
    let table = [
        (r#","url":5"#, "url"),
        (r#","url":"""#, "url"),
        (r#","url":null"#, "url"),
        (r#","ip":"""#, "ip"),
        (r#","ip":"123.456.789.0""#, "ip"),
        (r#","user_agent":"""#, "user_agent"),
        (r#","user_agent":["UA"]"#, "user_agent"),
        (r#","event_name":"  ""#, "event_name"),
        (r#","title":true"#, "title"),
        (r#","dnt":1"#, "dnt"),
        (r#","screen_width":"1920""#, "screen_width"),
        (r#","screen_width":-1"#, "screen_width"),
        (r#","screen_width":65536"#, "screen_width"),
        (r#","screen_width":12.5"#, "screen_width"),
        (r#","screen_height":{}"#, "screen_height"),
        (r#","event_duration":-1"#, "event_duration"),
        (r#","event_duration":1e20"#, "event_duration"),
        (r#","event_duration":"42""#, "event_duration"),
        (r#","event_meta":[1]"#, "event_meta"),
        (r#","event_meta":"x""#, "event_meta"),
        (r#","event_meta":{"a":[1]}"#, "event_meta"),
        (r#","tags":{"a":{"b":[]}}"#, "tags"),
        (r#","non_interactive":"true""#, "non_interactive"),
        (r#","disable_bot_filter":1"#, "disable_bot_filter"),
        (r#","sec_ch_ua":1"#, "sec_ch_ua"),
        (r#","time":"yesterday""#, "time"),
        (r#","time":"2026-06-10""#, "time"),
        (r#","time":"2026-06-10T12:00:00""#, "time"),
        (r#","time":"2026-06-10T12:00Z""#, "time"),
        (r#","time":"20260610T120000Z""#, "time"),
        (r#","time":"2026-06-10T12:00:00Z[Europe/Berlin]""#, "time"),
        (r#","time":"2026-06-10T12:00:00+0200""#, "time"),
        (r#","time":"2026-06-10T12:00:00.Z""#, "time"),
        (r#","time":"2026-02-30T12:00:00Z""#, "time"),
        (r#","time":"2026-06-10T12:00:00\u00e9""#, "time"),
        (r#","time":"1999-12-31T23:59:59Z""#, "time"),
        (r#","time":"2100-01-01T00:00:00Z""#, "time"),
    ];
    for (extra, field) in table {
        let error = parse(Call::Event, &with(extra)).unwrap_err();
        assert_eq!(error.status.as_u16(), 400, "{extra}");
        assert_eq!(error.validation.keys().collect::<Vec<_>>(), [field], "{extra}");
    }
}

#[test]
fn an_event_may_have_an_id() {
    for call in [Call::Hit, Call::Event, Call::Session] {
        let id = |extra: &str| parse(call, &with(extra)).map(|hit| hit.event_id);
        assert_eq!(id(r#","event_id":"e 1""#).unwrap(), "e 1");
        assert_eq!((id("").unwrap(), id(r#","event_id":null"#).unwrap()), (String::new(), String::new()));
        assert!(id(r#","event_id":7"#).unwrap_err().validation.contains_key("event_id"));
    }
}

#[test]
fn each_call_requires_its_own_fields() {
    let bare = r#"{"ip":"198.51.100.2","user_agent":"UA"}"#;
    assert_eq!(parse(Call::Session, bare).unwrap().kind, HitKind::KeepAlive);
    assert!(parse(Call::Hit, bare).unwrap_err().validation.contains_key("url"));
    let page = r#"{"ip":"198.51.100.2","user_agent":"UA","url":"https://example.com"}"#;
    assert_eq!(parse(Call::Hit, page).unwrap().kind, HitKind::PageView);
    assert!(parse(Call::Event, page).unwrap_err().validation.contains_key("event_name"));
    let item = read(Call::Hit, Json::parse(page.as_bytes()).unwrap(), NOW, true);
    assert!(item.unwrap_err().validation.contains_key("time"));
    for body in ["[]", "1", "null", "\"x\""] {
        assert!(parse(Call::Hit, body).unwrap_err().validation.is_empty(), "{body}");
    }
}

#[test]
fn metadata_becomes_flat_texts() {
    let meta =
        r#","event_meta":{"s":"x","n":1.50,"big":1e3,"yes":true,"no":null,"deep":{"a":{"b":0}},"":""}"#;
    let HitKind::Event(event) = parse(Call::Event, &with(meta)).unwrap().kind else { panic!("no event") };
    let pairs: Vec<_> = event.meta.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        pairs,
        [("s", "x"), ("n", "1.5"), ("big", "1000"), ("yes", "true"), ("deep.a.b", "0"), ("", "")]
    );
}

#[test]
fn times_are_read_in_any_zone_to_the_millisecond() {
    let table = [
        ("2026-06-10T12:00:00Z", 1_781_092_800_000),
        ("2026-06-10t12:00:00.123456789z", 1_781_092_800_123),
        ("2026-06-10 11:59:60Z", 1_781_092_799_000),
        ("2026-06-10T14:00:00.1239+02:00", 1_781_092_800_123),
    ];
    for (text, want) in table {
        let hit = parse(Call::Hit, &with(&format!(r#","time":"{text}""#)));
        assert_eq!(hit.unwrap().time, Some(want), "{text}");
    }
}
