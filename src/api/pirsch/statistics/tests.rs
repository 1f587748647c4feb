mod sessions;
mod time;

use hitstone_engine::query::{Group, GroupRow, Metrics, Query, Report, Unit};
use hitstone_engine::query::{SessionDetail, SessionRow, SessionsQuery};
use hitstone_engine::schema::Column;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::goals::{Goal, GoalSpec};
use crate::statistics::fake::{Fake, counts, row};

fn now_ms() -> i64 {
    "2026-06-10T12:00:00Z".parse::<Timestamp>().unwrap().as_millisecond()
}

fn site() -> Site {
    Site::new(1, "example.com".into(), 0).unwrap()
}

fn ask_raw<A: Ask>(ask: &A, path: &str, query: &str) -> (u16, Value) {
    let answer = answer_from(ask, path, query, &site(), now_ms());
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

/// The answer for the tenth of June with the parameters of `query` added.
fn ask<A: Ask>(ask: &A, path: &str, query: &str) -> Value {
    let (status, body) = ask_raw(ask, path, &format!("id=x&from=2026-06-10&to=2026-06-10&{query}"));
    assert_eq!(status, 200, "{body}");
    body
}

fn unfiltered(query: &Query) -> bool {
    let filter = &query.filter;
    !filter.selects_rows()
        && filter.attributes.is_empty()
        && filter.events.is_empty()
        && filter.entry_path.is_none()
        && filter.exit_path.is_none()
}

/// Ten visitors, twelve sessions, twenty views; everything else as `groups` says.
fn with_whole<'a>(groups: impl Fn(&Query) -> Vec<GroupRow> + 'a) -> Fake<'a> {
    Fake::new(move |query| match query.group {
        Group::All if unfiltered(query) && query.unit == Unit::Sessions => {
            vec![row(&[], counts(10, 12, 20, 3))]
        }
        _ => groups(query),
    })
}

#[test]
fn a_plain_list() {
    let fake = with_whole(|_| vec![row(&[""], counts(5, 5, 5, 0)), row(&["en"], counts(2, 3, 4, 1))]);
    assert_eq!(
        ask(&fake, "language", ""),
        json!([
            {"visitors": 5, "relative_visitors": 0.5, "language": ""},
            {"visitors": 2, "relative_visitors": 0.2, "language": "en"},
        ])
    );
    assert_eq!(*fake.asked.borrow(), ["Sessions by all where ", "Sessions by [Language] where "]);
}

#[test]
fn every_list_spells_its_columns() {
    let fake = with_whole(|query| match &query.group {
        Group::Columns(columns) => {
            let keys: Vec<String> = columns.iter().map(|column| format!("{column:?}")).collect();
            vec![row(&keys.iter().map(String::as_str).collect::<Vec<_>>(), counts(1, 1, 1, 1))]
        }
        _ => vec![],
    });
    for (path, want) in [
        ("utm/source", json!({"utm_source": "UtmSource"})),
        ("utm/medium", json!({"utm_medium": "UtmMedium"})),
        ("utm/campaign", json!({"utm_campaign": "UtmCampaign"})),
        ("utm/content", json!({"utm_content": "UtmContent"})),
        ("utm/term", json!({"utm_term": "UtmTerm"})),
        ("os", json!({"os": "Os"})),
        ("os/version", json!({"os": "Os", "os_version": "OsVersion"})),
        ("browser", json!({"browser": "Browser"})),
        ("browser/version", json!({"browser": "Browser", "browser_version": "BrowserVersion"})),
        ("country", json!({"country": "Country", "country_code": "Country"})),
        ("region", json!({"country_code": "Country", "region": "Region"})),
        ("city", json!({"city": "City", "country_code": "Country", "region": "Region"})),
        ("screen", json!({"screen_class": "ScreenClass"})),
    ] {
        let mut want = want.as_object().unwrap().clone();
        want.insert("visitors".into(), json!(1));
        want.insert("relative_visitors".into(), json!(0.1));
        assert_eq!(ask(&fake, path, ""), json!([want]), "{path}");
    }
    assert_eq!(
        ask(&fake, "channel", ""),
        json!([{"channel": "Channel", "visitors": 1, "views": 1, "sessions": 1, "relative_visitors": 0.1,
                "relative_views": 0.05, "bounces": 1, "bounce_rate": 1.0}])
    );
}

#[test]
fn empty_lists_are_empty_lists() {
    let fake = Fake::new(|_| vec![]);
    for path in [
        "page",
        "page/entry",
        "page/exit",
        "referrer",
        "city",
        "events",
        "event/meta",
        "os",
        "keywords",
        "tags",
        "tag/details",
        "event/list",
        "event/page",
        "hostname",
        "goals",
        "options/page",
        "options/metadata/keys",
    ] {
        assert_eq!(ask(&fake, path, ""), json!([]), "{path}");
    }
    assert_eq!(ask(&fake, "active", ""), json!({"stats": [], "countries": [], "visitors": 0}));
}

#[test]
fn limits_reach_the_engine() {
    let fake = with_whole(|_| (0..300).map(|i| row(&[&format!("{i:03}")], counts(1, 1, 1, 1))).collect());
    let length = |query: &str| ask(&fake, "os", query).as_array().unwrap().len();
    assert_eq!((length(""), length("limit=0"), length("limit=5"), length("limit=500")), (100, 100, 5, 100));
    assert_eq!(ask(&fake, "os", "limit=1&offset=7")[0]["os"], "007");
}

#[test]
fn lists_are_ordered_as_asked() {
    let ascending = std::cell::Cell::new(0);
    let fake = with_whole(|query| {
        ascending.set(ascending.get() + u32::from(query.order.ascending));
        vec![row(&["a"], counts(1, 1, 1, 1))]
    });
    for (path, query) in [
        ("os", "sort=os"),
        ("os", "sort=visitors&direction=asc"),
        ("os", "direction=asc"),
        ("page", "sort=bounce_rate&direction=ASC"),
        ("page/entry", "sort=path"),
        ("events", "sort=average_duration_seconds&direction=asc"),
        ("active", "sort=path"),
    ] {
        ask(&fake, path, query);
        assert_eq!(ascending.replace(0), 1, "{path} {query}");
    }
    for (path, query) in [("os", "sort=views"), ("events", "sort=meta_keys"), ("page", "sort=secret")] {
        let (status, body) = ask_raw(&fake, path, &format!("from=2026-06-10&to=2026-06-10&{query}"));
        assert_eq!((status, body["validation"]["sort"].is_string()), (400, true), "{path} {query}");
    }
    let series = Fake::new(|_| vec![]);
    for path in
        ["visitor", "hours", "growth", "total", "platform", "options/page", "overview", "session/list"]
    {
        ask(&series, path, "sort=whatever&direction=asc&search=x");
    }
}

#[test]
fn goals_are_one_more_filter() {
    let fake = with_whole(|_| vec![row(&[], counts(3, 3, 4, 0))]);
    let mut site = site();
    let goal = |name: &str, path: Option<&str>, event: Option<&str>| {
        let spec = GoalSpec {
            name: name.into(),
            path_pattern: path.map(str::to_owned),
            event_name: event.map(str::to_owned),
            ..GoalSpec::default()
        };
        Goal::new(format!("{name:0>10}"), spec, 0).unwrap()
    };
    site.goals = vec![goal("b", Some("/x"), None), goal("a", None, Some("Sale"))];
    let ask = |query: &str| {
        let query = format!("from=2026-06-10&to=2026-06-10&os=Linux&{query}");
        serde_json::from_slice::<Value>(&answer_from(&fake, "goals", &query, &site, now_ms()).body).unwrap()
    };
    let body = ask("");
    assert_eq!((&body[0]["page_goal"]["name"], &body[1]["page_goal"]["name"]), (&json!("b"), &json!("a")));
    assert_eq!(body[0]["stats"]["cr"], json!(0.3));
    let asked = fake.asked.take();
    assert_eq!(
        asked,
        ["Sessions by all where ", "Sessions by all where Os+Path", "Sessions by all where Os+event true"]
    );
    assert_eq!(ask("sort=name")[0]["page_goal"]["name"], "a");
    assert_eq!(ask("search=A").as_array().unwrap().len(), 1);
    fake.asked.take();
    assert_eq!(ask("offset=1").as_array().unwrap().len(), 1);
    assert_eq!(ask("limit=1&direction=asc")[0]["page_goal"]["name"], "a");
    assert_eq!(fake.asked.take().len(), 4, "nothing is asked of goals that are not on the page");
}

#[test]
fn totals() {
    let fake = with_whole(|_| vec![row(&[], counts(4, 5, 6, 2))]);
    assert_eq!(
        ask(&fake, "total", "os=Linux"),
        json!({"visitors": 4, "views": 6, "sessions": 5, "bounces": 2, "bounce_rate": 0.4, "cr": 0.4,
               "custom_metric_avg": 0.0, "custom_metric_total": 0.0})
    );
    assert_eq!(ask(&fake, "total", "")["cr"], json!(1.0));
    assert_eq!(fake.asked.borrow().len(), 3, "without a filter the whole is the total itself");
}

#[test]
fn pages_show_their_time_when_asked() {
    let seconds = Metrics { page_seconds: 33, page_count: 2, ..counts(5, 6, 10, 3) };
    let fake = with_whole(move |_| vec![row(&["/"], seconds)]);
    let page = |average: u64| {
        json!([{"path": "/", "title": "", "visitors": 5, "views": 10, "sessions": 6, "bounces": 3,
                "relative_visitors": 0.5, "relative_views": 0.5, "bounce_rate": 0.5,
                "average_time_spent_seconds": average}])
    };
    assert_eq!(ask(&fake, "page", ""), page(0));
    assert_eq!(ask(&fake, "page", "include_avg_time_on_page=true"), page(16));
}

#[test]
fn titles_of_a_page_share_its_time() {
    let fake = with_whole(|query| match &query.group {
        Group::Columns(columns) if columns.len() == 2 => vec![
            row(&["/", "Home 1"], counts(2, 2, 2, 0)),
            row(&["/", "Home 2"], counts(1, 1, 1, 0)),
            row(&["/foo", "Foo"], counts(1, 1, 1, 0)),
        ],
        _ => vec![row(&["/"], Metrics { page_seconds: 84, page_count: 2, ..counts(3, 3, 3, 0) })],
    });
    let body = ask(&fake, "page", "include_title=true&include_avg_time_on_page=true");
    let shown: Vec<_> = body
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["title"].as_str().unwrap(), line["average_time_spent_seconds"].as_u64().unwrap()))
        .collect();
    assert_eq!(shown, [("Home 1", 42), ("Home 2", 42), ("Foo", 0)]);
}

#[test]
fn entries_and_those_who_saw_the_page() {
    let fake = with_whole(|query| match &query.group {
        Group::Entry(false) | Group::Exit(false) => vec![row(&["/"], counts(1, 3, 9, 0))],
        Group::Columns(_) => {
            vec![row(&["/"], Metrics { page_seconds: 46, page_count: 2, ..counts(6, 7, 8, 0) })]
        }
        _ => vec![],
    });
    let all = "path=/x&pattern=y&tag_a=b&entry_path=/&event=e&os=Linux&include_avg_time_on_page=true";
    assert_eq!(
        ask(&fake, "page/entry", all),
        json!([{"path": "/", "title": "", "visitors": 6, "sessions": 7, "entries": 3, "entry_rate": 0.25,
                "average_time_spent_seconds": 23}])
    );
    assert_eq!(
        *fake.asked.borrow(),
        [
            "Sessions by all where ",
            "PageViews by entry false where Os+entry+event true+Path+tag",
            "PageViews by [Path] where Os+event true+Path",
            "PageViews by [Path] where Os+entry+event true+Path",
        ]
    );
    assert_eq!(
        ask(&fake, "page/exit", ""),
        json!([{"path": "/", "exit_path": "/", "title": "", "visitors": 6, "sessions": 7, "exits": 3, "exit_rate": 0.25}])
    );
}

#[test]
fn entries_are_cut_by_the_engine_unless_what_orders_them_is_joined() {
    let limit = std::cell::Cell::new(None);
    let fake = with_whole(|query| {
        if matches!(query.group, Group::Entry(_)) {
            limit.set(query.limit);
        }
        vec![]
    });
    for (query, want) in [
        ("", Some(100)),
        ("sort=path", Some(100)),
        ("sort=average_time_spent_seconds", Some(100)),
        ("sort=average_time_spent_seconds&include_avg_time_on_page=true", None),
        ("sort=visitors", None),
    ] {
        ask(&fake, "page/entry", query);
        assert_eq!(limit.take(), want, "{query}");
    }
}

#[test]
fn referrers_by_name_and_by_url() {
    let fake = with_whole(|query| match &query.group {
        Group::Columns(columns) if columns.len() == 2 => vec![
            row(&["Google", "https://google.com/a"], counts(1, 1, 1, 1)),
            row(&["Google", "https://google.com/b"], counts(2, 2, 2, 1)),
        ],
        _ => vec![row(&["Google"], counts(3, 4, 5, 2)), row(&[""], counts(1, 1, 1, 0))],
    });
    assert_eq!(
        ask(&fake, "referrer", ""),
        json!([
            {"referrer": "https://google.com/a", "referrer_name": "Google", "referrer_icon": "", "visitors": 3,
             "sessions": 4, "relative_visitors": 0.3, "bounces": 2, "bounce_rate": 0.5},
            {"referrer": "", "referrer_name": "", "referrer_icon": "", "visitors": 1, "sessions": 1,
             "relative_visitors": 0.1, "bounces": 0, "bounce_rate": 0.0},
        ])
    );
    let body = ask(&fake, "referrer", "referrer_name=Google");
    assert_eq!(body[1]["referrer"], "https://google.com/b");
}

#[test]
fn an_unknown_city_is_one_line() {
    let fake = with_whole(|query| match &query.group {
        Group::Columns(_) => vec![
            row(&["London", "gb", "England"], counts(3, 3, 3, 0)),
            row(&["Berlin", "de", "Berlin"], counts(2, 2, 2, 0)),
        ],
        _ => vec![row(&[], counts(2, 2, 2, 0))],
    });
    let body = ask(&fake, "city", "");
    let cities: Vec<_> = body.as_array().unwrap().iter().map(|line| line["city"].as_str().unwrap()).collect();
    assert_eq!(cities, ["London", "", "Berlin"]);
    assert_eq!((&body[1]["country_code"], &body[1]["region"]), (&json!(""), &json!("")));
}

#[test]
fn platforms_stand_for_themselves() {
    let fake = with_whole(|query| match &query.group {
        Group::Columns(columns) if columns == &[Column::Platform] => vec![
            row(&["desktop"], counts(5, 9, 9, 0)),
            row(&[""], counts(2, 2, 2, 0)),
            row(&["unknown"], counts(2, 2, 2, 0)),
        ],
        _ => vec![row(&[], counts(3, 4, 4, 0))],
    });
    assert_eq!(
        ask(&fake, "platform", ""),
        json!({"platform_desktop": 5, "platform_mobile": 0, "platform_unknown": 3,
               "relative_platform_desktop": 0.5, "relative_platform_mobile": 0.0,
               "relative_platform_unknown": 0.3})
    );
}

#[test]
fn events_and_their_metadata() {
    let fake = with_whole(|query| {
        assert_eq!(query.unit, Unit::Events);
        let metrics = Metrics { event_seconds: 29, ..counts(5, 5, 6, 0) };
        let key = if matches!(query.group, Group::Pairs(..)) { "in" } else { "event2" };
        vec![GroupRow { meta_keys: vec!["price".into(), "status".into()], ..row(&[key], metrics) }]
    });
    assert_eq!(
        ask(&fake, "events", ""),
        json!([{"name": "event2", "count": 6, "visitors": 5, "views": 6, "cr": 0.5, "average_duration_seconds": 4,
                "meta_keys": ["price", "status"], "meta_value": ""}])
    );
    let body = ask(&fake, "event/meta", "event=event2&event_meta_key=status");
    assert_eq!((&body[0]["name"], &body[0]["meta_value"]), (&json!("event2"), &json!("in")));
    assert_eq!(ask(&fake, "event/meta", "event=event2"), json!([]));
    assert_eq!(ask(&fake, "event/meta", "event_meta_key=status"), json!([]));
    let query = "from=2026-06-10&to=2026-06-10&event_meta_key=k&event=a&event=b";
    let (status, body) = ask_raw(&fake, "event/meta", query);
    assert_eq!((status, body["validation"]["event"].is_string()), (400, true));
}

#[test]
fn refusals_have_a_shape() {
    struct Stopped;
    impl Ask for Stopped {
        fn ask(&self, _: &Query) -> Result<Report, QueryError> {
            Err(QueryError::Cancelled("it took too long"))
        }
        fn sessions(&self, _: &SessionsQuery) -> Result<Vec<SessionRow>, QueryError> {
            Err(QueryError::Cancelled("it took too long"))
        }
        fn session_rows(&self, _: &SessionsQuery) -> Result<Option<SessionDetail>, QueryError> {
            Err(QueryError::Cancelled("it took too long"))
        }
    }
    let fake = Fake::new(|_| vec![]);
    let (status, body) = ask_raw(&fake, "nonsense", "");
    assert_eq!((status, body), (404, json!({"validation": {}, "error": ["there is no such statistic"]})));
    let (status, body) = ask_raw(&fake, "visitor", "colour=red");
    assert_eq!(status, 400);
    assert_eq!(body["validation"], json!({"colour": "is not a parameter of statistics"}));
    assert_eq!(body["error"], json!(["colour is not a parameter of statistics"]));
    let (status, body) = ask_raw(&fake, "visitor", "");
    assert_eq!(status, 400);
    assert!(body["validation"]["from"].is_string() && body["validation"]["to"].is_string());
    let (status, body) = ask_raw(&Stopped, "total", "from=2026-06-10&to=2026-06-10");
    assert_eq!(status, 503);
    assert_eq!(body["error"], json!(["the query was cancelled: it took too long"]));
}
