//! Tells the operator, once each, of files that were found damaged and are not served.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use hitstone_engine::store::Snapshot;

/// The damage that was told.
#[derive(Debug, Default)]
pub struct Told(Mutex<BTreeSet<String>>);

impl Told {
    /// Tells the damage that is known by now and was not told yet. Files of the lake are looked at when they are asked
    /// for, so there may be more later.
    pub fn tell(&self, snapshot: &Snapshot) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for damage in snapshot.damage().map(|damage| damage.to_string()) {
            if !told.contains(&damage) {
                eprintln!("hitstone: {damage}. Statistics go on without it");
                told.insert(damage);
            }
        }
    }
}
