//! Threads that serve connections. Each has its own: a request is read, waits and is answered on one thread, and no thread
//! wakes another for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// From so many bytes on a body is worked on beside its connection's thread: others wait there meanwhile, a millisecond and
/// more for a body of this size and what it says.
const LARGE_BODY_BYTES: usize = 64 << 10;

/// Does what a body asks for; of a large one on another thread.
pub async fn work_on<T: Send + 'static>(body: Bytes, work: impl FnOnce(&[u8]) -> T + Send + 'static) -> T {
    if body.len() < LARGE_BODY_BYTES {
        return work(&body);
    }
    match tokio::task::spawn_blocking(move || work(&body)).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            // Ends this request as if it had been here.
            Ok(panic) => std::panic::resume_unwind(panic),
            // The server stops, and nobody waits any more.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The threads; they end when this is dropped.
pub struct Lanes {
    lanes: Vec<Lane>,
}

struct Lane {
    handle: Handle,
    connections: Arc<AtomicUsize>,
    /// Dropping it ends the thread.
    _end: oneshot::Sender<()>,
}

impl Lanes {
    /// So many threads, one at least.
    ///
    /// # Errors
    /// The system gives no more threads or descriptors.
    pub fn start(count: usize) -> io::Result<Self> {
        let lanes = (0..count.max(1)).map(|_| Lane::start()).collect::<io::Result<_>>()?;
        Ok(Self { lanes })
    }

    /// Has a connection served by the thread that has the fewest.
    pub fn serve(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let fewest = self.lanes.iter().min_by_key(|lane| lane.connections.load(Ordering::Relaxed));
        let Some(lane) = fewest else { return };
        lane.connections.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(Arc::clone(&lane.connections));
        lane.handle.spawn(async move {
            connection.await;
            drop(counted);
        });
    }
}

impl Lane {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("connections".into()).spawn(move || {
            // An error means that its sender is gone, which is what is waited for.
            let _: Result<(), _> = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, connections: Arc::default(), _end: end })
    }
}

/// A connection that is counted until this is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_bodies_are_worked_on_elsewhere() {
        let here = std::thread::current().id();
        for (bytes, is_here) in [(0, true), (LARGE_BODY_BYTES - 1, true), (LARGE_BODY_BYTES, false)] {
            let work = |body: &[u8]| (body.len(), std::thread::current().id());
            let (len, thread) = work_on(vec![0; bytes].into(), work).await;
            assert_eq!((len, thread == here), (bytes, is_here));
        }
    }

    #[tokio::test]
    #[should_panic = "as it would be here"]
    async fn a_panic_elsewhere_is_one_here() {
        work_on(vec![0; LARGE_BODY_BYTES].into(), |_| panic!("as it would be here")).await;
    }

    #[tokio::test]
    async fn each_gets_the_thread_with_the_fewest() {
        let lanes = Lanes::start(2).unwrap();
        let mut ends = Vec::new();
        let mut threads = Vec::new();
        for _ in 0..4 {
            let (end, ended) = oneshot::channel::<()>();
            let (tell, told) = oneshot::channel();
            lanes.serve(async move {
                let _ = tell.send(std::thread::current().id());
                let _ = ended.await;
            });
            threads.push(told.await.unwrap());
            ends.push(end);
        }
        assert_eq!((threads[0], threads[1]), (threads[2], threads[3]));
        assert_ne!(threads[0], threads[1]);
        drop(ends);
        while lanes.lanes.iter().any(|lane| lane.connections.load(Ordering::Relaxed) > 0) {
            tokio::task::yield_now().await;
        }
    }
}
