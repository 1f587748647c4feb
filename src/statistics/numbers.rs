//! The arithmetic of statistics: rates, averages, growth.

/// `part` as a fraction of `whole`, never above 1.
///
/// A part can exceed its whole: rows are placed at their own time, and the session that they belong to may be
/// placed outside the period. An empty whole counts as one.
pub fn share(part: u64, whole: u64) -> f64 {
    (part as f64 / whole.max(1) as f64).min(1.0)
}

/// The mean of `count` values, rounded half to even; 0 without values.
pub fn mean_rounded(sum: u64, count: u64) -> u64 {
    if count == 0 {
        return 0;
    }
    let (floor, rest) = (sum / count, sum % count);
    match rest.cmp(&(count - rest)) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Equal => floor + (floor & 1),
        std::cmp::Ordering::Greater => floor + 1,
    }
}

/// The mean of `count` values, cut to whole; 0 without values.
pub fn mean_cut(sum: u64, count: u64) -> u64 {
    sum.checked_div(count).unwrap_or(0)
}

/// By which fraction `current` exceeds `previous`. From nothing to something is 1, from nothing to nothing 0.
pub fn growth(current: f64, previous: f64) -> f64 {
    if previous == 0.0 {
        return if current == 0.0 { 0.0 } else { 1.0 };
    }
    (current - previous) / previous
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_rounded_half_to_even() {
        for (sum, count, want) in [
            (0, 0, 0),
            (0, 4, 0),
            (35, 2, 18), // 17.5
            (33, 2, 16), // 16.5
            (9, 2, 4),   // 4.5
            (1, 2, 0),
            (3, 2, 2),
            (68, 3, 23), // 22.67
            (67, 3, 22), // 22.33
            (u64::MAX, 1, u64::MAX),
        ] {
            assert_eq!(mean_rounded(sum, count), want, "{sum} / {count}");
        }
    }

    #[test]
    fn means_of_events_are_cut() {
        assert_eq!((mean_cut(29, 6), mean_cut(0, 3), mean_cut(7, 0)), (4, 0, 0));
    }

    #[test]
    fn shares_stay_within_one() {
        assert_eq!((share(0, 0), share(3, 0), share(1, 4), share(5, 4)), (0.0, 1.0, 0.25, 1.0));
    }

    #[test]
    fn growth_has_its_edges() {
        for (current, previous, want) in [
            (0.0, 0.0, 0.0),
            (1000.0, 0.0, 1.0),
            (0.0, 1000.0, -1.0),
            (1000.0, 1000.0, 0.0),
            (7.0, 3.0, 4.0 / 3.0),
        ] {
            assert_eq!(growth(current, previous), want);
        }
    }
}
