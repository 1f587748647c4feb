//! Tells the operator, in a line on standard error and once for each file, of files that were found damaged and are not
//! served, and of what kept a statistic from being read.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use hitstone_engine::error::StorageError;

/// What was told: the files that are damaged, and whole messages.
#[derive(Debug, Default)]
pub struct Told(Mutex<BTreeSet<String>>);

impl Told {
    /// Tells of damaged files that were not told of yet. Files of the lake are looked at when they are asked for, so there
    /// may be more later.
    pub fn tell(&self, damage: impl Iterator<Item = StorageError>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for damage in damage {
            let text = damage.to_string();
            // A file has one line, however many places of it are damaged.
            let file = file_of(&damage).unwrap_or_else(|| text.clone());
            if told.insert(file) {
                eprintln!("hitstone: {text}. Statistics go on without it");
            }
            told.insert(text);
        }
    }

    /// Tells why a statistic could not be answered, unless it is damage that was told.
    pub fn tell_failure(&self, why: &str) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(why.to_owned()) {
            eprintln!("hitstone: a statistic could not be answered: {why}");
        }
    }
}

fn file_of(damage: &StorageError) -> Option<String> {
    match damage {
        StorageError::Corrupt { path, .. } | StorageError::Version { path, .. } => {
            Some(path.display().to_string())
        }
        _ => None,
    }
}
