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
    let days = Period::days(zone(name), date(first), date(last)).buckets(Scale::Day);
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
fn a_skipped_date_alone_is_empty_and_has_edges() {
    let period = Period::days(zone("Pacific/Apia"), date("2011-12-30"), date("2011-12-30"));
    let days = period.buckets(Scale::Day);
    assert_eq!((days.edges.len(), days.edges[0]), (2, days.edges[1]), "empty");
    assert_eq!(days.dates, [(date("2011-12-30"), None)]);
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
    let days = Period::last_seconds(zone("Asia/Tokyo"), 1800, now).buckets(Scale::Day);
    assert_eq!(days.edges, [now - 1_800_000, ms("2026-06-09T15:00:00Z"), now + 1_000]);
    assert_eq!(days.dates, [(date("2026-06-09"), Some(0)), (date("2026-06-10"), Some(1))]);
}

/// The slot of a time, as a clock's documentation has it.
fn slot(clock: &Clock, at: i64) -> i64 {
    let piece = clock.pieces.iter().rfind(|piece| piece.0 <= at).unwrap_or(&clock.pieces[0]);
    (at + piece.1).div_euclid(clock.slot_ms).rem_euclid(i64::from(clock.slot_count))
}

/// The hours of a day in their order, each with its length.
fn minutes_of_hours(name: &str, day: &str) -> Vec<(i64, i64)> {
    let period = Period::days(zone(name), date(day), date(day));
    let clock = period.clock(HOUR_MS, 24);
    let mut hours: Vec<(i64, i64)> = Vec::new();
    let mut offset = None;
    for at in period.span().step_by(60_000) {
        let (hour, at_offset) = (slot(&clock, at), offset_ms(&zone(name), at));
        match hours.last_mut() {
            Some((last, minutes)) if *last == hour && offset == Some(at_offset) => *minutes += 1,
            _ => hours.push((hour, 1)),
        }
        offset = Some(at_offset);
    }
    hours
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
    let period = Period::days(zone("UTC"), date("2026-06-10"), date("2026-06-10"));
    assert_eq!(slot(&period.clock(HOUR_MS, 168), period.span().start), 48); // a Wednesday
}

#[test]
fn minutes_follow_the_local_clock() {
    let period = Period::days(zone("Asia/Kathmandu"), date("2026-06-10"), date("2026-06-10"));
    assert_eq!(slot(&period.clock(MINUTE_MS, 60), ms("2026-06-10T10:20:30Z")), 5); // 16:05
}

fn labels(first: &str, last: &str, scale: Scale) -> Vec<(String, i64)> {
    let days = Period::days(zone("UTC"), date(first), date(last)).buckets(scale);
    let length = |bucket: Option<usize>| bucket.map_or(0, |i| (days.edges[i + 1] - days.edges[i]) / DAY_MS);
    days.dates.iter().map(|(date, bucket)| (date.to_string(), length(*bucket))).collect()
}

#[test]
fn larger_units_are_cut_to_the_span() {
    let of = |parts: &[(&str, i64)]| {
        parts.iter().map(|(date, days)| ((*date).to_owned(), *days)).collect::<Vec<_>>()
    };
    assert_eq!(
        labels("2026-06-10", "2026-06-16", Scale::Week(Weekday::Monday)),
        of(&[("2026-06-08", 5), ("2026-06-15", 2)])
    );
    assert_eq!(
        labels("2026-06-10", "2026-06-14", Scale::Week(Weekday::Sunday)),
        of(&[("2026-06-07", 4), ("2026-06-14", 1)])
    );
    assert_eq!(
        labels("2024-01-31", "2024-03-01", Scale::Month),
        of(&[("2024-01-01", 1), ("2024-02-01", 29), ("2024-03-01", 1)])
    );
    assert_eq!(
        labels("2023-12-31", "2024-12-31", Scale::Year),
        of(&[("2023-01-01", 1), ("2024-01-01", 366)])
    );
}

#[test]
fn minutes_of_a_day() {
    let time = |text: &str| text.parse::<Time>().unwrap();
    for (name, day, first, last, start, end) in [
        ("UTC", "2026-06-10", "10:00", "10:59", "2026-06-10T10:00:00Z", "2026-06-10T11:00:00Z"),
        ("UTC", "2026-06-10", "10:59", "10:00", "2026-06-10T10:00:00Z", "2026-06-10T11:00:00Z"),
        ("UTC", "2026-06-10", "00:00", "23:59", "2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z"),
        // From the first 02:30 to the second.
        ("Europe/Berlin", "2026-10-25", "02:30", "02:30", "2026-10-25T00:30:00Z", "2026-10-25T01:31:00Z"),
        ("Europe/Berlin", "2026-10-25", "01:00", "01:59", "2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z"),
        // Between 02:00 and 03:00 there is nothing but one moment.
        ("Europe/Berlin", "2026-03-29", "01:30", "02:30", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-03-29", "02:30", "03:00", "2026-03-29T01:00:00Z", "2026-03-29T01:01:00Z"),
    ] {
        let period = Period::minutes(zone(name), date(day), time(first), time(last));
        assert_eq!(period.span(), ms(start)..ms(end), "{name} {first} {last}");
        assert_eq!(period.buckets(Scale::Day).dates, [(date(day), Some(0))]);
    }
    let before = Period::minutes(zone("UTC"), date("2026-06-10"), time("10:00"), time("10:29")).previous(0);
    assert_eq!(before.span(), ms("2026-06-09T10:00:00Z")..ms("2026-06-09T10:30:00Z"));
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
    // Windows are of whole seconds, the present one included.
    let window = Period::last_seconds(zone("UTC"), 60, now + 999).previous(now + 999);
    assert_eq!(window.span(), now - DAY_MS - 60_000..now - DAY_MS + 1_000);
}

#[test]
fn today_across_a_change_of_the_clock_is_cut_at_the_same_time_of_day() {
    let now = ms("2026-03-30T10:00:00Z"); // 12:00 in Berlin, summer time
    let today = date("2026-03-30");
    let before = Period::days(zone("Europe/Berlin"), today, today).previous(now);
    assert_eq!(before.span().end, ms("2026-03-23T11:00:00Z")); // 12:00, winter time
}
