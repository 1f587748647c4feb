//! Statistics by time: series, cycles, growth, active visitors.

use super::*;

#[test]
fn days_are_complete_and_each_has_its_whole() {
    let fake = Fake::new(|query| {
        let bucket = if unfiltered(query) { counts(8, 8, 8, 8) } else { counts(2, 3, 4, 1) };
        match &query.group {
            Group::Buckets(edges) => {
                let day = |i: usize| if i == 1 { bucket } else { Metrics::default() };
                (0..edges.len() - 1).map(|i| row(&[], day(i))).collect()
            }
            _ => panic!("not by day"),
        }
    });
    let (_, body) = ask_raw(&fake, "visitor", "from=2026-06-09&to=2026-06-11&path=/");
    assert_eq!(body.as_array().unwrap().len(), 3);
    assert_eq!(
        body[1],
        json!({"day": "2026-06-10T00:00:00Z", "week": null, "month": null, "year": null, "visitors": 2,
               "views": 4, "sessions": 3, "bounces": 1, "bounce_rate": 1.0 / 3.0, "cr": 0.25,
               "custom_metric_avg": 0.0, "custom_metric_total": 0.0})
    );
    assert_eq!(body[2]["cr"], json!(0.0));
    assert_eq!(*fake.asked.borrow(), ["Sessions by 3 buckets where Path", "Sessions by 3 buckets where "]);
    let (_, body) = ask_raw(&fake, "visitor", "from=2026-06-09&to=2026-06-11&limit=2&offset=1");
    assert_eq!((body.as_array().unwrap().len(), &body[0]["visitors"]), (2, &json!(8)));
    let (_, body) = ask_raw(&fake, "visitor", "from=2026-05-30&to=2026-06-09&scale=month");
    assert_eq!(
        (&body[1]["day"], &body[1]["month"], body.as_array().unwrap().len()),
        (&Value::Null, &json!("2026-06-01T00:00:00Z"), 2)
    );
}

#[test]
fn a_date_that_the_zone_skipped_is_a_day_of_zeros() {
    let fake = Fake::new(|query| match &query.group {
        Group::Buckets(edges) => (1..edges.len() as u64).map(|i| row(&[], counts(i, i, i, 0))).collect(),
        _ => panic!("not by day"),
    });
    let (_, body) = ask_raw(&fake, "visitor", "from=2011-12-29&to=2011-12-31&tz=Pacific/Apia");
    let days: Vec<_> = body.as_array().unwrap().iter().map(|day| (&day["day"], &day["visitors"])).collect();
    assert_eq!(
        days,
        [
            (&json!("2011-12-29T00:00:00Z"), &json!(1)),
            (&json!("2011-12-30T00:00:00Z"), &json!(0)),
            (&json!("2011-12-31T00:00:00Z"), &json!(2)),
        ]
    );
}

#[test]
fn durations_are_rounded_half_to_even() {
    let fake = Fake::new(|query| {
        assert!(matches!(query.group, Group::Buckets(_)));
        let metrics = match query.unit {
            Unit::Sessions => Metrics { duration_seconds: 35, duration_count: 2, ..Metrics::default() },
            _ => Metrics { page_seconds: 9, page_count: 2, ..Metrics::default() },
        };
        vec![row(&[], metrics)]
    });
    let day = |seconds: u64| {
        json!([{"day": "2026-06-10T00:00:00Z", "week": null, "month": null, "year": null, "path": "", "title": "",
                "average_time_spent_seconds": seconds}])
    };
    assert_eq!(ask(&fake, "duration/session", ""), day(18));
    assert_eq!(ask(&fake, "duration/page", "path=/"), day(4));
}

#[test]
fn growth_compares_two_periods() {
    let edge = "2026-06-07T00:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
    let fake = Fake::new(|query| {
        let metrics = if query.span.start >= edge {
            Metrics { duration_seconds: 600, page_seconds: 50, event_seconds: 20, ..counts(7, 9, 11, 6) }
        } else {
            Metrics { duration_seconds: 600, page_seconds: 100, event_seconds: 30, ..counts(3, 3, 5, 1) }
        };
        vec![row(&[], metrics)]
    });
    let growth = |query: &str| ask_raw(&fake, "growth", &format!("from=2026-06-07&to=2026-06-08&{query}")).1;
    assert_eq!(
        growth(""),
        json!({"visitors_growth": 4.0 / 3.0, "views_growth": 1.2, "sessions_growth": 2.0, "bounces_growth": 1.0,
               "time_spent_growth": 0.0, "cr_growth": 0.0, "custom_metric_avg_growth": 0.0,
               "custom_metric_total_growth": 0.0})
    );
    assert_eq!(growth("path=/")["time_spent_growth"], json!(-0.5));
    assert_eq!(growth("pattern=x")["time_spent_growth"], json!(0.0));
    assert_eq!(growth("event=e")["time_spent_growth"], json!(-1.0 / 3.0));
}

#[test]
fn hours_and_weekdays_are_complete() {
    let fake = with_whole(|query| match query.group {
        Group::Clock(hitstone_engine::query::Clock { slot_count, .. }) => {
            let at = |slot: u16| if slot == 13 { counts(4, 4, 5, 1) } else { Metrics::default() };
            (0..slot_count).map(|slot| row(&[], at(slot))).collect()
        }
        _ => vec![],
    });
    let body = ask(&fake, "hours", "");
    assert_eq!(body.as_array().unwrap().len(), 24);
    assert_eq!(
        body[13],
        json!({"hour": 13, "visitors": 4, "views": 5, "sessions": 4, "bounces": 1, "bounce_rate": 0.25, "cr": 0.4,
               "custom_metric_avg": 0.0, "custom_metric_total": 0.0})
    );
    assert_eq!(ask(&fake, "minutes", "").as_array().unwrap().len(), 60);
    assert_eq!(ask(&fake, "minutes", "")[13]["minute"], 13);
    let body = ask(&fake, "weekdays", "");
    assert_eq!(body.as_array().unwrap().len(), 168);
    assert_eq!(
        body[30],
        json!({"weekday": 1, "hour": 6, "visitors": 0, "views": 0, "sessions": 0, "bounces": 0})
    );
    assert_eq!(ask(&fake, "hours", "limit=2").as_array().unwrap().len(), 2);
    assert!(fake.asked.borrow()[1].starts_with("PageViews by 24 slots"), "{:?}", fake.asked.borrow());
}

#[test]
fn active_has_a_window_and_needs_no_dates() {
    let spans = std::cell::RefCell::new(Vec::new());
    let fake = Fake::new(|query| {
        spans.borrow_mut().push(query.span.clone());
        match (query.unit, &query.group) {
            (Unit::Rows, Group::All) => vec![row(&[], counts(3, 3, 9, 0))],
            (Unit::PageViews, Group::All) => vec![row(&[], counts(1, 1, 1, 0))],
            (_, Group::Columns(columns)) if columns.len() == 1 => vec![row(&["/"], counts(2, 2, 2, 0))],
            _ => vec![row(&["/", "Home"], counts(2, 2, 2, 0))],
        }
    });
    let active = |query: &str| ask_raw(&fake, "active", query).1;
    let body = active("");
    assert_eq!(body["stats"], json!([{"path": "/", "title": "", "visitors": 2}]));
    assert_eq!(body["countries"][0]["relative_visitors"], json!(2.0 / 3.0));
    assert_eq!(body["visitors"], 3);
    assert_eq!(spans.borrow()[0], now_ms() - 600_000..now_ms() + 1000);
    assert_eq!(active("start=60&include_title=true")["stats"][0]["title"], "Home");
    assert_eq!(spans.borrow()[4], now_ms() - 60_000..now_ms() + 1000);
    assert_eq!(active("path=/")["visitors"], 1);
}
