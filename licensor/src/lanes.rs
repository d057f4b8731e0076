//! Lanes: calls that change the same license queue here instead of losing races against each other.
//!
//! The store alone decides who wins; without lanes everything would be as right and, under load, slower: each
//! round of n parallel calls would be decided n times for one to succeed. Lanes of one process don't know those
//! of another. Deliberately absent: any meaning. A lane protects nothing.

use tokio::sync::{Mutex, MutexGuard};

const LANES: usize = 64;

/// A fixed number of queues, chosen by an id's first byte.
pub(crate) struct Lanes([Mutex<()>; LANES]);

impl Lanes {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    /// Waits for the lane of this id.
    pub(crate) async fn enter(&self, id: &[u8; 16]) -> MutexGuard<'_, ()> {
        self.0[usize::from(id[0]) % LANES].lock().await
    }
}
