//! One connection: HTTP/1.1 with keep-alive and pipelining, and what ends it: the client, an idle minute, a head that
//! comes too slowly, others that wait for its place, the server's end.
//!
//! All of its deadlines are looked after by one tick: a timer for each request would cost more than its answer.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::http::crowd::Crowd;
use crate::http::respond::{self, Answer};

/// A connection without a request for this long is closed, at the next tick.
const IDLE_MAX: Duration = Duration::from_secs(75);
/// From its first byte on a request's head must be here within this time.
const HEAD_MAX: Duration = Duration::from_secs(15);
/// How often slow heads and idle connections are looked for.
const TICK: Duration = Duration::from_secs(2);
/// Bytes that a head may have.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Headers that a head may have.
const HEADERS_MAX: usize = 100;

const SLOW_HEAD: &str = "{\"validation\":{},\"error\":[\"the head of the request did not arrive in time\"]}";

/// A connection that waits for its client as long as this may have to make room for another one.
const PATIENCE: Duration = Duration::from_secs(1);

type HandlerFuture = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No request is being read or answered.
    Idle,
    /// The head of a request is coming in.
    Head,
    /// A request is being answered: what comes in meanwhile is its body.
    Answering,
}

/// What the connection is at, and since when: milliseconds since it began, four to the phase's number.
struct Progress {
    began: Instant,
    state: AtomicU64,
}

/// The socket, which notes when bytes of a new head come in.
struct Watched {
    inner: TcpStream,
    progress: Arc<Progress>,
}

/// Serves one connection until it ends. `stop` turning true lets the request in flight finish and then closes. When
/// others wait for its place in the crowd, it makes room unless it has something to do.
pub async fn serve<H, F>(stream: TcpStream, mut stop: watch::Receiver<bool>, crowd: &Crowd, handler: H)
where
    H: Fn(Request<Incoming>) -> F + Unpin,
    F: Future<Output = Answer> + Send + 'static,
{
    let progress = Arc::new(Progress::new());
    let io = TokioIo::new(Watched { inner: stream, progress: Arc::clone(&progress) });
    let service = {
        let progress = Arc::clone(&progress);
        hyper::service::service_fn(move |request| -> HandlerFuture {
            progress.answer();
            let progress = Arc::clone(&progress);
            // What is read at once may be more than a head may have.
            if head_bytes(&request) > HEAD_BYTES_MAX {
                return Box::pin(async move {
                    progress.enter(Phase::Idle);
                    Ok(large_head())
                });
            }
            let answer = handler(request);
            Box::pin(async move {
                let answer = guard_panics(answer).await;
                progress.enter(Phase::Idle);
                Ok(answer)
            })
        })
    };
    let mut connection = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        // Not `pipeline_flush`: with it hyper holds an answer back while a part of the next request is there, and
        // never sends the answer to a head that it cannot read.
        .serve_connection(io, service);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            // An error means that the client went away or broke the protocol; hyper has answered what it can.
            _ = &mut connection => return,
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            _ = ticks.tick() => {
                let (phase, since) = progress.phase();
                match phase {
                    Phase::Answering => {}
                    Phase::Head if since > HEAD_MAX => break,
                    Phase::Idle if since > IDLE_MAX => return,
                    Phase::Idle | Phase::Head => if since > PATIENCE && crowd.takes_place() { return },
                }
            }
        }
    }
    let mut stream = connection.into_parts().io.into_inner().inner;
    let _ = timeout(TICK, stream.write_all(slow_head().as_bytes())).await;
    let _ = timeout(TICK, stream.shutdown()).await;
}

impl Progress {
    fn new() -> Self {
        Self { began: Instant::now(), state: AtomicU64::new(0) }
    }

    /// What it is at from now on.
    fn enter(&self, phase: Phase) {
        let now = self.began.elapsed().as_millis() as u64;
        self.state.store(now << 2 | phase as u64, Ordering::Relaxed);
    }

    /// It answers from now on; for how long, nobody asks.
    fn answer(&self) {
        self.state.store(Phase::Answering as u64, Ordering::Relaxed);
    }

    /// So much of an answer could be written. A client that takes it slowly is not idle.
    fn note_written(&self, written: usize, wanted: usize) {
        if written < wanted && self.is_idle() {
            self.enter(Phase::Idle);
        }
    }

    fn is_idle(&self) -> bool {
        self.state.load(Ordering::Relaxed) & 3 == Phase::Idle as u64
    }

    /// What it is at, and for how long.
    fn phase(&self) -> (Phase, Duration) {
        let state = self.state.load(Ordering::Relaxed);
        let phase = match state & 3 {
            0 => Phase::Idle,
            1 => Phase::Head,
            _ => Phase::Answering,
        };
        (phase, self.began.elapsed().saturating_sub(Duration::from_millis(state >> 2)))
    }
}

/// Bytes of a request's head, as it is mostly written.
fn head_bytes(request: &Request<Incoming>) -> usize {
    let uri = request.uri();
    let target = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    let line = request.method().as_str().len() + target + " HTTP/1.1\r\n".len() + 1;
    let header =
        |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + ": \r\n".len();
    line + request.headers().iter().map(header).sum::<usize>() + "\r\n".len()
}

fn large_head() -> Answer {
    let body = format!(
        "{{\"validation\":{{}},\"error\":[\"the head of the request is larger than {HEAD_BYTES_MAX} bytes\"]}}"
    );
    respond::close(respond::json(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, body))
}

fn slow_head() -> String {
    let length = SLOW_HEAD.len();
    format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{SLOW_HEAD}"
    )
}

/// Returns once `stop` is true, or nobody can make it true any more.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Runs a handler; one that panics answers 500 and ends nothing else.
async fn guard_panics(answer: impl Future<Output = Answer>) -> Answer {
    let mut answer = std::pin::pin!(answer);
    poll_fn(move |context| {
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| answer.as_mut().poll(context)));
        polled.unwrap_or_else(|_| {
            let body =
                "{\"validation\":{},\"error\":[\"the server failed on this request; its log tells where\"]}";
            Poll::Ready(respond::close(respond::json(StatusCode::INTERNAL_SERVER_ERROR, body)))
        })
    })
    .await
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if buffer.filled().len() > before && self.progress.is_idle() {
            self.progress.enter(Phase::Head);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(context, bytes))?;
        self.progress.note_written(written, bytes.len());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(context, slices))?;
        self.progress.note_written(written, slices.iter().map(|slice| slice.len()).sum());
        Poll::Ready(Ok(written))
    }
}
