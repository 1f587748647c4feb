//! Connections: kept, filled ahead, left half-way, and what is no HTTP at all.

use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::support::http::{Connection, Request};
use crate::support::random::Random;
use crate::support::{Client, Folder, Server};

const DAY: &str = "from=2026-06-10&to=2026-06-10";

#[test]
fn a_connection_is_kept() {
    let (_server, mut client) = start();
    for i in 1..=20 {
        let hit = hit(&client, i);
        assert_eq!(client.connection.send(&hit).status, 200, "request {i}");
        assert_eq!(client.statistics("total", DAY)["views"], i, "after request {i}");
    }
    let token = client.token.clone();
    for (target, status) in [("/nothing", 404), ("/api/v1/statistics/visitor", 400), ("/api/v1/domain", 200)]
    {
        assert_eq!(
            client.connection.get(target, &token).status,
            status,
            "{target} on a connection that had errors"
        );
    }
}

/// Requests sent without waiting are answered in their order, and each has seen those before it.
#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let (server, client) = start();
    let total = format!("/api/v1/statistics/total?id={}&{DAY}", client.site.id);
    let mut bytes = Vec::new();
    for i in 1..=25 {
        bytes.extend(hit(&client, i).to_bytes());
        bytes.extend(Request::get(&total, &client.token).to_bytes());
        bytes.extend(Request::get("/nothing", "").to_bytes());
    }
    let mut connection = server.connect();
    connection.write(&bytes).expect("writing 75 requests");
    for i in 1..=25 {
        assert_eq!(connection.read_response().expect("an answer").status, 200, "hit {i}");
        let answer = connection.read_response().expect("an answer");
        assert_eq!(answer.json()["views"], i, "statistic after hit {i}");
        assert_eq!(connection.read_response().expect("an answer").status, 404, "third answer of {i}");
    }
}

#[test]
fn a_body_may_come_in_chunks() {
    let (server, mut client) = start();
    let body = client.hit_body("/", "198.51.100.1", json!({"time": "2026-06-10T12:00:00Z"})).to_string();
    let mut connection = server.connect();
    let head = format!(
        "POST /api/v1/hit HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        client.token
    );
    connection.write(head.as_bytes()).expect("writing the head");
    for part in body.as_bytes().chunks(7) {
        let chunk = [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
        connection.write(&chunk).expect("writing a chunk");
    }
    connection.write(b"0\r\n\r\n").expect("writing the last chunk");
    assert_eq!(connection.read_response().expect("an answer").status, 200);
    assert_eq!(client.statistics("total", DAY)["views"], 1);
}

/// Slow clients hold no one up, and what they never finished is not counted.
#[test]
fn half_a_request_blocks_nobody() {
    let (mut server, mut client) = start();
    let whole = hit(&client, 1).to_bytes();
    let halves: Vec<Connection> = (0..100)
        .map(|i| {
            let mut connection = server.connect();
            connection.write(&whole[..whole.len() * (i + 1) / 102]).expect("writing half a request");
            connection
        })
        .collect();
    let hit = hit(&client, 2);
    assert_eq!(client.connection.send(&hit).status, 200);
    assert_eq!(server.connect().get("/api/v1/healthcheck", "").status, 200);
    drop(halves);
    server.assert_alive();
    assert_eq!(client.statistics("total", DAY)["views"], 1, "only the whole request counts");
}

/// As many as an attacker opens: each has sent nothing, something, or had an answer.
#[test]
fn ten_thousand_connections_keep_nobody_out() {
    let (mut server, mut client) = start();
    let count = open_files().min(10_000);
    let parts: Vec<usize> = (0..8).map(|part| count * (part + 1) / 8 - count * part / 8).collect();
    let address = server.address().to_owned();
    let address = address.as_str();
    let open = |count: usize| -> Vec<Connection> {
        let one = |at: usize| {
            let mut connection = Connection::try_open(address).expect("a connection");
            let sent: &[u8] = match at % 3 {
                0 => b"",
                1 => b"POST /api/v1/hit HTTP/1.1\r\nHost: x\r\nX-Slow: ",
                _ => b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
            };
            // The server may have closed it meanwhile, to make room.
            let _ = connection.write(sent);
            connection
        };
        (0..count).map(one).collect()
    };
    let connections: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = parts.iter().map(|&part| scope.spawn(move || open(part))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("connections")).collect()
    });
    println!("{} connections", connections.len());
    let hit = hit(&client, 1);
    assert_eq!(server.connect().send(&hit).status, 200);
    assert_eq!(server.connect().get("/api/v1/healthcheck", "").status, 200);
    client.connection = server.connect();
    assert_eq!(client.statistics("total", DAY)["views"], 1);
    drop(connections);
    server.assert_alive();
}

/// When there is no place left, who has nothing to do leaves for those that come.
#[test]
fn idle_connections_make_room() {
    let server = Folder::new().start(&["--max-connections", "20"]);
    let idle: Vec<Connection> = (0..100).map(|_| server.connect()).collect();
    let mut late = server.connect();
    for _ in 0..3 {
        assert_eq!(
            late.get("/api/v1/healthcheck", "").status,
            200,
            "it waits only until one of the others leaves"
        );
    }
    drop(idle);
}

/// Answers that nobody reads hold no one up either.
#[test]
fn unread_answers_block_nobody() {
    let (mut server, mut client) = start();
    let target = format!("/api/v1/statistics/hours?id={}&{DAY}", client.site.id);
    let request = Request::get(&target, &client.token).to_bytes();
    let deaf: Vec<Connection> = (0..20)
        .map(|_| {
            let mut connection = server.connect();
            connection.write(&request.repeat(50)).expect("writing 50 requests");
            connection
        })
        .collect();
    let hit = hit(&client, 1);
    assert_eq!(client.connection.send(&hit).status, 200);
    drop(deaf);
    server.assert_alive();
}

#[test]
fn noise_never_ends_the_server() {
    let (mut server, mut client) = start();
    let mut random = Random::from_environment("noise_never_ends_the_server");
    let good = hit(&client, 1).to_bytes();
    let statistic =
        Request::get(&format!("/api/v1/statistics/page?id={}&{DAY}", client.site.id), &client.token)
            .to_bytes();
    for round in 0..400 {
        let bytes = match round % 4 {
            0 => random.bytes(round * 7 % 5_000),
            1 => random.mutate(&good),
            2 => random.mutate(&statistic),
            _ => [random.mutate(&good), random.bytes(100)].concat(),
        };
        let Ok(mut connection) = Connection::try_open(server.address()) else {
            panic!("round {round}: refused")
        };
        let _ = connection.write(&bytes);
        let _ = connection.finish_writing();
        let _ = connection.read_to_end();
    }
    server.assert_alive();
    let panics = server.folder().stderr();
    assert!(!panics.contains("panicked"), "the server panicked:\n{panics}");
    let views = client.statistics("total", DAY)["views"].as_u64().expect("a number");
    assert!(views <= 200, "400 rounds of noise counted {views} views");
}

/// What is no HTTP is answered with an error or not at all, and the connection ends.
#[test]
fn what_is_no_http_is_refused() {
    let (mut server, _client) = start();
    let post = "POST /api/v1/hit HTTP/1.1\r\nHost: x\r\n";
    for (what, bytes, wanted) in [
        ("a word", "hello\r\n\r\n".to_string(), &[400][..]),
        ("another protocol", "GET / HTTQ/1.1\r\n\r\n".to_string(), &[400]),
        ("an unknown version", "GET / HTTP/9.9\r\n\r\n".to_string(), &[400, 505]),
        ("two lengths", format!("{post}Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456"), &[400]),
        ("a negative length", format!("{post}Content-Length: -5\r\n\r\n"), &[400]),
        (
            "a length and chunks",
            format!("{post}Content-Length: 5\r\nTransfer-Encoding: x\r\n\r\n12345"),
            &[400],
        ),
        ("a header without a name", "GET / HTTP/1.1\r\n: x\r\n\r\n".to_string(), &[400]),
    ] {
        let mut connection = server.connect();
        connection.write(bytes.as_bytes()).expect("writing");
        if let Ok(response) = connection.read_response() {
            assert!(wanted.contains(&response.status), "{what}: {response:?}");
        }
        let rest = connection.read_to_end().unwrap_or_default();
        assert!(rest.is_empty(), "{what}: more than one answer: {:?}", String::from_utf8_lossy(&rest));
    }
    server.assert_alive();
}

#[test]
fn unknown_paths_and_methods() {
    let (server, client) = start();
    for (method, target, wanted) in [
        ("GET", "/nothing", &[404][..]),
        ("GET", "/api/v1/nothing", &[404]),
        ("GET", "/api/v2/hit", &[404]),
        ("GET", "/../../etc/passwd", &[404]),
        ("GET", "/api/v1/hit", &[404, 405]),
        ("BREW", "/api/v1/hit", &[404, 405]),
        ("PUT", "/api/v1/hit", &[404, 405]),
        ("DELETE", "/api/v1/statistics/visitor", &[404, 405]),
        ("GET", "/api/v1/token", &[404, 405]),
        ("PATCH", "/api/v1/domain", &[404, 405]),
        ("GET", "/api/v1/domain/timezone", &[404, 405]),
        ("POST", "/api/v1/domain/nothing", &[404]),
        ("GET", "/api/v1/healthcheck", &[200]),
        ("GET", "/livez", &[200]),
        ("GET", "/", &[200]),
    ] {
        let response = server.send(&Request::new(method, target, &client.token));
        assert!(wanted.contains(&response.status), "{method} {target}: {response:?}");
        if wanted[0] == 404 && target.starts_with("/api/v1/") {
            assert!(response.json()["error"].is_array(), "{method} {target}: {response:?}");
        }
    }
}

#[test]
fn many_clients_at_once_lose_nothing() {
    let (server, mut client) = start();
    let bodies =
        |thread: u32| (0..25).map(move |i| (format!("/{thread}/{i}"), format!("198.51.100.{thread}")));
    thread::scope(|scope| {
        for thread in 1..=8 {
            let (server, client) = (&server, &client);
            scope.spawn(move || {
                let mut connection = server.connect();
                for (path, ip) in bodies(thread) {
                    let body = client.hit_body(&path, &ip, json!({"time": "2026-06-10T12:00:00Z"}));
                    let response = connection.send(&Request::post("/api/v1/hit", &client.token).json(&body));
                    assert_eq!(response.status, 200, "{path}: {response:?}");
                }
            });
        }
    });
    let total = client.statistics("total", DAY);
    assert_eq!((&total["views"], &total["visitors"]), (&json!(200), &json!(8)), "{total}");
}

/// Connections that this process may have open, once its limit is raised.
fn open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { raised.current } else { limit.current };
    current.map_or(usize::MAX, |files| (files as usize).saturating_sub(500).max(100))
}

fn start() -> (Server, Client) {
    let folder = Folder::new();
    let site = folder.create_site("wire.test");
    let server = folder.start(&[]);
    let client = server.log_in(&site);
    (server, client)
}

fn hit(client: &Client, number: u32) -> Request {
    let more = json!({"time": "2026-06-10T12:00:00Z", "title": format!("Page {number}")});
    Request::post("/api/v1/hit", &client.token).json(&client.hit_body("/", "198.51.100.1", more))
}

/// Nobody waits for the answer any more: the statistic is given up.
#[test]
fn a_client_that_goes_away_stops_its_statistic() {
    let (server, mut client) = start();
    for batch in 0..8 {
        let item = |i: u32| {
            let path = format!("/pages/{batch}/{i}/with/a/long/tail/of/segments");
            client.hit_body(
                &path,
                &format!("198.51.{batch}.{}", i % 250),
                json!({"time": "2026-06-10T12:00:00Z"}),
            )
        };
        let items: Vec<Value> = (0..5_000).map(item).collect();
        client.post_ok("/api/v1/hit/batch", &Value::Array(items));
    }
    // Fifty goals are a hundred questions in one request.
    for goal in 0..50 {
        let body = json!({"domain_id": client.site.id, "name": format!("goal {goal}"), "path_pattern": "/**/tail/**"});
        client.post_ok("/api/v1/goal", &body);
    }
    let given_up = || -> u64 {
        let text = String::from_utf8(server.send(&Request::get("/metrics", "")).body).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("hitstone_queries_cancelled_total "));
        line.and_then(|number| number.parse().ok()).expect("a number")
    };
    assert_eq!(given_up(), 0);
    let target = format!("/api/v1/statistics/goals?id={}&{DAY}&pattern=a.*l.*t", client.site.id);
    // A fast machine may be done before the client has gone: it then tries again.
    for _ in 0..20 {
        let mut connection = server.connect();
        connection.write(&Request::get(&target, &client.token).to_bytes()).expect("writing the request");
        thread::sleep(Duration::from_millis(20));
        drop(connection);
        for _ in 0..100 {
            if given_up() > 0 {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    panic!("no statistic was given up");
}
