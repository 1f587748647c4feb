//! Whole hits: what is stored of them, what is left out, what is refused.

use std::net::IpAddr;

use hitstone_engine::event::{Kind, Pairs};
use hitstone_engine::schema::Column;
use hitstone_engine::vfs::OsFs;
use jiff::Timestamp;
use proptest::prelude::*;

use crate::hit::{BotFilter, Campaign, ClientHints, CustomEvent, GivenKind, GivenVisitor, HitKind};

use super::*;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:122.0) Gecko/20100101 Firefox/122.0";

struct Bench {
    enricher: Enricher,
    now: TimestampMs,
    _folder: tempfile::TempDir,
}

fn bench() -> Bench {
    bench_at("2026-06-10T12:00:00Z")
}

fn bench_at(now: &str) -> Bench {
    let now = moment(now);
    let folder = tempfile::tempdir().unwrap();
    let fs: SharedFs = Arc::new(OsFs);
    let salts = Arc::new(Salts::open(Arc::clone(&fs), folder.path(), now).unwrap());
    let enricher = Enricher::new(&EnrichSettings::default(), &fs, salts).unwrap();
    Bench { enricher, now, _folder: folder }
}

fn moment(text: &str) -> TimestampMs {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn site() -> SiteContext<'static> {
    SiteContext {
        id: SiteId(7),
        hostname: "example.com",
        alternative_hosts: &[],
        strict_hosts: false,
        zone: const { &TimeZone::UTC },
        ignore_dnt: false,
        keep_event_id: false,
        secret: [9; 16],
        protection: const { &Protection::new() },
    }
}

fn hit() -> Hit {
    Hit {
        kind: HitKind::PageView,
        url: "https://example.com/pricing?utm_source=Newsletter&utm_medium=email#top".into(),
        ip: IpAddr::from([81, 2, 69, 142]),
        user_agent: FIREFOX.into(),
        accept_language: "fr-CH, fr;q=0.9".into(),
        referrer: "https://www.google.com/search?q=x".into(),
        campaign: Campaign::default(),
        title: "Prices".into(),
        screen_width: 1920,
        hints: ClientHints::default(),
        dnt: false,
        prefetch: false,
        tags: vec![("author".into(), "John".into())],
        time: None,
        bot_filter: BotFilter::All,
        disable_host_check: false,
        status: Some(200),
        event_id: "abc".into(),
        given_visitor: None,
        source: "pirsch",
    }
}

fn custom(name: &str, meta: &[(&str, &str)]) -> HitKind {
    let meta = meta.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    HitKind::Event(CustomEvent { name: name.into(), duration: 0, meta, non_interactive: false })
}

impl Bench {
    fn enrich(&self, hit: &Hit, site: &SiteContext<'_>) -> Result<Outcome, EnrichError> {
        self.enricher.enrich(hit, site, self.now)
    }

    fn event(&self, hit: &Hit) -> Event {
        match self.enrich(hit, &site()).unwrap() {
            Outcome::Event(event) => event,
            Outcome::LeftOut(reason) => panic!("left out: {reason:?}"),
        }
    }

    fn left_out(&self, hit: &Hit, site: &SiteContext<'_>) -> Option<Reason> {
        match self.enrich(hit, site).unwrap() {
            Outcome::Event(_) => None,
            Outcome::LeftOut(rejection) => Some(rejection.reason),
        }
    }

    fn refused(&self, hit: &Hit) -> Option<&'static str> {
        match self.enrich(hit, &site()) {
            Err(EnrichError::Refused(refusal)) => Some(refusal.field),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    }
}

#[test]
fn a_page_view_becomes_an_event() {
    let bench = bench();
    let event = bench.event(&hit());
    assert_eq!(
        (event.site, event.kind, event.time, event.received),
        (SiteId(7), Kind::PageView, bench.now, None)
    );
    assert_eq!((event.status, event.user_key, event.previous_visitor), (Some(200), None, None));
    let texts = [
        (Column::Hostname, "example.com"),
        (Column::Path, "/pricing"),
        (Column::Title, "Prices"),
        (Column::Referrer, "https://www.google.com/search"),
        (Column::ReferrerName, "Google"),
        (Column::Channel, "Organic Search"),
        (Column::Language, "fr"),
        (Column::Country, "gb"),
        (Column::Os, "Linux"),
        (Column::OsVersion, ""),
        (Column::Browser, "Firefox"),
        (Column::BrowserVersion, "122.0"),
        (Column::Platform, "desktop"),
        (Column::ScreenClass, "Full HD"),
        (Column::UtmSource, "Newsletter"),
        (Column::UtmMedium, "email"),
        (Column::Tags, "6:author4:John"),
        (Column::EventName, ""),
        (Column::EventId, ""),
        (Column::Source, "pirsch"),
    ];
    for (column, wanted) in texts {
        assert_eq!(event.texts.get(column), wanted, "{column:?}");
    }
}

#[test]
fn no_text_of_an_event_holds_the_address_or_the_user_agent() {
    let event = bench().event(&hit());
    for column in Column::ALL {
        let text = event.texts.get(column);
        assert!(!text.contains("81.2.69") && !text.contains("Gecko"), "{column:?}: {text}");
    }
}

#[test]
fn custom_events_and_pings() {
    let bench = bench();
    let kind = HitKind::Event(CustomEvent {
        name: " Sale ".into(),
        duration: 4,
        meta: vec![("price".into(), "34.56".into()), (" ".into(), "x".into()), ("blank".into(), " ".into())],
        non_interactive: true,
    });
    let event = bench.event(&Hit { kind, url: String::new(), ..hit() });
    assert_eq!((event.kind, event.event_duration, event.non_interactive), (Kind::Event, Some(4), true));
    assert_eq!(event.texts.get(Column::EventName), "Sale");
    assert_eq!(Pairs(event.texts.get(Column::EventMeta)).get("price"), Some("34.56"));
    assert_eq!(event.texts.get(Column::EventMeta), "5:price5:34.56");
    assert_eq!((event.texts.get(Column::Path), event.texts.get(Column::Hostname)), ("", ""));
    let ping = bench.event(&Hit { kind: HitKind::KeepAlive, url: String::new(), ..hit() });
    assert_eq!((ping.kind, ping.texts.get(Column::Path), ping.event_duration), (Kind::Ping, "", None));
}

#[test]
fn hits_that_are_left_out() {
    let bench = bench();
    let alternatives = ["shop.example.org".to_owned(), "*.Example.net".to_owned()];
    let open = SiteContext { ignore_dnt: true, alternative_hosts: &alternatives, ..site() };
    let at = |url: &str| Hit { url: url.into(), ..hit() };
    let bot = Hit { user_agent: "curl/8.4.0 (x86_64-pc-linux-gnu)".into(), ..hit() };
    let headless = ClientHints { ua: "\"HeadlessChrome\";v=\"120\"".into(), ..ClientHints::default() };
    let spam = Hit { referrer: "https://semalt.com/x".into(), ..hit() };
    let dnt = Hit { dnt: true, ..hit() };
    let table = [
        (hit(), site(), None),
        (dnt.clone(), site(), Some(Reason::Dnt)),
        (dnt, open, None),
        (bot.clone(), site(), Some(Reason::Bot)),
        (Hit { bot_filter: BotFilter::None, ..bot.clone() }, site(), None),
        (Hit { url: "https://other.com/".into(), ..bot }, site(), Some(Reason::Bot)),
        (Hit { hints: headless, ..hit() }, site(), Some(Reason::Bot)),
        (at("https://www.example.com/"), site(), None),
        (at("https://EXAMPLE.com:8443/"), site(), None),
        (at("https://other.com/"), site(), Some(Reason::Hostname)),
        (at("https://sub.example.com/"), site(), Some(Reason::Hostname)),
        (at("https://shop.example.org/"), site(), Some(Reason::Hostname)),
        (at("https://shop.example.org/"), open, None),
        (at("https://a.b.example.net/"), open, None),
        (at("https://example.net/"), open, Some(Reason::Hostname)),
        (at("https://badexample.net/"), open, Some(Reason::Hostname)),
        (Hit { disable_host_check: true, ..at("https://other.com/") }, site(), None),
        (
            Hit { disable_host_check: true, ..at("https://other.com/") },
            SiteContext { strict_hosts: true, ..site() },
            Some(Reason::Hostname),
        ),
        (spam.clone(), site(), Some(Reason::Spam)),
        (Hit { bot_filter: BotFilter::None, ..spam }, site(), None),
        (at("https://example.com/?utm_source=semalt.com"), site(), Some(Reason::Spam)),
        (at("https://example.com/?utm_source=%27+or+1%3D1"), site(), Some(Reason::Spam)),
        (at("https://example.com/?utm_source=Select+Newsletter&source=select+this"), site(), None),
    ];
    for (hit, site, wanted) in table {
        assert_eq!(bench.left_out(&hit, &site), wanted, "{hit:?}");
    }
}

#[test]
fn international_host_names_match_in_any_form() {
    let site = SiteContext { hostname: "Bücher.example", ..site() };
    for host in ["bücher.example", "xn--bcher-kva.example", "www.xn--bcher-kva.example"] {
        assert!(site.owns_host(&canonical_host(host).unwrap()), "{host}");
    }
    let local = SiteContext { hostname: "localhost:8080", ..site };
    assert!(local.owns_host("localhost"));
}

#[test]
fn hits_that_are_refused() {
    let bench = bench();
    let named = |name: &str| Hit { kind: custom(name, &[]), ..hit() };
    let tagged = |count: usize, key: &str| Hit {
        tags: (0..count).map(|n| (format!("{key}{n}"), "v".to_owned())).collect(),
        ..hit()
    };
    let meta = |count: usize, key: &str| {
        let meta = (0..count).map(|n| (format!("{key}{n}"), "v".to_owned())).collect();
        let event = CustomEvent { name: "e".into(), meta, ..CustomEvent::default() };
        Hit { kind: HitKind::Event(event), ..hit() }
    };
    let timed = |time: TimestampMs| Hit { time: Some(time), ..hit() };
    let day = hitstone_engine::units::DAY_MS;
    let table = [
        (Hit { url: String::new(), ..hit() }, Some("url")),
        (Hit { url: "/relative".into(), ..hit() }, Some("url")),
        (Hit { url: format!("https://example.com/{}", "x".repeat(9000)), ..hit() }, Some("url")),
        (named(" "), Some("event_name")),
        (named(&"ü".repeat(200)), None),
        (named(&"ü".repeat(201)), Some("event_name")),
        (tagged(20, "k"), None),
        (tagged(21, "k"), Some("tags")),
        (tagged(1, &"k".repeat(50)), Some("tags")),
        (meta(100, "k"), None),
        (meta(101, "k"), Some("event_meta")),
        (meta(1, &"k".repeat(100)), Some("event_meta")),
        (timed(moment("1999-12-31T23:59:59Z")), Some("time")),
        (timed(moment("2000-01-01T00:00:00Z")), None),
        (timed(bench.now + day), None),
        (timed(bench.now + day + 1), Some("time")),
        (timed(i64::MAX), Some("time")),
        (timed(i64::MIN), Some("time")),
    ];
    for (hit, wanted) in table {
        assert_eq!(bench.refused(&hit), wanted, "{hit:?}");
    }
}

#[test]
fn long_values_are_cut_on_characters() {
    let bench = bench();
    let long = "é".repeat(3000);
    let event = bench.event(&Hit {
        url: format!("https://example.com/{}", "é".repeat(2500)),
        title: long.clone(),
        referrer: format!("https://ref.com/{}", "x".repeat(300)),
        tags: vec![("key".into(), long.clone())],
        kind: custom("e", &[("key", &long)]),
        ..hit()
    });
    let chars = |column| event.texts.get(column).chars().count();
    assert_eq!((chars(Column::Path), chars(Column::Title), chars(Column::Referrer)), (2000, 512, 200));
    let value = |column| Pairs(event.texts.get(column)).get("key").map(|value| value.chars().count());
    assert_eq!((value(Column::Tags), value(Column::EventMeta)), (Some(50), Some(2000)));
}

#[test]
fn times_that_the_sender_states() {
    let bench = bench();
    let event = bench.event(&Hit { time: Some(bench.now - 5000), ..hit() });
    assert_eq!((event.time, event.received), (bench.now - 5000, Some(bench.now)));
    let event = bench.event(&Hit { time: Some(bench.now), ..hit() });
    assert_eq!((event.time, event.received), (bench.now, None));
}

#[test]
fn visitors_go_on_over_midnight_of_their_zone() {
    let bench = bench_at("2026-06-10T22:30:00Z");
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let site = SiteContext { zone: &berlin, ..site() };
    let at = |time: &str| {
        let hit = Hit { time: Some(moment(time)), ..hit() };
        let Ok(Outcome::Event(event)) = bench.enrich(&hit, &site) else { panic!("no event") };
        event
    };
    let before = at("2026-06-10T21:59:00Z");
    let after = at("2026-06-10T22:01:00Z");
    assert_ne!(before.visitor, after.visitor);
    assert_eq!(after.previous_visitor, Some(before.visitor));
    assert_eq!(at("2026-06-10T22:30:00Z").visitor, after.visitor);
}

#[test]
fn ids_that_the_site_gives_are_kept_apart_from_addresses() {
    let bench = bench();
    let given = bench.event(&Hit { given_visitor: GivenVisitor::new(GivenKind::Visitor, "user 1"), ..hit() });
    let elsewhere = bench.event(&Hit {
        given_visitor: GivenVisitor::new(GivenKind::Visitor, "user 1"),
        ip: IpAddr::from([8, 8, 8, 8]),
        ..hit()
    });
    assert_eq!((given.visitor, given.user_key), (elsewhere.visitor, elsewhere.user_key));
    assert_eq!((given.user_key, given.previous_visitor), (Some(given.visitor.0), None));
}

#[test]
fn advertisements_and_named_referrers() {
    let bench = bench();
    // query, referrer; referrer's name, medium, channel
    let table = [
        ("gclid=1", "https://www.google.com/", "Google", "(gclid)", "Paid Search"),
        ("msclkid=1", "https://www.bing.com/", "Bing", "(msclkid)", "Paid Search"),
        ("gclid=1&utm_medium=x", "https://www.google.com/", "Google", "x", "Paid Search"),
        ("gclid=1", "", "", "", "Direct"),
        ("gclid=1", "https://www.bing.com/", "Bing", "", "Organic Search"),
        ("utm_source=Facebook", "", "Facebook", "", "Organic Social"),
        ("ref=chatgpt.com", "", "ChatGPT", "", "AI"),
        ("", "https://example.com/before", "", "", "Direct"),
        ("", "https://www.example.com/before", "", "", "Direct"),
    ];
    for (query, referrer, name, medium, channel) in table {
        let event = bench.event(&Hit {
            url: format!("https://example.com/?{query}"),
            referrer: referrer.into(),
            ..hit()
        });
        let found =
            [Column::ReferrerName, Column::UtmMedium, Column::Channel].map(|column| event.texts.get(column));
        assert_eq!(found, [name, medium, channel], "{query} {referrer}");
    }
}

#[test]
fn ids_of_events_are_kept_when_asked() {
    let bench = bench();
    let Ok(Outcome::Event(event)) = bench.enrich(&hit(), &SiteContext { keep_event_id: true, ..site() })
    else {
        panic!("no event")
    };
    assert_eq!(event.texts.get(Column::EventId), "abc");
}

#[test]
fn an_operator_s_spam_list_is_taken_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spam.txt");
    std::fs::write(&path, "one.example\n").unwrap();
    let fs: SharedFs = Arc::new(OsFs);
    let salts = Arc::new(Salts::open(Arc::clone(&fs), folder.path(), 0).unwrap());
    let settings = EnrichSettings { spam_list: Some(path.clone()), ..EnrichSettings::default() };
    let enricher = Enricher::new(&settings, &fs, salts).unwrap();
    let is_spam = |host: &str| {
        let hit = Hit { referrer: format!("https://{host}/"), ..hit() };
        enricher.enrich(&hit, &site(), moment("2026-06-10T12:00:00Z")).unwrap()
            == Outcome::LeftOut(Reason::Spam.into())
    };
    assert!(is_spam("one.example") && !is_spam("second.example"));
    assert!(enricher.reload_if_changed().unwrap().is_empty());
    std::fs::write(&path, "second.example\n").unwrap();
    assert_eq!(enricher.reload_if_changed().unwrap(), [path]);
    assert!(!is_spam("one.example") && is_spam("second.example"));
}

#[test]
fn names_and_paths_have_no_control_characters() {
    let bench = bench();
    let url = "https://example.com/a%00b%0Ac".to_owned();
    let event = bench.event(&Hit { kind: custom(" Sign\0 up\r\n", &[]), url, ..hit() });
    assert_eq!((event.texts.get(Column::EventName), event.texts.get(Column::Path)), ("Sign up", "/abc"));
    assert!(bench.enrich(&Hit { kind: custom("\0\n", &[]), ..hit() }, &site()).is_err());
}

#[test]
fn lists_except_what_looks_like_an_attack() {
    let bench = bench();
    let link = Hit { referrer: "https://sql.example/?q=sleep(5)".into(), ..hit() };
    let campaign = Hit { url: "https://example.com/?utm_source=select+*+from+x".into(), ..hit() };
    let out = || {
        [&link, &campaign].map(|hit| matches!(bench.enrich(hit, &site()), Ok(Outcome::LeftOut(rejection)) if rejection == Reason::Spam.into()))
    };
    assert_eq!(out(), [true, true]);
    bench.enricher.take_lists(Arc::new(Lists::parse("[not-spam]\nsql.example\nexample.com\n").unwrap()));
    assert_eq!(out(), [false, false]);
}

/// Texts that come close to what parsers look for.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[a-zA-Z0-9/:?#@.%&=;,\"'\\[\\]() _-]{0,24}",
        prop::sample::select(vec![
            "https://",
            "http",
            "android-app://",
            "example.com",
            "%",
            "%C3%A9",
            "%ff",
            "\n",
            "for=",
            "[::1]",
            "\"",
            ";v=\"",
            "Windows NT ",
            "Mac OS X ",
            "Android ",
            "CrOS ",
            "Version/",
            "Chrome/",
            "Opera/",
            "FBAV/",
            "1.2.3.4",
            "é",
            "?utm_source=",
            "&ref=",
            "xn--",
            "-",
            "_",
            "\u{0}",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_text_makes_a_parser_panic(text in hostile_text()) {
        let _ = client_ip::parse_address(&text);
        let _ = client_ip::from_body(&client_ip::BodyAddresses { ip: &text, forwarded: &text, ..Default::default() });
        let _ = text.parse::<client_ip::Network>();
        let _ = language::first(&text);
        let _ = screen::hinted_width(&text);
        let _ = url::percent_decode(&text);
        let _ = canonical_host(&text);
        let _ = site().owns_host(&text);
        let _ = SpamList::with_more(&text).holds(&text);
        let _ = channel::of(&channel::Origin {
            referrer: &text, utm_source: &text, utm_medium: &text, utm_campaign: &text, ..Default::default()
        });
        let page = PageUrl::parse(&text).ok();
        let found = referrer::of(&text, "", page.as_ref(), &|_| false);
        prop_assert!(found.url.is_empty() || found.url.contains("://"), "{found:?}");
    }

    #[test]
    fn no_hit_makes_enrichment_panic(
        agent in hostile_text(),
        address in hostile_text(),
        hint in hostile_text(),
        time in prop::option::of(946_684_800_000_i64..1_781_000_000_000),
    ) {
        static BENCH: std::sync::LazyLock<Bench> = std::sync::LazyLock::new(bench);
        let hints = ClientHints {
            ua: hint.clone(), mobile: hint.clone(), platform: hint.clone(), platform_version: hint.clone(),
            width: hint.clone(), viewport_width: hint.clone(), contradictory: false,
        };
        let hit = Hit {
            kind: custom(&hint, &[(&agent, &hint)]), url: format!("https://example.com/{address}"),
            user_agent: agent.clone(), referrer: address, accept_language: hint.clone(), title: hint, hints,
            time, bot_filter: BotFilter::None, ..hit()
        };
        if let Ok(Outcome::Event(event)) = BENCH.enrich(&hit, &site()) {
            prop_assert!(event.texts.get(Column::Browser).chars().count() <= 20);
            prop_assert!(event.visitor.0 != 0);
            prop_assert!(event.texts.get(Column::Path).starts_with('/'));
        }
    }
}
