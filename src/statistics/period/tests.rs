use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn day_lengths(name: &str, first: &str, last: &str) -> Vec<i64> {
    let days = Period::days(zone(name), date(first), date(last)).day_buckets();
    assert!(days.edges.windows(2).all(|pair| pair[0] < pair[1]));
    let length = |bucket: Option<usize>| bucket.map_or(0, |i| (days.edges[i + 1] - days.edges[i]) / 60_000);
    days.dates.iter().map(|(_, bucket)| length(*bucket)).collect()
}

#[test]
fn days_have_the_length_the_zone_gives_them() {
    for (name, first, last, minutes) in [
        ("UTC", "2026-06-09", "2026-06-10", vec![1440, 1440]),
        ("Europe/Berlin", "2026-03-28", "2026-03-30", vec![1440, 1380, 1440]),
        ("Europe/Berlin", "2026-10-24", "2026-10-26", vec![1440, 1500, 1440]),
        ("Asia/Tokyo", "2026-06-07", "2026-06-09", vec![1440; 3]),
        // Lord Howe moves its clock by half an hour.
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-05", vec![1470]),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-04", vec![1410]),
        // Midnight itself was skipped.
        ("America/Sao_Paulo", "2018-11-03", "2018-11-05", vec![1440, 1380, 1440]),
        // The clock went from midnight back to 23:00.
        ("America/Sao_Paulo", "2018-02-17", "2018-02-18", vec![1500, 1440]),
        // The gap began before midnight: 23:30 to 00:30.
        ("America/Toronto", "1919-03-30", "1919-03-31", vec![1410, 1410]),
        // Samoa had no 30th.
        ("Pacific/Apia", "2011-12-29", "2011-12-31", vec![1440, 0, 1440]),
        ("Pacific/Apia", "2011-12-30", "2011-12-31", vec![0, 1440]),
    ] {
        assert_eq!(day_lengths(name, first, last), minutes, "{name} {first}");
    }
}

#[test]
fn a_skipped_date_alone_still_has_edges() {
    let period = Period::days(zone("Pacific/Apia"), date("2011-12-30"), date("2011-12-30"));
    let days = period.day_buckets();
    assert!(days.edges.len() >= 2 && days.edges[0] < days.edges[1]);
    assert_eq!(days.dates.len(), 1);
}

#[test]
fn days_start_where_the_zone_says() {
    let span = Period::days(zone("Asia/Tokyo"), date("2026-06-07"), date("2026-06-09")).span();
    assert_eq!(span, ms("2026-06-06T15:00:00Z")..ms("2026-06-09T15:00:00Z"));
    let span = Period::days(zone("Pacific/Apia"), date("2011-12-31"), date("2011-12-31")).span();
    assert_eq!(span, ms("2011-12-30T10:00:00Z")..ms("2011-12-31T10:00:00Z"));
}

#[test]
fn a_window_is_cut_at_midnight() {
    let now = ms("2026-06-09T15:10:00Z");
    let days = Period::last_seconds(zone("Asia/Tokyo"), 1800, now).day_buckets();
    assert_eq!(days.edges, [now - 1_800_000, ms("2026-06-09T15:00:00Z"), now + 1]);
    assert_eq!(days.dates, [(date("2026-06-09"), Some(0)), (date("2026-06-10"), Some(1))]);
}

fn minutes_of_hours(name: &str, day: &str) -> Vec<(u16, i64)> {
    let hours = Period::days(zone(name), date(day), date(day)).hour_buckets();
    assert_eq!(hours.edges.len(), hours.hours_of_week.len() + 1);
    assert!(hours.edges.windows(2).all(|pair| pair[0] < pair[1]));
    let lengths = hours.edges.windows(2).map(|pair| (pair[1] - pair[0]) / 60_000);
    hours.hours_of_week.iter().map(|hour| hour % 24).zip(lengths).collect()
}

#[test]
fn hours_carry_the_local_label() {
    let plain: Vec<_> = (0..24).map(|hour| (hour, 60)).collect();
    assert_eq!(minutes_of_hours("UTC", "2026-06-10"), plain);
    assert_eq!(minutes_of_hours("Asia/Kathmandu", "2026-06-10"), plain);
    let spring: Vec<_> = plain.iter().copied().filter(|(hour, _)| *hour != 2).collect();
    assert_eq!(minutes_of_hours("Europe/Berlin", "2026-03-29"), spring);
    let mut autumn = plain.clone();
    autumn.insert(2, (2, 60));
    assert_eq!(minutes_of_hours("Europe/Berlin", "2026-10-25"), autumn);
    // 02:00 back to 01:30.
    let mut lord_howe = plain.clone();
    lord_howe.insert(2, (1, 30));
    assert_eq!(minutes_of_hours("Australia/Lord_Howe", "2026-04-05"), lord_howe);
    // 02:00 on to 02:30.
    let mut lord_howe = plain;
    lord_howe[2] = (2, 30);
    assert_eq!(minutes_of_hours("Australia/Lord_Howe", "2026-10-04"), lord_howe);
}

#[test]
fn weeks_start_on_monday() {
    let hours = Period::days(zone("UTC"), date("2026-06-10"), date("2026-06-10")).hour_buckets();
    assert_eq!(hours.hours_of_week.first(), Some(&48)); // a Wednesday
}

#[test]
fn the_period_before() {
    let now = ms("2026-06-10T12:34:56Z");
    for (name, first, last, start, end) in [
        ("UTC", "2026-06-05", "2026-06-10", "2026-05-30T00:00:00Z", "2026-06-05T00:00:00Z"),
        ("UTC", "2026-06-08", "2026-06-08", "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"),
        ("UTC", "2026-06-10", "2026-06-10", "2026-06-03T00:00:00Z", "2026-06-03T12:34:56Z"),
        ("Asia/Tokyo", "2026-06-10", "2026-06-10", "2026-06-02T15:00:00Z", "2026-06-03T12:34:56Z"),
        // In Kiritimati it is the 11th.
        ("Pacific/Kiritimati", "2026-06-11", "2026-06-11", "2026-06-03T10:00:00Z", "2026-06-03T12:34:56Z"),
        ("Pacific/Kiritimati", "2026-06-10", "2026-06-10", "2026-06-02T10:00:00Z", "2026-06-03T10:00:00Z"),
    ] {
        let before = Period::days(zone(name), date(first), date(last)).previous(now);
        assert_eq!(before.span(), ms(start)..ms(end), "{name} {first}");
    }
    let window = Period::last_seconds(zone("UTC"), 60, now).previous(now);
    assert_eq!(window.span(), now - DAY_MS - 60_000..now - DAY_MS + 1);
}

#[test]
fn today_across_a_change_of_the_clock_is_cut_at_the_same_time_of_day() {
    let now = ms("2026-03-30T10:00:00Z"); // 12:00 in Berlin, summer time
    let today = date("2026-03-30");
    let before = Period::days(zone("Europe/Berlin"), today, today).previous(now);
    assert_eq!(before.span().end, ms("2026-03-23T11:00:00Z")); // 12:00, winter time
}
