//! Posts requests over many connections from one thread, with one read and one write for each: as fast as they are
//! answered, or at a fixed rate whatever the answers do.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::traffic::Traffic;

/// How long answers may take after the last request.
const PATIENCE: Duration = Duration::from_secs(30);
/// A pause when there is nothing to do at a fixed rate: the timeouts of polls are whole milliseconds.
const PAUSE: Duration = Duration::from_micros(50);

/// What is to be posted.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub time: Duration,
    /// So many requests at most.
    pub requests: u64,
    /// Requests a second; `None`: each connection sends its next one after the answer.
    pub rate: Option<f64>,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests that were answered with success.
    pub answered: u64,
    pub seconds: f64,
    /// Microseconds from when a request was due to its answer, sorted.
    pub latencies: Vec<u32>,
}

impl Outcome {
    /// Milliseconds that this share of answers took at most.
    pub fn percentile(&self, share: f64) -> f64 {
        let at = (self.latencies.len() as f64 * share) as usize;
        f64::from(self.latencies.get(at.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or(0))
            / 1e3
    }
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    written: usize,
    due: Instant,
    answer: Vec<u8>,
}

/// Open connections to one server.
pub struct Driver {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    idle: Vec<usize>,
}

impl Driver {
    pub fn connect(address: SocketAddr, count: usize) -> Self {
        let poll = Poll::new().expect("a poll");
        let connections = (0..count).map(|at| {
            let stream = std::net::TcpStream::connect(address).expect("connecting");
            stream.set_nodelay(true).expect("setting TCP_NODELAY");
            stream.set_nonblocking(true).expect("a socket that does not block");
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(at), interest).expect("registering");
            let (request, answer) = (Vec::new(), Vec::new());
            Connection { stream, request, written: 0, due: Instant::now(), answer }
        });
        let connections = connections.collect();
        Self { poll, events: Events::with_capacity(1024), connections, idle: (0..count).collect() }
    }

    /// Posts, and waits for all answers.
    pub fn post(&mut self, load: Load, traffic: &mut Traffic) -> Outcome {
        let start = Instant::now();
        let (mut sent, mut outcome) = (0, Outcome::default());
        let mut last = start;
        loop {
            let now = Instant::now();
            while let Some(due) = next_due(load, start, now, sent)
                && let Some(at) = self.idle.pop()
            {
                sent += 1;
                self.connections[at].send(due, traffic);
            }
            let is_over = next_due(load, start, now, sent).is_none() && load.rate.is_none()
                || now - start >= load.time
                || sent >= load.requests;
            if is_over && self.idle.len() == self.connections.len() {
                break;
            }
            assert!(now - last < PATIENCE, "no answer for {PATIENCE:?}");
            let wait = if load.rate.is_some() { Duration::ZERO } else { PATIENCE };
            self.poll.poll(&mut self.events, Some(wait)).expect("polling");
            if load.rate.is_some() && self.events.is_empty() {
                std::thread::sleep(PAUSE);
            }
            for event in &self.events {
                let at = event.token().0;
                let connection = &mut self.connections[at];
                if event.is_writable() {
                    connection.write();
                }
                if event.is_readable() && connection.read() {
                    last = Instant::now();
                    outcome.latencies.push((last - connection.due).as_micros() as u32);
                    outcome.answered += 1;
                    self.idle.push(at);
                }
            }
        }
        outcome.seconds = (last - start).as_secs_f64();
        outcome.latencies.sort_unstable();
        outcome
    }
}

/// When the next request is due, if it is by now.
fn next_due(load: Load, start: Instant, now: Instant, sent: u64) -> Option<Instant> {
    if sent >= load.requests {
        return None;
    }
    let due = load.rate.map_or(now, |rate| start + Duration::from_secs_f64(sent as f64 / rate));
    (due <= now && due - start < load.time).then_some(due)
}

impl Connection {
    fn send(&mut self, due: Instant, traffic: &mut Traffic) {
        traffic.write(&mut self.request);
        (self.written, self.due) = (0, due);
        self.write();
    }

    fn write(&mut self) {
        while self.written < self.request.len() {
            match self.stream.write(&self.request[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("writing: {error}"),
            }
        }
    }

    /// Whether the answer is whole. All answers are heads only, so one read gets all there is.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the server closed a connection"),
            Ok(count) => self.answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("reading: {error}"),
        }
        if !self.answer.ends_with(b"\r\n\r\n") {
            return false;
        }
        let is_success = self.answer.starts_with(b"HTTP/1.1 20");
        assert!(is_success, "{}", String::from_utf8_lossy(&self.answer));
        self.answer.clear();
        true
    }
}
