use proptest::prelude::*;

use super::*;

const NOW: &str = "2026-06-10T12:00:00Z";

fn read(query: &str) -> Result<Filter, Invalid> {
    let now_ms = NOW.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    parse(query, Heeded::All, Defaults { zone: "UTC", now_ms })
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// Which of `texts` pass the only condition on an attribute.
fn passing<'a>(query: &str, texts: &[&'a str]) -> Vec<&'a str> {
    let filter = read(query).unwrap();
    let conditions = &filter.selection.attributes;
    texts.iter().copied().filter(|text| conditions.iter().all(|(_, is)| is.holds(text))).collect()
}

#[test]
fn dates() {
    for (query, from, to) in [
        ("from=2026-06-01&to=2026-06-05", "2026-06-01", "2026-06-05"),
        ("from=2026-06-05&to=2026-06-01", "2026-06-01", "2026-06-05"),
        ("from=2023-01-02T00:00:00.000Z&to=2023-01-03T23%3A59%3A59.999Z", "2023-01-02", "2023-01-03"),
        ("from=2026-06-09&to=2026-06-30", "2026-06-09", "2026-06-11"),
        ("from=2026-07-09&to=2026-07-30", "2026-07-09", "2026-07-09"),
        ("from=2024-02-29&to=2024-02-29", "2024-02-29", "2024-02-29"),
        ("from=2006-06-11&to=2026-06-10", "2006-06-11", "2026-06-10"),
    ] {
        assert_eq!(read(query).unwrap().days, Some((day(from), day(to))), "{query}");
    }
    assert_eq!(read("").unwrap().days, None);
}

#[test]
fn refusals_name_the_field() {
    for (query, field) in [
        ("from=2026-06-01", "to"),
        ("to=2026-06-01", "from"),
        ("from=2026-02-30&to=2026-06-01", "from"),
        ("from=26-02-03&to=2026-06-01", "from"),
        ("from=2026-06-01x&to=2026-06-01", "from"),
        ("from=2026-06-01&to=yesterday", "to"),
        ("from=-200-06-01&to=2026-06-01", "from"),
        ("from=%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9&to=2026-06-01", "from"),
        ("from=2026-06-01&from=2026-06-02&to=2026-06-03", "from"),
        ("from=1990-01-01&to=2026-06-03", "from"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("offset=-1", "offset"),
        ("start=3601", "start"),
        ("start=-5", "start"),
        ("tz=Mars/Olympus", "tz"),
        ("pattern=(", "pattern"),
        ("pattern=(%5Cpx", "pattern"),
        ("pattern=%5CpL%7B1000%7D%7B1000%7D", "pattern"),
        ("pattern=!(", "pattern"),
        ("include_title=maybe", "include_title"),
        ("visitor_id=1", "session_id"),
        ("session_id=1", "visitor_id"),
        ("visitor_id=x&session_id=1", "visitor_id"),
        ("scale=hour", "scale"),
        ("direction=up", "direction"),
        ("sort=visitors&sort=views", "sort"),
        ("custom_metric_key=a&custom_metric_type=text", "custom_metric_type"),
        ("from=2026-06-09&to=2026-06-10&to_time=10:00", "to_time"),
        ("from=2026-06-10&to=2026-06-10&from_time=24:00", "from_time"),
        ("from=2026-06-10&to=2026-06-10&to_time=1:30", "to_time"),
        ("colour=red", "colour"),
        ("colour=", "colour"),
        ("meta_=x", "meta_"),
        ("=x", ""),
    ] {
        let invalid = read(query).err().unwrap_or_default();
        assert!(invalid.fields.contains_key(field), "{query}: {:?}", invalid.fields);
    }
}

#[test]
fn what_clients_send_as_empty_counts_as_not_given() {
    let filter = read(
        "id=abc&scale=&tz=&platform=&custom_metric_key=&custom_metric_type=&sort=&direction=&search=&offset=0\
         &limit=0&include_avg_time_on_page=false&start=0&path=&scale=day",
    )
    .unwrap();
    assert!(filter.selection.is_empty());
    assert_eq!((filter.limit, filter.offset, filter.start, filter.with_title), (None, 0, None, None));
}

#[test]
fn nothing_is_later_than_tomorrow() {
    let days = |from: &str, to: &str| read(&format!("from={from}&to={to}")).unwrap().days;
    assert_eq!(days("2026-06-01", "2099-01-01"), Some((day("2026-06-01"), day("2026-06-11"))));
    assert_eq!(
        days("2099-01-02", "2099-01-01"),
        Some((day("2099-01-01"), day("2099-01-01"))),
        "no other day"
    );
}

#[test]
fn limits() {
    for (query, list, series) in [
        ("", Some(100), None),
        ("limit=0", Some(100), None),
        ("limit=7", Some(7), Some(7)),
        ("limit=101", Some(100), Some(101)),
        ("limit=99999999999999999999999", Some(100), Some(usize::MAX)),
    ] {
        let filter = read(query).unwrap();
        assert_eq!((filter.list_page().limit, filter.series_page().limit), (list, series), "{query}");
    }
    assert_eq!(read("offset=3").unwrap().list_page().offset, 3);
    assert_eq!(read("offset=3").unwrap().series_page().offset, 0);
}

#[test]
fn every_form_of_a_value() {
    let texts = ["", "Chrome", "Chromium", "Firefox"];
    for (query, want) in [
        ("browser=Chrome", vec!["Chrome"]),
        ("browser=chrome", vec![]),
        ("browser=!Chrome", vec!["", "Chromium", "Firefox"]),
        ("browser=null", vec![""]),
        ("browser=NULL", vec![""]),
        ("browser=!null", vec!["Chrome", "Chromium", "Firefox"]),
        ("browser=~CHROM", vec!["Chrome", "Chromium"]),
        ("browser=^chrom", vec!["", "Firefox"]),
        ("browser=~", texts.to_vec()),
        ("browser=^", texts.to_vec()),
        ("browser=Chrome&browser=Firefox", vec!["Chrome", "Firefox"]),
        ("browser[]=Chrome&browser[]=null", vec!["", "Chrome"]),
        ("browser=!Chrome&browser=!Firefox", vec!["", "Chromium"]),
        ("browser=^chrome&browser=^fire", vec!["", "Chromium"]),
        ("browser=~chrom&browser=!Chrome", vec!["Chromium"]),
        ("browser=~chrom&browser=Firefox&browser=^ium", vec!["Chrome", "Firefox"]),
    ] {
        assert_eq!(passing(query, &texts), want, "{query}");
    }
}

#[test]
fn words_of_their_own() {
    let codes = ["", "de", "en", "fr"];
    assert_eq!(passing("country=DE", &codes), ["de"]);
    assert_eq!(passing("country=!De", &codes), ["", "en", "fr"]);
    assert_eq!(passing("country=null", &codes), [""]);
    assert_eq!(passing("language=~en,%20de", &codes), ["de", "en"]);
    assert_eq!(passing("language=^en,de,", &codes), ["", "fr"]);
    let platforms = ["", "desktop", "mobile", "unknown"];
    assert_eq!(passing("platform=mobile", &platforms), ["mobile"]);
    assert_eq!(passing("platform=fridge", &platforms), ["", "unknown"]);
    assert_eq!(passing("platform=!unknown", &platforms), ["desktop", "mobile"]);
    let classes = ["", "XS", "XL", "HD", "UHD 5K", "XXL"];
    assert_eq!(passing("screen_class=XXL", &classes), ["HD", "UHD 5K", "XXL"]);
    assert_eq!(passing("screen_class=!XXL", &classes), ["", "XS", "XL"]);
    assert_eq!(passing("screen_class=XL", &classes), ["XL"]);
}

#[test]
fn patterns() {
    let holds = |query: &str, path: &str| {
        let selection = read(query).unwrap().selection;
        selection.pattern.holds(path) && selection.path.holds(path)
    };
    assert!(holds("pattern=(?i)%5E%5C/path/%5B%5E%5C/%5D%2B$", "/PATH/x"));
    assert!(holds("pattern=simple", "/very/simple/page"));
    assert!(!holds("pattern=!simple", "/very/simple/page") && holds("pattern=!simple", "/x"));
    assert!(holds("pattern=%5E/a&pattern=%5E/b", "/b") && !holds("pattern=%5E/a&pattern=%5E/b", "/c"));
    assert!(holds("pattern=(&path=/a", "/a"));
    assert!(read("pattern=x&path=/a").unwrap().selection.pattern.is_empty());
}

#[test]
fn rows_events_and_sessions() {
    let selection = |query: &str| read(query).unwrap().selection;
    assert!(selection("path=/a").selects_rows() && selection("hostname=a.com").selects_rows());
    assert!(selection("tag=a").selects_rows() && selection("tag_a=b").selects_rows());
    assert!(!selection("entry_path=/a&exit_path=/b&event=c&meta_d=e&os=f").selects_rows());
    let filter = read("event=a&event_meta_key=k&meta_x=1&meta_y=!2").unwrap();
    assert_eq!(filter.event_meta_key.as_deref(), Some("k"));
    assert_eq!((filter.selection.meta.len(), filter.selection.event.one_wanted()), (3, Some("a")));
    assert_eq!(read("event_meta_key=k&event_meta_key=l").unwrap().event_meta_key, None);
    assert_eq!(selection("tag=a&tag=!b&tag_c=d").tags.len(), 2);
    for one in ["tag=a&tag_c=d", "tag=a&tag=!b"] {
        assert_eq!(selection(one).one_tag(), Some("a"));
    }
    for several in ["tag=a&tag=b", "tag=!a", "tag=~a", "tag=null", "tag_a=b"] {
        assert_eq!(selection(several).one_tag(), None, "{several}");
    }
    let session = Some((VisitorId(u64::MAX), SessionId(7)));
    assert_eq!(selection("visitor_id=18446744073709551615&session_id=7").session, session);
    assert_eq!(selection("visitor_id=-1&session_id=7").session, session);
}

#[test]
fn what_is_not_heeded_is_known_all_the_same() {
    let read = |query: &str| parse(query, Heeded::Only(&["id", "tz"]), Defaults { zone: "UTC", now_ms: 0 });
    let filter = read("id=a&tz=Asia/Tokyo&pattern=(&from=never&limit=-1&country=de&meta_k=1&tag_=").err();
    assert_eq!(
        filter.map(|invalid| invalid.fields.into_keys().collect::<Vec<_>>()),
        Some(vec!["tag_".into()])
    );
    let filter = read("pattern=(&from=never&limit=-1&country=de&meta_k=1&tag_x=2&funnel_id=3").unwrap();
    assert!(filter.selection.is_empty() && filter.days.is_none());
    assert!(read("tz=Moon").is_err());
    for name in OTHERS.iter().chain(WITHOUT_MEANING).chain(ATTRIBUTES.iter().map(|attribute| &attribute.0)) {
        assert!(self::read(&format!("{name}=")).is_ok(), "{name} is in the list and nobody takes it");
    }
}

#[test]
fn what_changes_the_display() {
    let filter = read("scale=month&sort=views&direction=ASC&search=x&custom_metric_key=price").unwrap();
    assert_eq!(
        (filter.scale, filter.sort.as_deref(), filter.ascending),
        (Scale::Month, Some("views"), Some(true))
    );
    let custom = filter.custom.unwrap();
    assert_eq!((custom.key.as_str(), custom.kind), ("price", MetricKind::Float));
    assert!(read("custom_metric_type=integer").unwrap().custom.is_none());
    for name in WITHOUT_MEANING {
        assert!(read(&format!("{name}=x")).is_ok());
    }
}

#[test]
fn a_part_of_a_day() {
    let span = |query: &str| {
        let query = format!("from=2026-06-09&to=2026-06-09&{query}");
        let span = read(&query).unwrap().period(0).unwrap().span();
        let minute = |at: i64| (at - 1_780_963_200_000) / 60_000;
        (minute(span.start), minute(span.end))
    };
    assert_eq!(span("from_time=10:00&to_time=10:29"), (600, 630));
    assert_eq!(span("from_time=10:29&to_time=10:00"), (600, 630));
    assert_eq!(span("from_time=10:00"), (600, 1440));
    assert_eq!(span("to_time=00:00"), (0, 1));
    assert!(read("from=2026-06-09&to=2026-06-08&from_time=10:00").is_err());
    assert!(
        read("from=2026-06-08&to=2026-06-09&start=60&from_time=10:00").is_ok(),
        "start replaces the days"
    );
}

#[test]
fn zones() {
    let name = |query: &str| read(query).unwrap().zone.iana_name().map(str::to_owned);
    assert_eq!(name("tz=Asia/Tokyo").as_deref(), Some("Asia/Tokyo"));
    assert_eq!(name("tz=").as_deref(), Some("UTC"));
}

proptest! {
    #[test]
    fn no_query_string_panics(query in any::<String>()) {
        let _ = read(&query);
    }

    #[test]
    fn no_dates_break_the_calendar(
        from in "(19[0-9]{2}|20[0-2][0-9]|0[0-9]{3})-(0[1-9]|1[0-2])-[0-2][0-9]",
        days in 0..300_i64,
        zone in "UTC|Asia/Tokyo|America/Sao_Paulo|Pacific/Apia|Africa/Monrovia|Europe/Dublin",
    ) {
        let Some(first) = date(&from) else { return Ok(()) };
        let last = period::plus_days(first, days);
        let filter = read(&format!("from={from}&to={last}&tz={zone}")).unwrap();
        let now_ms = period::day_number(first) * 86_400_000;
        let period = filter.period(now_ms).unwrap();
        for period in [period.previous(now_ms), period].into_iter().filter(|period| !period.span().is_empty()) {
            let scales = [period::Scale::Day, period::Scale::Month, period::Scale::Year];
            for days in scales.map(|scale| period.buckets(scale)) {
                let edges = &days.edges;
                prop_assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert_eq!((edges[0], edges[edges.len() - 1]), (period.span().start, period.span().end));
                prop_assert_eq!(days.dates.iter().filter(|(_, bucket)| bucket.is_some()).count(), edges.len() - 1);
            }
            let pieces = period.clock(60_000, 60).pieces;
            prop_assert!(pieces.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert_eq!(pieces[0].0, period.span().start);
        }
    }

    #[test]
    fn no_mixture_of_known_names_panics(
        pairs in proptest::collection::vec(("[a-z_]{1,8}|from|to|tz|path\\[\\]|pattern|event|meta_x|limit|start|country|tag|visitor_id|session_id",
            "[!~^]?(null|[0-9-]{0,12}|\\PC{0,6}|%[0-9a-fA-F]{0,2})"), 0..8)
    ) {
        let query: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if let Ok(filter) = read(&query.join("&")) {
            let _ = filter.selection.filter();
            if let Ok(period) = filter.period(0) {
                let before = period.previous(0);
                prop_assert!(before.buckets(period::Scale::Day).edges.windows(2).all(|pair| pair[0] <= pair[1]));
                prop_assert!(!period.clock(60_000, 60).pieces.is_empty());
            }
        }
    }
}
