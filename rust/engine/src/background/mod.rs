//! Loops that no request owns.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use crate::panics::caught;
use crate::worker::Worker;

pub(crate) mod notices;
pub(crate) mod probes;

/// How long a loop that has panicked rests: a fault that lasts must not take the worker's time.
const REST: Duration = Duration::from_secs(1);

/// Keeps a loop going for as long as the worker lives. A panic in it is counted, and it begins anew.
pub(crate) fn keep<F>(worker: &Rc<Worker>, make: impl Fn(Rc<Worker>) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let worker = Rc::clone(worker);
    drop(tokio::task::spawn_local(async move {
        while caught(Box::pin(make(Rc::clone(&worker))).as_mut()).await.is_err() {
            worker.shared.panics.count();
            tokio::time::sleep(REST).await;
        }
    }));
}
