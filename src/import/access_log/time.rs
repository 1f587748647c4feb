//! The forms in which logs write times, to milliseconds; finer ones are cut. A time without a zone is UTC.

use hitstone_engine::units::TimestampMs;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads any of: `10/Oct/2000:13:55:36 -0700`, RFC 3339 and ISO 8601, `2000/10/10 13:55:36.123`, and numbers since
/// 1970 in seconds, milliseconds, micro- or nanoseconds, told apart by their size.
pub(super) fn read(text: &str) -> Option<TimestampMs> {
    let text = text.trim();
    let bytes = text.as_bytes();
    if !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return number(text);
    }
    match (bytes.get(2), bytes.get(4)) {
        (Some(b'/'), _) => common(text),
        (_, Some(b'/')) => utc(&text.replace('/', "-")),
        _ => text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond()).or_else(|| utc(text)),
    }
}

/// `10/Oct/2000:13:55:36 -0700`
fn common(text: &str) -> Option<TimestampMs> {
    let (moment, zone) = text.split_once(' ')?;
    let (date, clock) = moment.split_once(':')?;
    let mut date = date.split('/');
    let day = date.next()?.parse().ok()?;
    let month = date.next()?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i8 + 1;
    let year = date.next()?.parse().ok()?;
    let mut clock = clock.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // A leap second counts as the one before it.
    let moment = DateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()?;
    if date.next().is_some() || clock.next().is_some() {
        return None;
    }
    at(moment, offset(zone)?)
}

/// `-0700`
fn offset(text: &str) -> Option<Offset> {
    let sign = match text.as_bytes() {
        [b'+', rest @ ..] if rest.len() == 4 => 1,
        [b'-', rest @ ..] if rest.len() == 4 => -1,
        _ => return None,
    };
    let digits: i32 =
        text.get(1..).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    Offset::from_seconds(sign * (digits / 100 * 3600 + digits % 100 * 60)).ok()
}

fn utc(text: &str) -> Option<TimestampMs> {
    at(text.parse().ok()?, Offset::UTC)
}

fn at(moment: DateTime, offset: Offset) -> Option<TimestampMs> {
    let moment = TimeZone::fixed(offset).to_timestamp(moment).ok()?;
    Some(moment.as_millisecond())
}

/// A number since 1970; those of our time have 10 digits in seconds, 13, 16 and 19 in the finer units.
fn number(text: &str) -> Option<TimestampMs> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let units: i64 = whole.parse().ok().filter(|_| !fraction.contains('.'))?;
    match whole.len() {
        ..=11 => {
            let digits = fraction.bytes().map(|byte| i64::from(byte - b'0'));
            let ms: i64 = digits.zip([100, 10, 1]).map(|(digit, weight)| digit * weight).sum();
            Some(units * 1000 + ms)
        }
        12..=14 => Some(units),
        15..=17 => Some(units / 1_000),
        _ => Some(units / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let table = [
            ("10/Oct/2000:13:55:36 -0700", Some(971_211_336_000)),
            ("10/oct/2000:20:55:36 +0000", Some(971_211_336_000)),
            ("30/Jun/2015:23:59:60 +0000", Some(1_435_708_799_000)),
            ("2000-10-10T13:55:36-07:00", Some(971_211_336_000)),
            ("2000-10-10T13:55:36.999999-0700", Some(971_211_336_999)),
            ("2000-10-10T20:55:36Z", Some(971_211_336_000)),
            ("2000/10/10 20:55:36", Some(971_211_336_000)),
            ("2000/10/10 20:55:36.5", Some(971_211_336_500)),
            ("2000-10-10 20:55:36", Some(971_211_336_000)),
            ("971211336", Some(971_211_336_000)),
            ("1646861401.5249999", Some(1_646_861_401_524)),
            ("1646861401524.9", Some(1_646_861_401_524)),
            ("1646861401524123456", Some(1_646_861_401_524)),
            ("32/Oct/2000:13:55:36 -0700", None),
            ("10/Oct/2000:13:55:36", None),
            ("10/Oct/2000:13:55:36 -07:00", None),
            ("10/Foo/2000:13:55:36 -0700", None),
            ("", None),
            ("-", None),
            (".", None),
            ("99999999999999999999999", None),
            ("1.2.3", None),
        ];
        for (text, wanted) in table {
            assert_eq!(read(text), wanted, "{text}");
        }
    }
}
