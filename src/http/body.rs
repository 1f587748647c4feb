//! Reading a request's body: bounded in size and time, and all bodies together in memory.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{EXPECT, HeaderMap};
use hyper::{Request, StatusCode};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// Bytes that a body may have where nothing else is said.
pub const BYTES_MAX: usize = 1 << 20;
/// A body must be here whole within this time.
const TIME_MAX: Duration = Duration::from_secs(20);
/// What is read of a body that is too large, so that the client gets to see the answer.
const DRAINED_BYTES_MAX: usize = 16 << 20;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Bytes of all bodies that are being read or worked on.
static HELD: AtomicUsize = AtomicUsize::new(0);
/// So many at most: thousands of clients that send a large body each, slowly, do not fill the memory.
const HELD_MAX: usize = 256 << 20;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It has more bytes than it may have.
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge {
        /// How many it may have.
        bytes_max: usize,
    },
    /// Not whole within 20 seconds.
    #[error("the body did not arrive within 20 seconds")]
    TooSlow,
    /// Too many bodies at once.
    #[error("too much is being sent at once; try again")]
    Busy,
    /// The connection broke or the framing is wrong.
    #[error("the body is not complete")]
    Broken,
}

impl BodyError {
    /// The status to answer with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// The whole body, of at most [`BYTES_MAX`].
///
/// # Errors
/// It is too large, too slow or broken; the connection is of no further use then.
pub async fn read(request: Request<Incoming>) -> Result<Bytes, BodyError> {
    let (head, body) = request.into_parts();
    read_parts(&head.headers, body, BYTES_MAX).await
}

/// The whole body of a request with these headers, of at most so many bytes.
///
/// # Errors
/// As [`read`].
pub async fn read_parts(
    headers: &HeaderMap,
    mut body: Incoming,
    bytes_max: usize,
) -> Result<Bytes, BodyError> {
    let waits_for_go_ahead = headers.contains_key(EXPECT);
    if body.size_hint().lower() > bytes_max as u64 {
        if !waits_for_go_ahead {
            drain(body).await;
        }
        return Err(BodyError::TooLarge { bytes_max });
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match in_time(collect(&mut body, bytes_max)).await {
        Ok(Err(error @ BodyError::TooLarge { .. })) => {
            drain(body).await;
            Err(error)
        }
        Ok(result) => result,
        Err(_) => Err(BodyError::TooSlow),
    }
}

/// What comes in [`TIME_MAX`]. Nearly every body comes with its head and is there the second time it is asked for; only
/// those that are not get a timer.
async fn in_time<T>(read: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut read = std::pin::pin!(read);
    let mut asked = false;
    let early = poll_fn(|context| match read.as_mut().poll(context) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending if asked => Poll::Ready(None),
        Poll::Pending => {
            asked = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match early.await {
        Some(read) => Ok(read),
        None => timeout(TIME_MAX, read).await,
    }
}

async fn collect(body: &mut Incoming, bytes_max: usize) -> Result<Bytes, BodyError> {
    let mut held = Held(0);
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > bytes_max {
            return Err(BodyError::TooLarge { bytes_max });
        }
        held.add(data.len())?;
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(Bytes::from_owner(Whole { bytes: first, _held: held }));
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(Bytes::from_owner(Whole { bytes: whole.freeze(), _held: held }))
}

/// So many bytes of [`HELD`], until it is dropped.
struct Held(usize);

impl Held {
    fn add(&mut self, count: usize) -> Result<(), BodyError> {
        let more = |held: usize| held.checked_add(count).filter(|&held| held <= HELD_MAX);
        HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).map_err(|_| BodyError::Busy)?;
        self.0 += count;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// A body that counts as held as long as somebody has it.
struct Whole {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

async fn drain(mut body: Incoming) {
    let _ = timeout(DRAIN_TIME_MAX, async {
        let mut count = 0;
        while let Some(Ok(frame)) = body.frame().await {
            count += frame.data_ref().map_or(0, Bytes::len);
            if count > DRAINED_BYTES_MAX {
                break;
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one test that counts: others would count along.
    #[test]
    fn bodies_together_are_bounded() {
        let mut held: Vec<Held> = (0..HELD_MAX / BYTES_MAX).map(|_| Held(0)).collect();
        assert!(held.iter_mut().all(|held| held.add(BYTES_MAX).is_ok()));
        assert_eq!(Held(0).add(1), Err(BodyError::Busy));
        held.pop();
        let mut last = Held(0);
        assert_eq!((last.add(1), last.add(BYTES_MAX)), (Ok(()), Err(BodyError::Busy)));
        drop((held, last));
        assert_eq!(HELD.load(Ordering::Relaxed), 0);
    }
}
