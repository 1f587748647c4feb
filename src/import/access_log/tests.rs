//! Lines as the servers' documentations show them, and worse ones.

use super::*;

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

fn view(format: Format, line: &[u8]) -> PageView {
    match format.read(line) {
        Line::View(view) => *view,
        other => panic!("{other:?}: {}", String::from_utf8_lossy(line)),
    }
}

fn ignored(format: Format, line: &str) -> Option<Ignored> {
    match format.read(line.as_bytes()) {
        Line::Ignored(reason) => Some(reason),
        _ => None,
    }
}

fn rejected(format: Format, line: &[u8]) -> &'static str {
    match format.read(line) {
        Line::Rejected(why) => why,
        other => panic!("{other:?}: {}", String::from_utf8_lossy(line)),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn apache_combined_and_common() {
    let line = br#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.html HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)""#;
    let wanted = PageView {
        time: 971_211_336_000,
        ip: ip("127.0.0.1"),
        host: None,
        target: "/apache_pb.html".into(),
        status: 200,
        referrer: "http://www.example.com/start.html".into(),
        user_agent: Some("Mozilla/4.08 [en] (Win98; I ;Nav)".into()),
        accept_language: String::new(),
        dnt: false,
    };
    assert_eq!(view(Format::Combined, line), wanted);
    let hit = wanted.clone().into_hit("example.com");
    assert_eq!(
        (hit.url.as_str(), hit.source, hit.status),
        ("https://example.com/apache_pb.html", "log", Some(200))
    );
    assert_eq!(hit.bot_filter, BotFilter::All);
    // Common: no referrer, no user agent. Nobody can be told from a program then.
    let common = br#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.html HTTP/1.0" 200 2326"#;
    let common = view(Format::Combined, common);
    assert_eq!(common, PageView { referrer: String::new(), user_agent: None, ..wanted.clone() });
    assert_eq!(common.into_hit("example.com").bot_filter, BotFilter::None);
    // A picture, of Apache's own example.
    let picture = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#;
    assert_eq!(ignored(Format::Combined, picture), Some(Ignored::Asset));
}

#[test]
fn nginx_combined_with_more_behind_it() {
    let line = format!(
        "2001:db8::7 - - [21/Nov/2026:10:07:15 +0100] \"GET /a?utm_source=x&b=%20 HTTP/2.0\" 304 0 \"-\" \"{AGENT}\" \"203.0.113.9\" rt=0.003\r\n"
    );
    let found = view(Format::Combined, line.as_bytes());
    assert_eq!((found.ip, found.status, found.referrer.as_str()), (ip("2001:db8::7"), 304, ""));
    assert_eq!((found.target.as_str(), found.user_agent.as_deref()), ("/a?utm_source=x&b=%20", Some(AGENT)));
    assert_eq!(found.time, 1_795_252_035_000);
}

#[test]
fn escapes_users_with_blanks_and_absent_texts() {
    let line = br#"1.2.3.4 - Jane Q. Doe [10/Oct/2000:13:55:36 -0700] "GET /\xd0\x9f\"\\q\x2 HTTP/1.1" 404 - "-" "-""#;
    let found = view(Format::Combined, line);
    assert_eq!(found.target, "/\u{41f}\"\\q\\x2");
    assert_eq!((found.status, found.user_agent.as_deref()), (404, Some("")));
    // Quotes that nobody escaped.
    let line =
        br#"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET /a"b HTTP/1.1" 200 5 "http://x/"y"" "A "B" C" "#;
    assert_eq!(view(Format::Combined, line).target, "/a\"b");
    // What is not UTF-8 is lost in its text only.
    let line = b"1.2.3.4 - \xff [10/Oct/2000:13:55:36 -0700] \"GET /\xe4 HTTP/1.1\" 200 5 \"-\" \"\xffgent\"";
    let found = view(Format::Combined, line);
    assert_eq!((found.target.as_str(), found.user_agent.as_deref()), ("/\u{fffd}", Some("\u{fffd}gent")));
}

#[test]
fn vhost_combined() {
    let rest =
        format!(r#"203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 5 "-" "{AGENT}""#);
    for (host, wanted) in [
        ("www.Example.com:443", Some("www.example.com")),
        ("example.com", Some("example.com")),
        ("[::1]", Some("[::1]")),
        ("-", None),
    ] {
        let found = view(Format::Vhost, format!("{host} {rest}").as_bytes());
        assert_eq!((found.host.as_deref(), found.ip), (wanted, ip("203.0.113.9")), "{host}");
    }
    assert_eq!(ignored(Format::Vhost, &format!("a<b {rest}")), Some(Ignored::Hostname));
    // One format taken for the other.
    let address = "the client's address is no IP address: is --format right?";
    assert_eq!(rejected(Format::Combined, format!("example.com:80 {rest}").as_bytes()), address);
    assert_eq!(rejected(Format::Vhost, rest.as_bytes()), address);
}

#[test]
fn what_is_no_page_view() {
    let line = |request: &str, status: &str| {
        format!(r#"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "{request}" {status} 5 "-" "{AGENT}""#)
    };
    let table = [
        ("GET / HTTP/1.1", "200", None),
        ("GET /missing HTTP/1.1", "404", None),
        ("GET /part HTTP/1.1", "206", None),
        ("GET http://example.com HTTP/1.1", "200", None),
        ("HEAD / HTTP/1.1", "200", Some(Ignored::Method)),
        ("POST /form HTTP/1.1", "200", Some(Ignored::Method)),
        ("CONNECT example.com:443 HTTP/1.1", "405", Some(Ignored::Method)),
        ("GET /moved HTTP/1.1", "301", Some(Ignored::Status)),
        ("GET / HTTP/1.1", "500", Some(Ignored::Status)),
        ("GET / HTTP/1.1", "499", Some(Ignored::Status)),
        ("GET / HTTP/1.1", "000", Some(Ignored::Status)),
        ("GET /app.js?v=3 HTTP/1.1", "200", Some(Ignored::Asset)),
        ("GET * HTTP/1.1", "200", Some(Ignored::Request)),
        ("-", "400", Some(Ignored::Request)),
        ("", "408", Some(Ignored::Request)),
        (r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", "400", Some(Ignored::Request)),
        (r"t3 12.1.2\n", "400", Some(Ignored::Request)),
    ];
    for (request, status, wanted) in table {
        let line = line(request, status);
        assert_eq!(ignored(Format::Combined, &line), wanted, "{line}");
        if wanted.is_none() {
            view(Format::Combined, line.as_bytes());
        }
    }
    for empty in ["", "\r\n", "  \t"] {
        assert_eq!(ignored(Format::Nginx, empty), Some(Ignored::Empty));
    }
}

#[test]
fn what_is_no_line_of_the_format() {
    let long = [b"1.2.3.4 ", "a".repeat(LINE_BYTES_MAX).as_bytes()].concat();
    let table: [(&[u8], &str); 10] = [
        (b"hello", "the line has only one word"),
        (b"hello world", "there is no time in brackets"),
        (b"1.2.3.4 - - [10/Oct", "the time's bracket is not closed"),
        (b"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] GET / HTTP/1.1 200 5", "there is no request in quotes"),
        (b"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1", "there is no request in quotes"),
        (
            b"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 2x0 5",
            "the status is no number from 0 to 999",
        ),
        (
            b"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 5 \"-",
            "the referrer's quotes are not closed",
        ),
        (
            b"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 5 \"-\" \"M",
            "the user agent's quotes are not closed",
        ),
        (b"1.2.3.4 - - [yesterday] \"GET / HTTP/1.1\" 200 5 \"-\" \"M\"", "the time is of no known form"),
        (&long, TOO_LONG),
    ];
    for (line, why) in table {
        assert_eq!(rejected(Format::Combined, line), why);
    }
    assert_eq!(rejected(Format::Caddy, b"{\"request\":"), "the line is no JSON");
    assert_eq!(rejected(Format::Nginx, b"[1]"), "the line is no JSON object");
    assert!(rejected(Format::Nginx, br#"{"request":"GET /\x22 HTTP/1.1"}"#).contains("escape=json"));
    assert!(rejected(Format::Nginx, br#"{"time":"1"}"#).contains("request_method"));
}

/// The entry of Caddy's documentation, with a browser in it.
fn caddy(ts: &str, method: &str, status: u16, logger: &str) -> String {
    format!(
        r#"{{"level":"info","ts":{ts},"logger":"{logger}","msg":"handled request","request":{{"remote_ip":"10.0.0.1","remote_port":"41342","client_ip":"203.0.113.9","proto":"HTTP/2.0","method":"{method}","host":"example.com:8443","uri":"/a%20b?ref=x","headers":{{"User-Agent":["{AGENT}"],"Accept":["*/*"],"Accept-Language":["de-DE,de"],"Referer":["https://search.test/"],"Dnt":["1"]}},"tls":{{"resumed":false,"version":772,"cipher_suite":4865,"proto":"h2","server_name":"example.com"}}}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":10900,"status":{status},"resp_headers":{{"Server":["Caddy"]}}}}"#
    )
}

#[test]
fn caddy_json() {
    let access = "http.log.access.log0";
    for ts in [
        "1646861401.5241024",
        "1646861401524.1024",
        "1646861401524102400",
        "\"2022-03-09T21:30:01.524Z\"",
        "\"2022-03-09T22:30:01.524+0100\"",
        "\"2022/03/09 21:30:01.524\"",
    ] {
        let found = view(Format::Caddy, caddy(ts, "GET", 200, access).as_bytes());
        assert_eq!(found.time, 1_646_861_401_524, "{ts}");
        assert_eq!((found.ip, found.host.as_deref()), (ip("203.0.113.9"), Some("example.com")));
        assert_eq!(
            (found.target.as_str(), found.referrer.as_str()),
            ("/a%20b?ref=x", "https://search.test/")
        );
        assert_eq!((found.accept_language.as_str(), found.dnt), ("de-DE,de", true));
        assert_eq!(found.user_agent.as_deref(), Some(AGENT));
    }
    let line = caddy("\"09/Mar/2022:21:30:01 +0000\"", "GET", 200, access);
    assert_eq!(view(Format::Caddy, line.as_bytes()).time, 1_646_861_401_000);
    assert_eq!(ignored(Format::Caddy, &caddy("1", "POST", 200, access)), Some(Ignored::Method));
    assert_eq!(ignored(Format::Caddy, &caddy("1", "GET", 502, access)), Some(Ignored::Status));
    assert_eq!(ignored(Format::Caddy, &caddy("1", "GET", 404, "http.log.error")), Some(Ignored::Other));
    let start =
        r#"{"level":"info","ts":1646861401.5,"msg":"using provided configuration","config_file":"x"}"#;
    assert_eq!(ignored(Format::Caddy, start), Some(Ignored::Other));
    let prefetch =
        caddy("1", "GET", 200, access).replace("\"Dnt\":[\"1\"]", "\"Sec-Purpose\":[\"prefetch;prerender\"]");
    assert_eq!(ignored(Format::Caddy, &prefetch), Some(Ignored::Prefetch));
    // Caddy before 2.5.
    let old = r#"{"ts":1600000000.5,"logger":"http.log.access","request":{"remote_addr":"203.0.113.9:5123","method":"GET","host":"example.com","uri":"/","headers":{}},"status":200}"#;
    let found = view(Format::Caddy, old.as_bytes());
    assert_eq!((found.ip, found.user_agent.as_deref()), (ip("203.0.113.9"), Some("")));
}

#[test]
fn nginx_json() {
    let whole = PageView {
        time: 1_795_252_035_000,
        ip: ip("203.0.113.9"),
        host: Some("example.com".into()),
        target: "/a?b=\"c\"".into(),
        status: 200,
        referrer: "https://search.test/".into(),
        user_agent: Some(AGENT.into()),
        accept_language: "de".into(),
        dnt: false,
    };
    let ours = format!(
        r#"{{"time":"2026-11-21T10:07:15+01:00","remote_addr":"203.0.113.9","host":"example.com","request":"GET /a?b=\"c\" HTTP/1.1","status":200,"http_referer":"https://search.test/","http_user_agent":"{AGENT}","http_accept_language":"de"}}"#
    );
    assert_eq!(view(Format::Nginx, ours.as_bytes()), whole);
    let others = format!(
        r#"{{"msec":"1795252035.000","x":{{"y":[]}},"remote_addr":"203.0.113.9","http_x_forwarded_for":"9.9.9.9","http_host":"example.com:80","request_method":"GET","uri":"/a","args":"b=\"c\"","status":"200","http_referrer":"https://search.test/","user_agent":"{AGENT}","accept_language":"de"}}"#
    );
    assert_eq!(view(Format::Nginx, others.as_bytes()), whole);
    let third = format!(
        r#"{{"time_local":"21/Nov/2026:10:07:15 +0100","client":"203.0.113.9","server_name":"example.com","method":"GET","request_uri":"/a?b=\"c\"","uri":"/index.php","status":"200","referer":"https://search.test/","agent":"{AGENT}","http_accept_language":"de"}}"#
    );
    assert_eq!(view(Format::Nginx, third.as_bytes()), whole);
    // What a client sent that is no request, and one that sent none.
    let junk = ours.replace(r#""GET /a?b=\"c\" HTTP/1.1""#, r#""\u0016\u0003\u0001""#).replace("200", "400");
    assert_eq!(ignored(Format::Nginx, &junk), Some(Ignored::Request));
    assert_eq!(ignored(Format::Nginx, &others.replace("\"GET\"", "\"\"")), Some(Ignored::Request));
    // Bytes that are not UTF-8 pass nginx as they are.
    let raw = [&ours.as_bytes()[..ours.len() - 4], b"\xff\"}"].concat();
    assert_eq!(view(Format::Nginx, &raw).accept_language, "\u{fffd}");
}

#[test]
fn our_log_format_names_fields_that_are_read() {
    let object =
        LOG_FORMAT.split_once('\'').and_then(|(_, rest)| rest.rsplit_once('\'')).map(|(json, _)| json);
    let line = object
        .unwrap()
        .replace("$time_iso8601", "2026-11-21T10:07:15+01:00")
        .replace("$remote_addr", "203.0.113.9")
        .replace("$host", "example.com")
        .replace("$request", "GET / HTTP/1.1")
        .replace("$status", "200")
        .replace("$http_referer", "r")
        .replace("$http_user_agent", AGENT)
        .replace("$http_accept_language", "de");
    let found = view(Format::Nginx, line.as_bytes());
    assert_eq!((found.referrer.as_str(), found.accept_language.as_str()), ("r", "de"));
    assert_eq!((found.host.as_deref(), found.user_agent.as_deref()), (Some("example.com"), Some(AGENT)));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_a_parser_panic(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        text in "[\\[\\]\" \\\\/:x0-9A-Z{},.+-]{0,80}",
    ) {
        for format in Format::ALL {
            format.read(&bytes);
            format.read(text.as_bytes());
        }
    }
}
