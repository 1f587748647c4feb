//! Lines of access logs, in every format; also cut into lines as a follower cuts them.

use hitstone::import::access_log::{Format, LOG_FORMAT, Line};

pub fn run(data: &[u8]) {
    for format in Format::ALL {
        for line in std::iter::once(data).chain(data.split(|byte| *byte == b'\n')) {
            if let Line::View(view) = format.read(line) {
                assert!(view.target.starts_with('/'), "{view:?}");
                assert!(matches!(view.status, 200..300 | 304 | 404), "{view:?}");
                let hit = view.into_hit("example.com");
                assert!(hit.url.starts_with("https://"), "{hit:?}");
            }
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let combined = r#"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET /a?b=\x22c HTTP/1.0" 200 2326 "http://example.com/\"" "Mozilla/5.0 (X11; Linux x86_64)""#;
    let caddy = r#"{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","client_ip":"::1","method":"GET","host":"localhost:80","uri":"/a","headers":{"User-Agent":["curl/7.82.0"],"Dnt":["1"]}},"duration":0.0009,"status":200}"#;
    let nginx = r#"{"time":"2026-11-21T10:07:15+01:00","remote_addr":"203.0.113.9","host":"example.com","request":"GET http://x/a HTTP/1.1","status":404,"http_referer":"-","http_user_agent":"M"}"#;
    let parts = r#"{"msec":"1795252035.000","remote_addr":"203.0.113.9","request_method":"GET","uri":"/a","args":"b","status":"304"}"#;
    let vhost = format!("example.com:443 {combined}\r\n\r\n{combined}");
    [combined, caddy, nginx, parts, &vhost, LOG_FORMAT].map(|seed| seed.as_bytes().to_vec()).to_vec()
}
