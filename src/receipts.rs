//! The way of the store's receipts from its writer's thread to the requests that wait for them.
//!
//! The writer answers all batches of a group one after the other. If it woke each request itself, each would cost a wake-up
//! across threads; so it only lays receipts down, and one task of the thread whose requests they are hands them all out.

use std::sync::{Arc, Mutex, PoisonError};

use hitstone_engine::error::StorageError;
use hitstone_engine::store::{Done, Receipt};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Outcome = Result<Receipt, StorageError>;
type LaidDown = Mutex<Vec<(oneshot::Sender<Outcome>, Outcome)>>;

thread_local! {
    /// Receipts that are on their way to requests of this thread.
    static LAID_DOWN: Arc<LaidDown> = Arc::default();
}

/// What the store is to call, and where its receipt will be.
pub fn expect() -> (Done, oneshot::Receiver<Outcome>) {
    let (sender, receiver) = oneshot::channel();
    let (laid_down, server) = (LAID_DOWN.with(Arc::clone), Handle::current());
    let done = move |outcome| {
        let is_first = {
            let mut receipts = laid_down.lock().unwrap_or_else(PoisonError::into_inner);
            receipts.push((sender, outcome));
            receipts.len() == 1
        };
        if is_first {
            server.spawn(async move { hand_out(&laid_down) });
        }
    };
    (Box::new(done), receiver)
}

fn hand_out(laid_down: &LaidDown) {
    let receipts = std::mem::take(&mut *laid_down.lock().unwrap_or_else(PoisonError::into_inner));
    for (sender, outcome) in receipts {
        // Who asked may have gone away meanwhile; the events are stored all the same.
        let _ = sender.send(outcome);
    }
}
