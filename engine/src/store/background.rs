//! Threads for work that requests wait for last.

use std::convert::Infallible;
use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};

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

/// Lets a thread rest as long as it has worked, until somebody waits for what it does.
pub(super) struct Leisure {
    hurried: Receiver<Infallible>,
    worked_since: Instant,
}

/// While it is there nobody waits.
pub(super) struct Patience {
    _patient: Sender<Infallible>,
}

/// It rests after no less work than this.
const WORK_MIN: Duration = Duration::from_millis(1);
/// It rests no longer than this: what takes longer waited itself, for the disk or a processor.
const REST_MAX: Duration = Duration::from_millis(250);

impl Leisure {
    /// For work that begins now.
    pub(super) fn new() -> (Self, Patience) {
        let (sender, hurried) = bounded(0);
        (Self { hurried, worked_since: Instant::now() }, Patience { _patient: sender })
    }

    /// Rests, if it is time to.
    pub(super) fn rest(&mut self) {
        let worked = self.worked_since.elapsed();
        if worked >= WORK_MIN {
            // Either the time is over or the patience is.
            let _ = self.hurried.recv_timeout(worked.min(REST_MAX));
            self.worked_since = Instant::now();
        }
    }
}
