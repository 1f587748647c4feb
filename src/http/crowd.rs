//! How many connections there may be at once, and who makes room when there are more.
//!
//! Whoever comes when all places are taken waits; connections that wait for their clients look now and then whether
//! somebody does, and leave. So idle or slow clients, however many, keep nobody out for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Places for connections.
pub struct Crowd {
    count: u32,
    places: Arc<Semaphore>,
    /// How many wait for a place that nobody has promised them yet.
    waiting: AtomicUsize,
}

impl Crowd {
    /// So many places, one at least.
    pub fn new(count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX).clamp(1, Semaphore::MAX_PERMITS as u32);
        Self { count, places: Arc::new(Semaphore::new(count as usize)), waiting: AtomicUsize::new(0) }
    }

    /// A place; given back when it is dropped. `None`: nobody is let in any more.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        // It may have come from a connection that ended by itself.
        self.take_waiting();
        place
    }

    /// Whether the asking connection must leave, because somebody waits for its place.
    pub fn takes_place(&self) -> bool {
        self.take_waiting()
    }

    fn take_waiting(&self) -> bool {
        let less = |waiting: usize| waiting.checked_sub(1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Waits until all places are free, but not for longer than this. Whether they are.
    pub async fn empties(&self, longest: Duration) -> bool {
        timeout(longest, self.places.acquire_many(self.count)).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_leaves_for_each_that_waits() {
        let crowd = Arc::new(Crowd::new(2));
        let places = [crowd.place().await, crowd.place().await];
        assert!(!crowd.takes_place(), "nobody waits");
        let waits = tokio::spawn({
            let crowd = Arc::clone(&crowd);
            async move { crowd.place().await.is_some() }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(crowd.takes_place() && !crowd.takes_place(), "one is enough");
        assert!(!crowd.empties(Duration::from_millis(1)).await);
        drop(places);
        assert!(waits.await.unwrap());
        assert!(crowd.empties(Duration::from_millis(1)).await);
        assert!(!crowd.takes_place());
    }
}
