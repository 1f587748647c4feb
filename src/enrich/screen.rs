//! The class of a screen, by its width in pixels. It knows nothing of devices.

/// Classes and the least width of each, widest first.
const CLASSES: [(u32, &str); 10] = [
    (5120, "UHD 5K"),
    (3840, "UHD 4K"),
    (2560, "WQHD"),
    (1920, "Full HD"),
    (1280, "HD"),
    (1024, "XL"),
    (800, "L"),
    (600, "M"),
    (415, "S"),
    (1, "XS"),
];

/// The class of a screen that is `width` pixels wide; empty for 0.
pub fn class(width: u32) -> &'static str {
    CLASSES.iter().find(|(least, _)| width >= *least).map_or("", |(_, name)| name)
}

/// The width that a client hint states; 0 when it states none.
pub fn hinted_width(hint: &str) -> u32 {
    let text = hint.trim().trim_matches('"');
    text.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_begin_at_their_widths() {
        let table = [
            (0, ""),
            (1, "XS"),
            (414, "XS"),
            (415, "S"),
            (599, "S"),
            (600, "M"),
            (799, "M"),
            (800, "L"),
            (1023, "L"),
            (1024, "XL"),
            (1025, "XL"),
            (1279, "XL"),
            (1280, "HD"),
            (1920, "Full HD"),
            (2560, "WQHD"),
            (3840, "UHD 4K"),
            (5119, "UHD 4K"),
            (5120, "UHD 5K"),
            (u32::MAX, "UHD 5K"),
        ];
        for (width, wanted) in table {
            assert_eq!(class(width), wanted, "{width}");
        }
    }

    #[test]
    fn hints_are_numbers_or_nothing() {
        for (hint, wanted) in [("", 0), ("1280", 1280), (" \"1280.5\" ", 1280), ("-3", 0), ("wide", 0)] {
            assert_eq!(hinted_width(hint), wanted, "{hint}");
        }
    }
}
