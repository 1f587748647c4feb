//! Threads for work that requests wait for last.

use std::io;
use std::thread::{Builder, JoinHandle};

/// How much a thread stands back for those that answer requests, on a scale that ends with 19. It still gets a quarter of a
/// processor that others use up: events wait when a segment is full before the one ahead of it is sealed.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 6;

/// Starts a thread that others go before: to seal and to compact may take longer, so that answers do not.
///
/// # Errors
/// The system has no more threads.
pub(super) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.into()).spawn(move || {
        // Elsewhere it is a process that has a priority, not a thread. Without one it works as well.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, NICENESS);
        work()
    })
}
