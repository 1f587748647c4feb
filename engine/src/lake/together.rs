//! Opening what a query needs of the lake on several threads: after a start nothing is open, and all of it is checked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

use super::{LakeDictionary, LiveFile};

/// Opens files and their dictionary, as far as they are not open, and makes them ready for queries. What keeps one from being
/// opened is told by those who open it next.
pub fn open_together(dictionary: &LakeDictionary, files: &[&LiveFile]) {
    let open_dictionary = || drop(dictionary.open());
    let open_file = |live: &LiveFile| {
        if let Ok(open) = live.file.open() {
            open.index.prepare();
        }
    };
    let closed: Vec<&LiveFile> = files.iter().copied().filter(|live| live.file.is_closed()).collect();
    let work: Vec<Option<&LiveFile>> =
        dictionary.is_closed().then_some(None).into_iter().chain(closed.into_iter().map(Some)).collect();
    if work.len() < 2 {
        return;
    }
    let next = AtomicUsize::new(0);
    let open_next = || {
        while let Some(open) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            open.map_or_else(open_dictionary, open_file);
        }
    };
    let threads = available_parallelism().map_or(1, |count| count.get()).min(work.len());
    scope(|scope| {
        for _ in 1..threads {
            // Without another thread this one opens them all.
            let _ = Builder::new().name("opener".into()).spawn_scoped(scope, open_next);
        }
        open_next();
    });
}
