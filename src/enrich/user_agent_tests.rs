//! What user agents are read as.

use super::*;

/// `browser | version | system | version` and the user agent.
const READINGS: &[(&str, &str)] = &[
    (
        "Edge | 79.0 | Windows | 10",
        r#"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0.3945.74 Safari/537.36 Edg/79.0.309.43"#,
    ),
    (
        "Edge | 84.0 | Mac | 10.15",
        r#"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_6) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.135 Safari/537.36 Edg/84.0.522.44"#,
    ),
    (
        "Edge | 45.6 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10; SM-G973F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.125 Mobile Safari/537.36 EdgA/45.6.2.5042"#,
    ),
    (
        "Edge | 45.6 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10; ONEPLUS A6003) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.125 Mobile Safari/537.36 EdgA/45.6.2.5042"#,
    ),
    (
        "Edge | 40.15254 | Windows Mobile | 10",
        r#"Mozilla/5.0 (Windows Mobile 10; Android 10.0; Microsoft; Lumia 950XL) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.135 Mobile Safari/537.36 Edge/40.15254.603"#,
    ),
    (
        "Edge | 109.0 | Windows | 10",
        r#"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 Safari/537.36 Edg/109.0.1518.70"#,
    ),
    (
        "Edge | 131.0 | Mac | 10.15",
        r#"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36 Edg/131.0.2903.86"#,
    ),
    (
        "Edge | 131.0 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10; SM-G973F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.6943.49 Mobile Safari/537.36 EdgA/131.0.2903.87"#,
    ),
    (
        "Edge | 131.0 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10; ONEPLUS A6003) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.6943.49 Mobile Safari/537.36 EdgA/131.0.2903.87"#,
    ),
    (
        "Edge | 40.15254 | Windows Mobile | 10",
        r#"Mozilla/5.0 (Windows Mobile 10; Android 10.0; Microsoft; Lumia 950XL) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Mobile Safari/537.36 Edge/40.15254.603"#,
    ),
    (
        "Opera | 70.0 | Windows | 10",
        r#"Mozilla/5.0 (Windows NT 10.0; WOW64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.135 Safari/537.36 OPR/70.0.3728.119"#,
    ),
    (
        "Opera | 59.1 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10; VOG-L29) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.125 Mobile Safari/537.36 OPR/59.1.2926.54067"#,
    ),
    (
        "Opera | 59.1 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10; SM-N975F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.125 Mobile Safari/537.36 OPR/59.1.2926.54067"#,
    ),
    (
        "Opera | 94.0 | Windows | 10",
        r#"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0.0.0 Safari/537.36 OPR/94.0.0.0"#,
    ),
    (
        "Firefox | 79.0 | Mac | 10.15",
        r#"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:79.0) Gecko/20100101 Firefox/79.0"#,
    ),
    (
        "Firefox | 28.0 | iOS | 10.15",
        r#"Mozilla/5.0 (iPad; CPU OS 10_15_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/28.0 Mobile/15E148 Safari/605.1.15"#,
    ),
    ("Firefox | 79.0 | Android | 10", r#"Mozilla/5.0 (Android 10; Mobile; rv:68.0) Gecko/68.0 Firefox/79.0"#),
    (
        "Firefox | 109.0 | Windows | 10",
        r#"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/109.0"#,
    ),
    (
        "Firefox | 122.0 | Linux | ",
        r#"Mozilla/5.0 (X11; Linux x86_64; rv:122.0) Gecko/20100101 Firefox/122.0"#,
    ),
    (
        "Firefox | 122.0 | Linux | ",
        r#"\"Mozilla/5.0 (X11; Linux x86_64; rv:122.0) Gecko/20100101 Firefox/122.0\""#,
    ),
    (
        "Chrome | 84.0 | Windows | 10",
        r#"Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.135 Safari/537.36"#,
    ),
    (
        "Chrome | 84.0 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.125 Mobile Safari/537.36"#,
    ),
    (
        "Chrome | 84.0 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10; SM-A102U) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.125 Mobile Safari/537.36"#,
    ),
    (
        "Chrome | 84.0 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10; SM-N960U) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.125 Mobile Safari/537.36"#,
    ),
    (
        "Chrome | 84.0 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10; LM-X420) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.125 Mobile Safari/537.36"#,
    ),
    (
        "Chrome | 56.0 | iOS | 10.3",
        r#"Mozilla/5.0 (iPhone; CPU iPhone OS 10_3 like Mac OS X) AppleWebKit/602.1.50 (KHTML, like Gecko) CriOS/56.0.2924.75 Mobile/14E5239e Safari/602.1"#,
    ),
    (
        "Chrome | 43.0 | Android | 5.1",
        r#"Mozilla/5.0 (Linux; Android 5.1.1; Nexus 5 Build/LMY48B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/43.0.2357.65 Mobile Safari/537.36"#,
    ),
    (
        "Chrome | 109.0 | Mac | 10.15",
        r#"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 Safari/537.36"#,
    ),
    (
        "Chrome | 112.0 | Chrome OS | 15359.58",
        r#"Mozilla/5.0 (X11; CrOS x86_64 15359.58.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.5615.134 Safari/537.36"#,
    ),
    (
        "Safari | 6.0 | iOS | 6.0",
        r#"Mozilla/5.0 (iPad; CPU OS 6_0 like Mac OS X) AppleWebKit/536.26 (KHTML, like Gecko) Version/6.0 Mobile/10A5355d Safari/8536.25"#,
    ),
    (
        "Safari | 15.0 | Mac | 10.15",
        r#"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.0 Safari/605.1.15"#,
    ),
    (
        "Safari | 15.1 | iOS | 15.1",
        r#"Mozilla/5.0 (iPhone; CPU iPhone OS 15_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.1 Mobile/15E148 Safari/604.1"#,
    ),
    (
        "Safari | 15.4 | iOS | 15.4",
        r#"Mozilla/5.0 (iPhone; CPU iPhone OS 15_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 Mobile/15E148 Safari/604.1"#,
    ),
    (
        "Safari | 16.3 | Mac | 10.15",
        r#"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.3 Safari/605.1.15"#,
    ),
    ("IE | 8.0 | Windows | XP", r#"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)"#),
    ("IE | 8.0 | Windows | 7", r#"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)"#),
    ("IE | 10.0 | Windows | 7", r#"Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; WOW64; Trident/6.0)"#),
    ("IE | 11.0 | Windows | 7", r#"Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko"#),
    ("IE | 11.0 | Windows | 8", r#"Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko"#),
    ("Arc | 1.11 | Mac | 13.5", r#"Arc/1.11.0 (Mac OS X Version 13.5.2 (Build 22G91))"#),
    (
        "DuckDuckGo | 5 | Android | 10",
        r#"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Mobile DuckDuckGo/5 Safari/537.36"#,
    ),
    (
        "DuckDuckGo | 7 | Mac | 10.15",
        r#"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 DuckDuckGo/7 Safari/605.1.15.134"#,
    ),
    (
        "Facebook | 465.0 | iOS | 17.4",
        r#"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21E236 [FBAN/FBIOS;FBAV/465.0.1.41.103;FBBV/602060281]"#,
    ),
    (
        "Instagram | 312.1 | Android | 13",
        r#"Mozilla/5.0 (Linux; Android 13; SM-A225F Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.144 Mobile Safari/537.36 Instagram 312.1.0.34.111 Android (33/13; 300dpi)"#,
    ),
    (
        "Safari |  | iOS | 17.2",
        r#"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"#,
    ),
    (
        "Samsung Internet | 23.0 | Android | 13",
        r#"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36"#,
    ),
    (
        "Opera | 76.0 | Android | 12",
        r#"Opera/9.80 (Android 12; Opera Mini/76.0.2254/191.303; U; en) Presto/2.12.423 Version/12.16"#,
    ),
    ("Opera | 12.16 | Windows | 7", r#"Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.16"#),
    (
        "Yandex | 24.1 | Windows | 10",
        r#"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 YaBrowser/24.1.0.0 Safari/537.36"#,
    ),
    (
        "Safari | 16.5 | Mac | 13.4",
        r#"Mozilla/5.0 (Macintosh; Intel Mac OS X 13_4_1) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.5.1 Safari/605.1.15"#,
    ),
    (
        "Firefox | 115.0 | FreeBSD | ",
        r#"Mozilla/5.0 (X11; FreeBSD amd64; rv:109.0) Gecko/20100101 Firefox/115.0"#,
    ),
    (
        "Edge | 120.0 | Windows | 10",
        r#"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91"#,
    ),
    (
        "Chrome | 49.0 | Windows | XP",
        r#"Mozilla/5.0 (Windows NT 5.2; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/49.0.2623.112 Safari/537.36"#,
    ),
    (
        "DuckDuckGo | 17.6 | Mac | 10.15",
        r#"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15 Ddg/17.6"#,
    ),
    (
        "Safari | 17.2 | iOS | 17.2",
        r#"Mozilla/5.0 (iPad; CPU OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1"#,
    ),
    (
        "Samsung Internet | 2.1 | Tizen | 4.0",
        r#"Mozilla/5.0 (SMART-TV; LINUX; Tizen 4.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/2.1 Chrome/56.0.2924.0 TV Safari/537.36"#,
    ),
    (" |  |  | ", r#"Something (entirely different) 1.0"#),
];

#[test]
fn browsers_and_systems() {
    let agents = Agents::new().unwrap();
    let mut wrong = Vec::new();
    for (wanted, text) in READINGS {
        let agent = agents.read(text);
        let found = [&agent.browser, &agent.browser_version, &agent.os, &agent.os_version];
        let found = found.map(String::as_str).join(" | ");
        if found != *wanted {
            wrong.push(format!("{wanted}  is read as  {found}  in  {text}"));
        }
        assert_eq!(agent.program, None, "{text}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn platforms_follow_systems() {
    let table = [
        ("Windows", "desktop"),
        ("Mac", "desktop"),
        ("Linux", "desktop"),
        ("Android", "mobile"),
        ("iOS", "mobile"),
        ("Windows Mobile", "mobile"),
        ("Chrome OS", "unknown"),
        ("", "unknown"),
    ];
    for (os, wanted) in table {
        assert_eq!(Platform::of_system(os).as_str(), wanted, "{os}");
    }
}

#[test]
fn crawlers_that_only_woothee_knows_are_programs() {
    let agents = Agents::new().unwrap();
    assert!(
        agents
            .read("Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)")
            .program
            .is_some()
    );
    assert_eq!(agents.read("").program, Some(Program::Nameless));
}

#[test]
fn versions_are_cut_after_the_minor_number() {
    let table =
        [("84.0.4147.135", "84.0"), ("10_15_6", "10.15"), ("5", "5"), ("", ""), ("x", ""), ("..1", "1")];
    for (version, wanted) in table {
        assert_eq!(major_minor(version), wanted, "{version}");
    }
}
