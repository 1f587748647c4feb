//! One connection: HTTP/1.1 with keep-alive and pipelining, and what ends it: the client, an idle minute, a head that
//! comes too slowly, the server's end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::http::respond::{self, Answer};

/// A connection without a request for this long is closed.
const IDLE_MAX: Duration = Duration::from_secs(75);
/// From its first byte on a request's head must be here within this time.
const HEAD_MAX: Duration = Duration::from_secs(15);
/// How often a slow head is looked for.
const TICK: Duration = Duration::from_secs(2);
/// Bytes that a head may have.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Headers that a head may have.
const HEADERS_MAX: usize = 100;

const SLOW_HEAD: &str = "{\"validation\":{},\"error\":[\"the head of the request did not arrive in time\"]}";

/// No request is being read or answered.
const IDLE: u64 = 0;
/// A request is being answered: what comes in meanwhile is its body.
const ANSWERING: u64 = u64::MAX;

type HandlerFuture = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

/// When the head that is being read began, in milliseconds since the connection began; or [`IDLE`], [`ANSWERING`].
#[derive(Default)]
struct HeadClock(AtomicU64);

/// The socket, which notes when bytes of a new head come in.
struct Watched {
    inner: TcpStream,
    began: Instant,
    head: Arc<HeadClock>,
}

/// Serves one connection until it ends. `stop` turning true lets the request in flight finish and then closes.
pub async fn serve<H, F>(stream: TcpStream, mut stop: watch::Receiver<bool>, handler: H)
where
    H: Fn(Request<Incoming>) -> F + Unpin,
    F: Future<Output = Answer> + Send + 'static,
{
    let began = Instant::now();
    let head = Arc::new(HeadClock::default());
    let io = TokioIo::new(Watched { inner: stream, began, head: Arc::clone(&head) });
    let service = {
        let head = Arc::clone(&head);
        hyper::service::service_fn(move |request| -> HandlerFuture {
            head.0.store(ANSWERING, Ordering::Relaxed);
            let (answer, head) = (handler(request), Arc::clone(&head));
            Box::pin(async move {
                let answer = guard_panics(answer).await;
                head.0.store(IDLE, Ordering::Relaxed);
                Ok(answer)
            })
        })
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_MAX)
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
            // An error means that the client went away or broke the protocol; hyper has answered what it can.
            _ = &mut connection => return,
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            _ = ticks.tick() => if head.is_overdue(began) { break },
        }
    }
    let mut stream = connection.into_parts().io.into_inner().inner;
    let _ = timeout(TICK, stream.write_all(slow_head().as_bytes())).await;
    let _ = timeout(TICK, stream.shutdown()).await;
}

impl HeadClock {
    fn is_overdue(&self, began: Instant) -> bool {
        let since = self.0.load(Ordering::Relaxed);
        since != IDLE
            && since != ANSWERING
            && began.elapsed().saturating_sub(Duration::from_millis(since)) > HEAD_MAX
    }
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
        if buffer.filled().len() > before && self.head.0.load(Ordering::Relaxed) == IDLE {
            let since = self.began.elapsed().as_millis() as u64;
            self.head.0.store(since.max(1), Ordering::Relaxed);
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
        Pin::new(&mut self.inner).poll_write(context, bytes)
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
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }
}
