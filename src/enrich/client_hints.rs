//! Client hints: what browsers say of themselves in headers of their own. They are newer than the user agent and
//! more precise, so they win over it.
//!
//! It knows nothing of HTTP: it is given the texts of the headers.

use crate::hit::ClientHints;

use super::user_agent::{Agent, Platform, major_minor};
use super::user_agent_tables::{HINTED_BOTS, HINTED_BROWSERS, HINTED_SYSTEMS};

/// Whether the hints name a program that is no visitor.
pub fn name_a_bot(hints: &ClientHints) -> bool {
    let lower = hints.ua.to_ascii_lowercase();
    !lower.is_empty() && HINTED_BOTS.iter().any(|word| lower.contains(word))
}

/// Whether the hints say anything that [`apply`] uses.
pub fn are_present(hints: &ClientHints) -> bool {
    [&hints.ua, &hints.mobile, &hints.platform].iter().any(|hint| !hint.is_empty())
}

/// Overrides what the user agent says by what the hints say.
pub fn apply(hints: &ClientHints, agent: &mut Agent) {
    if let Some((brand, version)) = best_brand(&hints.ua) {
        agent.browser = mapped(HINTED_BROWSERS, &brand).unwrap_or(&brand).to_owned();
        agent.browser_version = major_minor(&version);
    }
    if let Some(os) = system(hints) {
        if agent.os != os {
            agent.os = os.to_owned();
            agent.os_version.clear();
            agent.platform = Platform::of_system(os);
        }
        let version = os_version(os, &unquoted(&hints.platform_version));
        if !version.is_empty() {
            agent.os_version = version;
        }
    }
    match hints.mobile.trim() {
        "?1" => agent.platform = Platform::Mobile,
        "?0" => agent.platform = Platform::Desktop,
        _ => {}
    }
}

fn os_version(os: &str, hinted: &str) -> String {
    if os == "Linux" || hinted.is_empty() {
        return String::new();
    }
    if os != "Windows" {
        return major_minor(hinted);
    }
    // Windows counts its API contracts: https://learn.microsoft.com/microsoft-edge/web-platform/how-to-detect-win11
    let mut numbers = hinted.split('.').map(|part| part.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(13..), _) => "11".to_owned(),
        (Some(1..=12), _) => "10".to_owned(),
        (Some(0), Some(1)) => "7".to_owned(),
        (Some(0), Some(2 | 3)) => "8".to_owned(),
        _ => String::new(),
    }
}

/// The brand that is neither filler nor the engine's, with its version. A view inside an app is named by its user
/// agent better than by its brand.
fn best_brand(list: &str) -> Option<(String, String)> {
    let is_telling = |brand: &str| !is_filler(brand) && !matches!(brand, "Chromium" | "Android WebView");
    brands(list).into_iter().find(|(brand, _)| is_telling(brand))
}

/// Filler brands keep servers from expecting certain texts: `Not/A)Brand`, ` Not A;Brand`.
fn is_filler(brand: &str) -> bool {
    let letters: String = brand.chars().filter(char::is_ascii_alphabetic).collect();
    letters.is_empty()
        || letters.eq_ignore_ascii_case("notabrand")
        || letters.eq_ignore_ascii_case("notbrand")
}

/// The version of the engine in the brands, as far as it is Chromium's.
pub fn engine_major(hints: &ClientHints) -> Option<u32> {
    let engine = brands(&hints.ua).into_iter().find(|(brand, _)| brand == "Chromium")?;
    engine.1.split('.').next()?.parse().ok()
}

/// The system that the hints name, as statistics call it.
pub fn system(hints: &ClientHints) -> Option<&'static str> {
    mapped(HINTED_SYSTEMS, &unquoted(&hints.platform))
}

/// Reads `"Brand";v="1", "Other brand";v="2"`; quoted texts may hold any of the marks.
fn brands(list: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = list;
    while let Some((_, after)) = rest.split_once('"') {
        let Some((brand, after)) = after.split_once('"') else { break };
        rest = after;
        let mut version = "";
        if let Some(parameter) = after.trim_start().strip_prefix(";v=\"")
            && let Some((text, after)) = parameter.split_once('"')
        {
            version = text;
            rest = after;
        }
        found.push((brand.trim().to_owned(), version.to_owned()));
    }
    found
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches('"').to_owned()
}

fn mapped(table: &[(&str, &'static str)], key: &str) -> Option<&'static str> {
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, ours)| *ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chrome_on_windows() -> Agent {
        Agent {
            program: None,
            browser: "Chrome".to_owned(),
            browser_version: "120.0".to_owned(),
            os: "Windows".to_owned(),
            os_version: "10".to_owned(),
            platform: Platform::Desktop,
        }
    }

    #[test]
    fn hints_override_the_user_agent() {
        const BRAVE: &str = "\"Not_A Brand\";v=\"8\", \"Chromium\";v=\"120\", \"Brave\";v=\"120\"";
        const CHROME: &str = "\" Not A;Brand\";v=\"99\", \"Chromium\";v=\"115\", \"Google Chrome\";v=\"115\"";
        const WEB_VIEW: &str =
            "\"Android WebView\";v=\"119\", \"Chromium\";v=\"119\", \"Not?A_Brand\";v=\"24\"";
        // ua, mobile, platform, version; browser, version, system, version, platform
        let table = [
            ("", "", "", "", "Chrome 120.0 Windows 10 desktop"),
            (BRAVE, "?0", "\"Windows\"", "\"15.0.0\"", "Brave 120 Windows 11 desktop"),
            (CHROME, "?0", "\"Windows\"", "\"10.0.0\"", "Chrome 115 Windows 10 desktop"),
            (CHROME, "?0", "\"Windows\"", "\"0.3.0\"", "Chrome 115 Windows 8 desktop"),
            (CHROME, "?0", "macOS", "14.2.1", "Chrome 115 Mac 14.2 desktop"),
            (CHROME, "?1", "\"Android\"", "", "Chrome 115 Android  mobile"),
            (CHROME, "?0", "\"Linux\"", "\"6.5.0\"", "Chrome 115 Linux  desktop"),
            (CHROME, "", "\"Chrome OS\"", "\"15359.58.0\"", "Chrome 115 Chrome OS 15359.58 unknown"),
            (WEB_VIEW, "?1", "", "", "Chrome 120.0 Windows 10 mobile"),
            ("garbage \"", "?2", "\"Unknown\"", "x", "Chrome 120.0 Windows 10 desktop"),
        ];
        for (ua, mobile, platform, platform_version, wanted) in table {
            let hints = ClientHints {
                ua: ua.into(),
                mobile: mobile.into(),
                platform: platform.into(),
                platform_version: platform_version.into(),
                ..ClientHints::default()
            };
            let mut agent = chrome_on_windows();
            apply(&hints, &mut agent);
            let Agent { browser, browser_version, os, os_version, platform, .. } = &agent;
            let found = format!("{browser} {browser_version} {os} {os_version} {}", platform.as_str());
            assert_eq!(found, wanted, "{hints:?}");
        }
    }

    #[test]
    fn driven_browsers_name_themselves() {
        let hints = |ua: &str| ClientHints { ua: ua.to_owned(), ..ClientHints::default() };
        assert!(name_a_bot(&hints("\"Chromium\";v=\"120\", \"HeadlessChrome\";v=\"120\"")));
        assert!(!name_a_bot(&hints("\"Chromium\";v=\"120\", \"Google Chrome\";v=\"120\"")));
        assert!(!name_a_bot(&hints("")));
    }
}
