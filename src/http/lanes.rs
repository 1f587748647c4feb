//! Threads that serve connections. Each has its own: a request is read, waits and is answered on one thread, and no thread
//! wakes another for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

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
