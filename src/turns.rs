//! Whose turn it is to compute a statistic: as many at once as there are threads, and no site can keep the others
//! waiting.
//!
//! A site has at most as many statistics among those that run or are next as there are threads; its others wait among
//! themselves. So a site that nobody floods waits for a few statistics of each flooded one, not for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hitstone_engine::units::SiteId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Statistics of one site that may wait; more are turned away at once.
const WAITING_MAX: usize = 100;

/// Gives turns.
pub struct Turns {
    count: usize,
    all: Arc<Semaphore>,
    sites: Mutex<HashMap<SiteId, Arc<OfSite>>>,
}

struct OfSite {
    next: Arc<Semaphore>,
    /// Places for those who wait or have their turn.
    places: Arc<Semaphore>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _all: OwnedSemaphorePermit,
    _next: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Turns {
    /// As many turns at once.
    pub fn new(count: usize) -> Self {
        let count = count.max(1);
        Self { count, all: Arc::new(Semaphore::new(count)), sites: Mutex::default() }
    }

    /// Waits for a turn of a site; `None` when too many of that site wait already.
    pub async fn turn(&self, site: SiteId) -> Option<Turn> {
        let of_site = self.of_site(site);
        let place = Arc::clone(&of_site.places).try_acquire_owned().ok()?;
        let next = Arc::clone(&of_site.next).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn { _all: all, _next: next, _place: place })
    }

    fn of_site(&self, site: SiteId) -> Arc<OfSite> {
        let new = || OfSite {
            next: Arc::new(Semaphore::new(self.count)),
            places: Arc::new(Semaphore::new(self.count + WAITING_MAX)),
        };
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sites.entry(site).or_insert_with(|| Arc::new(new())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flooded_site_does_not_keep_others_waiting() {
        let turns = Arc::new(Turns::new(2));
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = [turns.turn(SiteId(1)).await.unwrap(), turns.turn(SiteId(1)).await.unwrap()];
        let wait = |site| {
            let (turns, order) = (Arc::clone(&turns), Arc::clone(&order));
            tokio::spawn(async move {
                let turn = turns.turn(SiteId(site)).await;
                order.lock().unwrap().push(site);
                tokio::task::yield_now().await;
                turn.is_some()
            })
        };
        let mut waiting: Vec<_> = (0..20).map(|_| wait(1)).collect();
        tokio::task::yield_now().await;
        waiting.push(wait(2));
        tokio::task::yield_now().await;
        drop(first);
        for turn in waiting {
            assert!(turn.await.unwrap());
        }
        let place = order.lock().unwrap().iter().position(|&site| site == 2).unwrap();
        assert!(place <= 4, "the other site had turn {place}");
    }

    #[tokio::test]
    async fn too_many_are_turned_away() {
        let turns = Arc::new(Turns::new(1));
        let running = turns.turn(SiteId(1)).await.unwrap();
        let waiting: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move { turns.turn(SiteId(1)).await.is_some() })
            })
            .collect();
        while turns.of_site(SiteId(1)).places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(turns.turn(SiteId(1)).await.is_none());
        waiting.iter().for_each(|task| task.abort());
        for task in waiting {
            let _ = task.await;
        }
        drop(running);
        assert!(turns.turn(SiteId(1)).await.is_some(), "those who went away left their places");
    }
}
