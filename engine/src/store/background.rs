//! Threads for work that nobody waits for.

use std::io;
use std::thread::{Builder, JoinHandle};

/// How much a thread stands back for those that answer requests, on a scale that ends with 19.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Starts a thread that gets what processor time the others leave: to seal and to compact may take longer, to answer may not.
///
/// # Errors
/// The system has no more threads.
pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(move || {
        // Elsewhere it is a process that has a priority, not a thread. Without one it works as well.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, NICENESS);
        work();
    })
}
