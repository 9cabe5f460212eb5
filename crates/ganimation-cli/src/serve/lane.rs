//! Processes one task at a time, with a short queue.

use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::rejection::Rejection;

/// A queue with a fixed number of places. One task runs at a time. If the queue is full, requests are refused
/// immediately.
///
/// The network and the decoder use all cores for one photo. Two photos at a time would not be faster, but would need
/// twice the memory.
pub(super) struct Lane {
    places: Arc<Semaphore>,
    worker: Arc<Semaphore>,
}

/// A place in the queue, released when it is dropped.
pub(super) struct Place {
    permit: OwnedSemaphorePermit,
    worker: Arc<Semaphore>,
}

impl Lane {
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            worker: Arc::new(Semaphore::new(1)),
        }
    }

    /// Takes a place in the queue.
    pub(super) fn enter(&self) -> Result<Place, Rejection> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        Ok(Place {
            permit: permit.ok().ok_or(Rejection::Busy)?,
            worker: Arc::clone(&self.worker),
        })
    }
}

impl Place {
    /// Waits for its turn, then runs `work` on a separate thread. If the request is cancelled before its turn, the work
    /// is not started.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
    ) -> Result<T, Rejection> {
        let worker = Arc::clone(&self.worker).acquire_owned().await;
        let worker = worker.ok().ok_or(Rejection::Failed)?;
        let outcome = spawn_blocking(move || {
            let _worker = worker; // kept during the work, even if the request is cancelled
            work()
        });
        outcome.await.ok().ok_or(Rejection::Failed)?
    }

    /// Keeps the place until the bytes are sent, so that slow clients cannot fill the memory.
    pub(super) fn until_sent(self, bytes: Vec<u8>) -> Bytes {
        struct Sent(
            Vec<u8>,
            #[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit,
        );
        impl AsRef<[u8]> for Sent {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        Bytes::from_owner(Sent(bytes, self.permit))
    }
}
