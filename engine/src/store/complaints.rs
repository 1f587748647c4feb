//! Tells the operator why work in the background fails: each reason once, until the work succeeds again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{CompactionError, ParquetError, StorageError};

/// Tells the operator, in words.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// What was told and still holds.
pub(super) struct Complaints {
    tell: Tell,
    /// Reasons by what they keep from being done.
    told: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Complaints {
    pub(super) fn new(tell: Tell) -> Arc<Self> {
        Arc::new(Self { tell, told: Mutex::default() })
    }

    /// Takes what came of some work, which `what` names in words.
    pub(super) fn note<T>(&self, what: &str, result: Result<T, &CompactionError>) {
        match result {
            Ok(_) => drop(self.lock().remove(what)),
            Err(error) if is_passing(error) => {}
            Err(error) => {
                let reason = error.to_string();
                if self.lock().entry(what.to_owned()).or_default().insert(without_numbers(&reason)) {
                    (self.tell)(&format!("cannot {what}: {reason}; it is tried again"));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<String>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it says no more than that now is not the time.
fn is_passing(error: &CompactionError) -> bool {
    matches!(
        error,
        CompactionError::Storage(StorageError::Closed | StorageError::Busy)
            | CompactionError::Parquet(ParquetError::Stopped(_))
    )
}

/// Each attempt writes files of another number.
fn without_numbers(reason: &str) -> String {
    reason.chars().filter(|char| !char.is_ascii_hexdigit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(path: &str, why: &str) -> CompactionError {
        let error = std::io::Error::other(why.to_owned());
        StorageError::io("write", std::path::Path::new(path), &error).into()
    }

    #[test]
    fn each_reason_is_told_once_until_it_succeeds() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let complaints = Complaints::new(Arc::new(move |what| sink.lock().unwrap().push(what.to_owned())));
        let take = || std::mem::take(&mut *told.lock().unwrap());
        complaints.note::<()>("write it", Err(&failed("index-0000000000000009", "full")));
        let words = take();
        assert!(words.len() == 1 && words[0].starts_with("cannot write it: "), "{words:?}");
        complaints.note::<()>("write it", Err(&failed("index-000000000000000a", "full")));
        complaints.note::<()>("write it", Err(&StorageError::Closed.into()));
        complaints.note::<()>("write it", Err(&ParquetError::Stopped("now").into()));
        assert_eq!(take(), [""; 0]);
        complaints.note::<()>("write it", Err(&failed("index-000000000000000b", "gone")));
        complaints.note::<()>("do more", Err(&failed("index-000000000000000b", "full")));
        assert_eq!(take().len(), 2);
        complaints.note("write it", Ok(()));
        complaints.note::<()>("do more", Err(&failed("index-000000000000000c", "full")));
        assert_eq!(take().len(), 0);
        complaints.note::<()>("write it", Err(&failed("index-000000000000000d", "full")));
        assert_eq!(take().len(), 1);
    }
}
