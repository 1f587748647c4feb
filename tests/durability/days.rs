//! The days around now, as requests name them.

/// Yesterday to tomorrow by this machine's clock, wide enough for a test that runs over midnight.
pub fn today() -> String {
    let days = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_secs() as i64 / 86_400;
    format!("from={}&to={}", date(days - 1), date(days + 1))
}

/// The date of a day counted from 1 January 1970.
fn date(days: i64) -> String {
    let mut year = 1970;
    let mut left = days;
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while left >= 365 + i64::from(leap(year)) {
        left -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    format!("{year:04}-{:02}-{:02}", month + 1, left + 1)
}

#[test]
fn dates_of_days() {
    for (days, wanted) in
        [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_777, "2026-11-20")]
    {
        assert_eq!(date(days), wanted, "day {days}");
    }
}
