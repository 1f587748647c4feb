//! Something of the lake that is opened when it is first needed, and what was found then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::StorageError;

/// What is open, or the damage that keeps it from being opened.
type Known<T> = Result<Arc<T>, StorageError>;

/// Nothing yet, what is open, or the damage that was found. Damage stays known, and is counted once.
pub struct Opened<T> {
    known: Mutex<Option<Known<T>>>,
    damage_count: Arc<AtomicU64>,
}

impl<T> Opened<T> {
    /// Nothing yet.
    pub fn new(damage_count: &Arc<AtomicU64>) -> Self {
        Self { known: Mutex::new(None), damage_count: damage_count.clone() }
    }

    /// What is open, or is opened now; and whether it was now.
    ///
    /// # Errors
    /// It is damaged, which stays known; a failed operation is tried again the next time.
    pub fn get_or_open(
        &self,
        open: impl FnOnce() -> Result<T, StorageError>,
    ) -> Result<(Arc<T>, bool), StorageError> {
        let mut known = self.lock();
        if let Some(known) = &*known {
            return known.clone().map(|it| (it, false));
        }
        match open() {
            Ok(it) => {
                let it = Arc::new(it);
                *known = Some(Ok(it.clone()));
                Ok((it, true))
            }
            Err(error) => {
                if matches!(error, StorageError::Corrupt { .. } | StorageError::Version { .. }) {
                    self.set(&mut known, error.clone());
                }
                Err(error)
            }
        }
    }

    /// Notes damage, whatever was known.
    pub fn set_aside(&self, damage: StorageError) {
        self.set(&mut self.lock(), damage);
    }

    /// Notes damage, unless it is open or other damage is known.
    pub fn set_aside_unopened(&self, damage: impl FnOnce() -> StorageError) {
        let mut known = self.lock();
        if known.is_none() {
            self.set(&mut known, damage());
        }
    }

    /// The damage that was found so far.
    pub fn damage(&self) -> Option<StorageError> {
        self.lock().as_ref().and_then(|known| known.as_ref().err().cloned())
    }

    /// Whether it is open now.
    pub fn is_open(&self) -> bool {
        matches!(*self.lock(), Some(Ok(_)))
    }

    /// Lets go of what is open. Damage stays known.
    pub fn close(&self) {
        self.lock().take_if(|known| known.is_ok());
    }

    fn set(&self, known: &mut Option<Known<T>>, damage: StorageError) {
        if !matches!(known.replace(Err(damage)), Some(Err(_))) {
            self.damage_count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known<T>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
