use std::net::IpAddr;

use super::*;

const FILE: &str = "\u{feff}# Ours
[bots]
ExampleFetcher/\\d      # ours, too
^shop-probe
[not-bots]
friendly-monitor
[spam]
Spam.example
[not-spam]
semalt.com
[addresses]
192.0.2.0/24
2001:db8::/32
[data-centres]
198.51.100.0/24
[not-addresses]
192.0.2.7
198.51.100.128/25
";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn lists_say_what_they_name() {
    let lists = Lists::parse(FILE).unwrap();
    for (user_agent, wanted) in [
        ("Mozilla/5.0 examplefetcher/2", Verdict::Program),
        ("Shop-Probe", Verdict::Program),
        ("a shop-probe", Verdict::Unlisted),
        ("Friendly-Monitor/1.0 (ExampleFetcher/3)", Verdict::Visitor),
        (ORDINARY_BROWSERS[0], Verdict::Unlisted),
    ] {
        // Twice: the second time it is remembered.
        assert_eq!((lists.verdict(user_agent), lists.verdict(user_agent)), (wanted, wanted), "{user_agent}");
    }
    for (address, wanted) in [
        ("192.0.2.1", Some(Program::Address)),
        ("192.0.2.7", None),
        ("2001:db8::7", Some(Program::Address)),
        ("198.51.100.1", Some(Program::DataCentre)),
        ("198.51.100.200", None),
        ("203.0.113.1", None),
    ] {
        assert_eq!(lists.program_at(ip(address)), wanted, "{address}");
    }
    assert!(lists.spam().holds("https://www.spam.example/x") && !lists.spam().holds("https://semalt.com/"));
    assert!(lists.not_spam().holds("https://semalt.com/"));
    assert!(lists.counts().eq([
        ("bots", 2),
        ("not-bots", 1),
        ("spam", 1),
        ("not-spam", 1),
        ("addresses", 2),
        ("not-addresses", 2),
        ("data-centres", 1)
    ]));
}

#[test]
fn an_empty_file_lists_nothing() {
    for text in ["", "\n# nothing\n\n", "[bots]\n"] {
        let lists = Lists::parse(text).unwrap();
        assert_eq!(lists.verdict("curl/8"), Verdict::Unlisted, "{text:?}");
        assert_eq!(lists.program_at(ip("192.0.2.1")), None);
    }
}

#[test]
fn bad_files_are_refused_with_the_line() {
    let many = format!("[bots]\n{}", "x-bot\n".repeat(PATTERNS_MAX + 1));
    let long = "#".repeat(FILE_BYTES_MAX + 1);
    let deep = format!("[bots]\n{}", "(".repeat(60));
    for (text, wanted) in [
        ("curl", "line 1: an entry before any section"),
        ("[bots]\nok\n[robots]\nx", "line 3: there is no section \"robots\": the sections are [bots]"),
        ("[]", "line 1: there is no section"),
        ("[bots]\n(", "line 2: \"(\" is not a regular expression"),
        (&deep, "line 2: "),
        ("\n[bots]\n\nmozilla", "line 4: \"mozilla\" would leave out ordinary browsers"),
        ("[bots]\n.*", "line 2: \".*\" would leave out ordinary browsers"),
        ("[bots]\nx|", "line 2: \"x|\" would leave out ordinary browsers"),
        ("[spam]\nnot a host", "line 2: \"not a host\" is not a host name"),
        ("[spam]\ncom", "line 2: \"com\" is not a host name"),
        ("[not-spam]\nhttps://a.test/x", "line 2: \"https://a.test/x\" is not a host name"),
        ("[addresses]\n10.0.0.0/33", "line 2: \"10.0.0.0/33\" is not an address or network"),
        ("[data-centres]\n0.0.0.0/0", "line 2: \"0.0.0.0/0\" would be every address"),
        ("[not-addresses]\n::/0", "line 2: \"::/0\" would be every address"),
        (&many, "[bots]: more than 2000 patterns"),
        (&long, "it is longer than 4194304 bytes"),
    ] {
        let fault = Lists::parse(text).map(|_| ()).unwrap_err().to_string();
        assert!(fault.starts_with(wanted), "{fault}");
    }
}

#[test]
fn marks_of_remarks_may_be_in_patterns() {
    let lists = Lists::parse("[bots]\nprobe#\\d # a remark\n[abc]probe\n").unwrap();
    assert_eq!(lists.verdict("a probe#7"), Verdict::Program);
    assert_eq!(lists.verdict("bprobe"), Verdict::Program);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "(\\[(bots|not-bots|spam|addresses|data-centres)\\]\n)?[\\PC\n]{0,100}") {
        let _ = Lists::parse(&text).map(|lists| (lists.verdict(&text), lists.spam().holds(&text)));
    }
}
