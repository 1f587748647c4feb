//! How many queries run at once, so that one that runs alone may have all processors.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads of one query at most: more would only wait for memory.
const THREADS_MAX: usize = 8;

/// The queries that run.
#[derive(Debug)]
pub struct Turns {
    running: AtomicUsize,
    processors: usize,
}

/// A query that runs, until it is dropped.
pub struct Turn<'t> {
    turns: &'t Turns,
    /// Threads that it may use.
    pub threads: usize,
}

impl Default for Turns {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { running: AtomicUsize::new(0), processors }
    }
}

impl Turns {
    /// Begins a query. What runs already keeps its threads.
    pub fn begin(&self) -> Turn<'_> {
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        Turn { turns: self, threads: (self.processors / running).clamp(1, THREADS_MAX) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_shared_among_what_runs() {
        let turns = Turns { running: AtomicUsize::new(0), processors: 4 };
        let first = turns.begin();
        let second = turns.begin();
        assert_eq!((first.threads, second.threads), (4, 2));
        drop((first, second));
        assert_eq!(turns.begin().threads, 4);
        let many: Vec<_> = (0..9).map(|_| turns.begin()).collect();
        assert_eq!(many.last().map(|turn| turn.threads), Some(1));
    }
}
