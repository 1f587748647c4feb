//! The scripts as they are served. What they do is tried in `clients`.

use super::*;

#[test]
fn scripts_are_served_to_every_page_and_kept_by_browsers() {
    let server = start(&[]);
    let answers = ["/static/wa.js", "/static/m.js"].map(|path| send(&server, &Request::get(path, ""), 200));
    assert_eq!(answers[0].body, answers[1].body);
    assert!(!answers[0].body.is_empty());
    let answer = &answers[0];
    for (name, wanted) in [
        ("Content-Type", "text/javascript; charset=utf-8"),
        ("Cache-Control", "public, max-age=3600"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
        ("Access-Control-Allow-Origin", "*"),
        ("Accept-CH", "Sec-CH-UA, Sec-CH-UA-Platform"),
    ] {
        assert_eq!(answer.header(name), Some(wanted), "{name}");
    }
    let tag = answer.header("ETag").expect("a tag");
    let again = send(&server, &Request::get("/static/wa.js", "").header("If-None-Match", tag), 304);
    assert_eq!((again.header("ETag"), again.body.len()), (Some(tag), 0));
    send(&server, &Request::get("/static/wa.js", "").header("If-None-Match", "\"x\""), 200);
    assert_eq!(send(&server, &Request::post("/static/wa.js", ""), 405).header("Allow"), Some("GET, HEAD"));
    send(&server, &Request::get("/static/other.js", ""), 404);
    let mut connection = server.connect();
    connection
        .write(b"HEAD /static/wa.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("writing");
    let head = connection.read_to_end().expect("an answer");
    let head = String::from_utf8_lossy(&head).to_lowercase();
    assert!(head.contains(&format!("content-length: {}", answer.body.len())), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}
