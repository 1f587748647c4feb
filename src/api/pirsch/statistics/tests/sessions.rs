//! Sessions and the rows of one as JSON.

use hitstone_engine::event::Kind;
use hitstone_engine::query::{RowDetail, SessionPage};
use hitstone_engine::units::{SessionId, VisitorId};

use super::*;

/// 2026-06-10T08:00:00.250Z.
const START: i64 = 1_781_078_400_250;

fn session() -> SessionRow {
    let page = |path: &str, title: &str| SessionPage { path: path.into(), title: title.into() };
    SessionRow {
        visitor: VisitorId(u64::MAX),
        session: SessionId(u32::MAX),
        start: START,
        last: START + 61_900,
        views: 2,
        bounced: true,
        pings: 3,
        entry: page("/", "Home"),
        exit: page("/prices", "Prices"),
        attributes: Column::attributes().iter().map(|column| format!("{column:?}")).collect(),
    }
}

fn attributes() -> Value {
    json!({
        "language": "Language", "country_code": "Country", "region": "Region", "city": "City",
        "referrer": "Referrer", "referrer_name": "ReferrerName", "referrer_icon": "", "os": "Os",
        "os_version": "OsVersion", "browser": "Browser", "browser_version": "BrowserVersion", "desktop": false,
        "mobile": false, "screen_class": "ScreenClass", "utm_source": "UtmSource", "utm_medium": "UtmMedium",
        "utm_campaign": "UtmCampaign", "utm_content": "UtmContent", "utm_term": "UtmTerm", "channel": "Channel",
    })
}

/// The members of both objects.
fn with_attributes(mut object: Value) -> Value {
    object.as_object_mut().unwrap().extend(attributes().as_object().unwrap().clone());
    object
}

fn row(kind: Kind) -> RowDetail {
    let pairs = |key: &str| vec![(format!("{key}1"), "one".to_owned()), (format!("{key}2"), String::new())];
    let is_event = kind == Kind::Event;
    RowDetail {
        time: START + 1_000,
        kind,
        seconds_since_previous: 17,
        path: "/prices".into(),
        title: "Prices".into(),
        hostname: "example.com".into(),
        event_name: if is_event { "sale".into() } else { String::new() },
        meta: if is_event { pairs("m") } else { Vec::new() },
        tags: if is_event { Vec::new() } else { pairs("t") },
        event_seconds: is_event.then_some(42),
    }
}

#[test]
fn a_list_of_sessions() {
    let mut fake = Fake::new(|_| vec![]);
    let mut mobile = SessionRow { views: 0, bounced: false, ..SessionRow::default() };
    mobile.attributes = Column::attributes().iter().map(|_| String::new()).collect();
    mobile.attributes[Column::Platform.index()] = "mobile".into();
    fake.sessions = vec![session(), mobile, SessionRow::default()];
    let body = ask(&fake, "session/list", "");
    assert_eq!(
        body[0],
        with_attributes(json!({
            "visitor_id": "18446744073709551615", "session_id": 4_294_967_295u32,
            "time": "2026-06-10T08:01:02.150Z", "start": "2026-06-10T08:00:00.250Z", "duration_seconds": 62,
            "entry_path": "/", "exit_path": "/prices", "page_views": 2, "is_bounce": true,
            "entry_title": "Home", "exit_title": "Prices", "extended": 3,
        }))
    );
    assert_eq!((&body[1]["desktop"], &body[1]["mobile"]), (&json!(false), &json!(true)));
    let members = |at: usize| body[at].as_object().unwrap().len();
    assert_eq!((members(1), members(2)), (members(0), members(0)), "nothing is left out of a bare session");
    assert_eq!(body[2]["channel"], "");
}

#[test]
fn the_rows_of_a_session() {
    let mut fake = Fake::new(|_| vec![]);
    fake.detail =
        Some(SessionDetail { session: session(), rows: vec![row(Kind::PageView), row(Kind::Event)] });
    let common = json!({
        "visitor_id": u64::MAX, "session_id": u32::MAX, "time": "2026-06-10T08:00:01.250Z", "path": "/prices",
        "title": "Prices", "hostname": "example.com",
    });
    let with = |more: Value| {
        let mut object = with_attributes(common.clone());
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    };
    let view = with(json!({"duration_seconds": 17, "tag_keys": ["t1", "t2"], "tag_values": ["one", ""]}));
    let event = with(json!({
        "name": "sale", "meta_keys": ["m1", "m2"], "meta_values": ["one", ""], "duration_seconds": 42,
    }));
    assert_eq!(
        ask(&fake, "session/details", "visitor_id=18446744073709551615&session_id=4294967295"),
        json!([{"page_view": view, "event": null}, {"page_view": null, "event": event}])
    );
}

#[test]
fn limits_of_sessions_and_of_rows() {
    let fake = Fake::new(|_| vec![]);
    let named = "visitor_id=1&session_id=2";
    for (path, query) in [
        ("session/list", "".to_owned()),
        ("session/list", "limit=500&offset=7".to_owned()),
        ("session/list", "limit=5".to_owned()),
        ("session/details", named.to_owned()),
        ("session/details", format!("{named}&limit=5000")),
        ("session/details", format!("{named}&limit=500&offset=3")),
    ] {
        assert_eq!(ask(&fake, path, &query), json!([]), "{path}?{query}");
    }
    assert_eq!(
        *fake.asked.borrow(),
        [
            "sessions 0+100",
            "sessions 7+100",
            "sessions 0+5",
            "rows 0+1000 of Some((1, 2))",
            "rows 0+1000 of Some((1, 2))",
            "rows 3+500 of Some((1, 2))",
        ]
    );
}

#[test]
fn rows_are_those_of_a_named_session() {
    let fake = Fake::new(|_| vec![]);
    let refused = |query: &str| {
        let (status, body) =
            ask_raw(&fake, "session/details", &format!("from=2026-06-10&to=2026-06-10&{query}"));
        assert_eq!(status, 400, "{query}");
        body["validation"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(refused(""), ["visitor_id"]);
    assert_eq!(refused("session_id=2"), ["visitor_id"]);
    assert_eq!(refused("visitor_id=2"), ["session_id"]);
    assert!(fake.asked.borrow().is_empty());
}
