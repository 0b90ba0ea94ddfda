//! A panic is the fault of what was at work: a request, a connection, a turn of a loop, a call; never the worker's
//! (B35).

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;

use llm_edge_core::rejection::{Code, Rejection};

use crate::worker::Worker;

/// How many there were, wherever they happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panics(Arc<AtomicU64>);

impl Panics {
    #[cold]
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn counted(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Runs `work`, which may panic; that is counted then. What the work shares with others must be changed in whole
    /// steps only, or behind a lock that does not mind.
    pub(crate) fn outlive<T>(&self, work: impl FnOnce() -> T) -> Result<T, Panic> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
            self.count();
            Panic
        })
    }
}

/// A panic happened; its message went to standard error.
pub(crate) struct Panic;

impl Panic {
    /// Counts the panic; returns what the client is told.
    pub(crate) fn rejection(worker: &Worker) -> Rejection {
        worker.shared.panics.count();
        Rejection::new(Code::Internal, "the gateway failed on this request; others are not affected")
    }
}

/// Drives `future` to its end, or to its panic. State that the future shares is worker-local and changed in
/// whole steps only, so it can be used after an unwind.
///
/// Takes the future where it is: a request's is large, and handing it on by value would copy it.
pub(crate) async fn caught<F: Future>(mut future: Pin<&mut F>) -> Result<F::Output, Panic> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(_) => Poll::Ready(Err(Panic)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[test]
    fn a_panic_ends_the_future_and_not_the_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(caught(pin!(async { panic!("on purpose") }))).is_err());
        assert_eq!(runtime.block_on(caught(pin!(async { 7 }))).ok(), Some(7));
    }
}
