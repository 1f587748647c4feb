//! Opening what a query needs of the lake on several threads: after a start nothing is open, and all of it is checked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, available_parallelism, scope};

use super::{LakeDictionary, LiveFile, OpenFile};
use crate::error::StorageError;

/// Opens files, each with what came of it, in their order. Those that are closed, and the dictionary if it is, are opened on
/// several threads and made ready for queries. What keeps the dictionary from being opened is told by those who open it next.
pub fn open_together(
    dictionary: &LakeDictionary,
    files: &[&LiveFile],
) -> Vec<Result<Arc<OpenFile>, StorageError>> {
    let opened: Vec<OnceLock<_>> = files.iter().map(|_| OnceLock::new()).collect();
    let closed_files = files.iter().zip(&opened).filter(|(live, _)| live.file.is_closed()).map(Some);
    // `None` stands for the dictionary.
    let closed: Vec<_> = dictionary.is_closed().then_some(None).into_iter().chain(closed_files).collect();
    if closed.len() >= 2 {
        let next = AtomicUsize::new(0);
        let open_next = || {
            while let Some(closed) = closed.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some((live, opened)) = closed else {
                    drop(dictionary.open());
                    continue;
                };
                let open = live.file.open();
                open.iter().for_each(|open| open.index.prepare());
                opened.get_or_init(|| open);
            }
        };
        let threads = available_parallelism().map_or(1, |count| count.get()).min(closed.len());
        scope(|scope| {
            for _ in 1..threads {
                // Without another thread this one opens them all.
                let _ = Builder::new().name("opener".into()).spawn_scoped(scope, open_next);
            }
            open_next();
        });
    }
    let opened = opened.into_iter().map(OnceLock::into_inner);
    opened.zip(files).map(|(open, live)| open.unwrap_or_else(|| live.file.open())).collect()
}
