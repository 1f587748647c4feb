//! Whether what a browser says of itself fits together. Programs that wear a browser's user agent often forget the rest.
//!
//! Only what contradicts counts, never what is missing: backends and proxies pass on some headers and not others.

use crate::hit::ClientHints;

use super::client_hints;

/// Versions of an engine that its user agent and its hints may be apart: browsers built on Chromium may lag by one.
const MAJORS_APART_MAX: u32 = 1;
/// Firefox and its engine have counted alike since then.
const ALIKE_SINCE: u32 = 5;
/// Firefox said so of its engine while its own version was one of [`FROZEN_VERSIONS`].
const FROZEN_ENGINE: u32 = 109;
const FROZEN_VERSIONS: std::ops::RangeInclusive<u32> = 110..=119;

/// Whether the user agent contradicts itself, or the hints contradict it. `os` is the system that the user agent names.
pub fn is_contradictory(user_agent: &str, os: &str, hints: &ClientHints) -> bool {
    hints.contradictory || firefox_differs_from_its_engine(user_agent) || hints_differ(user_agent, os, hints)
}

fn firefox_differs_from_its_engine(user_agent: &str) -> bool {
    let (Some(engine), Some(version)) =
        (number_after(user_agent, "; rv:"), number_after(user_agent, " Firefox/"))
    else {
        return false;
    };
    let alike = engine >= ALIKE_SINCE && version >= ALIKE_SINCE;
    alike && engine != version && !(engine == FROZEN_ENGINE && FROZEN_VERSIONS.contains(&version))
}

fn hints_differ(user_agent: &str, os: &str, hints: &ClientHints) -> bool {
    let engine = client_hints::engine_major(hints);
    let differs = match (engine, number_after(user_agent, "Chrome/")) {
        (Some(hinted), Some(said)) => hinted.abs_diff(said) > MAJORS_APART_MAX,
        // Neither Firefox nor Safari sends hints.
        (Some(_), None) => [" Firefox/", " Version/"].iter().any(|token| user_agent.contains(token)),
        (None, _) => false,
    };
    differs || client_hints::system(hints).is_some_and(|hinted| systems_differ(hinted, os))
}

/// Phones that ask for the desktop's page call themselves Linux, and so do systems that are made of it.
fn systems_differ(hinted: &str, said: &str) -> bool {
    let family = |os| match os {
        "Windows" | "Mac" => Some(os),
        "Android" | "Linux" | "Chrome OS" => Some("Linux"),
        _ => None,
    };
    matches!((family(hinted), family(said)), (Some(hinted), Some(said)) if hinted != said)
}

fn number_after(text: &str, token: &str) -> Option<u32> {
    let (_, rest) = text.split_once(token)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_agree_with_themselves() {
        const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
        const DESKTOP_PAGE: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
        const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15";
        const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0";
        const FROZEN: &str = "Mozilla/5.0 (Windows NT 10.0; rv:109.0) Gecko/20100101 Firefox/115.0";
        const OLD: &str =
            "Mozilla/5.0 (Windows; U; Windows NT 6.1; en-US; rv:1.9.2.3) Gecko/20100401 Firefox/3.6.3";
        const TORN: &str = "Mozilla/5.0 (Windows NT 10.0; rv:78.0) Gecko/20100101 Firefox/115.0";
        const BRANDS: &str = "\"Not_A Brand\";v=\"8\", \"Chromium\";v=\"120\", \"Google Chrome\";v=\"120\"";
        const OLDER: &str = "\"Chromium\";v=\"118\", \"Google Chrome\";v=\"118\"";
        const NEXT: &str = "\"Chromium\";v=\"121\", \"Whoever\";v=\"7\"";
        let table = [
            (CHROME, "Windows", "", "", false),
            (CHROME, "Windows", BRANDS, "\"Windows\"", false),
            (CHROME, "Windows", NEXT, "", false),
            (CHROME, "Windows", OLDER, "", true),
            (CHROME, "Windows", BRANDS, "\"Linux\"", true),
            (CHROME, "Windows", BRANDS, "macOS", true),
            (CHROME, "Windows", BRANDS, "\"Unknown\"", false),
            (DESKTOP_PAGE, "Linux", BRANDS, "\"Android\"", false),
            (DESKTOP_PAGE, "Linux", BRANDS, "\"Chrome OS\"", false),
            (DESKTOP_PAGE, "Linux", BRANDS, "\"Windows\"", true),
            (SAFARI, "Mac", "", "", false),
            (SAFARI, "Mac", BRANDS, "", true),
            (FIREFOX, "Windows", "", "", false),
            (FIREFOX, "Windows", BRANDS, "", true),
            (FROZEN, "Windows", "", "", false),
            (OLD, "Windows", "", "", false),
            (TORN, "Windows", "", "", true),
            ("an app", "", BRANDS, "\"Windows\"", false),
        ];
        for (user_agent, os, ua, platform, wanted) in table {
            let hints = ClientHints { ua: ua.into(), platform: platform.into(), ..ClientHints::default() };
            assert_eq!(is_contradictory(user_agent, os, &hints), wanted, "{user_agent} {hints:?}");
        }
        let hints = ClientHints { contradictory: true, ..ClientHints::default() };
        assert!(is_contradictory(FIREFOX, "Windows", &hints));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(said in "(.{0,5}(; rv:| Firefox/|Chrome/|Chromium|\"|=)[0-9]{0,12}){0,4}", more in ".*") {
            let hints = ClientHints { ua: said.clone(), platform: more.clone(), ..ClientHints::default() };
            let _ = is_contradictory(&said, &more, &hints);
            let _ = is_contradictory(&more, &said, &hints);
        }
    }
}
