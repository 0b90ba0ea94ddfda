//! Circuit breakers on the path of a request: leave to send, and what came of it.
//!
//! The rules are [`llm_edge_core::breaker`]'s; here is who asks, and who hears of a change.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use llm_edge_core::breaker::{Change, Pass, Policy};

use crate::exchange::Exchange;
use crate::loaded::Place;
use crate::shared::SharedBreaker;
use crate::telemetry::notice;

/// Leave to send one request to one place. Dropped without a report, a probe makes room for another.
pub(crate) struct Permit(Option<Held>);

struct Held {
    policy: Policy,
    shared: Arc<SharedBreaker>,
    pass: Pass,
}

/// Leave to send a request to `place`.
///
/// # Errors
/// The milliseconds until it is worth asking again.
pub(crate) fn admit(x: &Exchange, place: &Place) -> Result<Permit, u64> {
    let Some((policy, shared)) = place.loaded().and_then(|target| target.breaker.as_ref()) else {
        return Ok(Permit(None));
    };
    let pass = shared.breaker.admit(policy, x.worker.deadlines.now_ms())?;
    Ok(Permit(Some(Held { policy: *policy, shared: Arc::clone(shared), pass })))
}

impl Permit {
    /// The place answered, be it with a refusal that is not its own fault.
    pub(crate) fn succeeded(mut self, x: &Exchange, place: &Place) {
        if let Some(Held { policy, shared, pass }) = self.0.take() {
            let change = shared.breaker.succeeded(&policy, pass, x.worker.deadlines.now_ms());
            tell(x, place, &shared, change);
        }
    }

    /// The place failed, by its own fault.
    pub(crate) fn failed(mut self, x: &Exchange, place: &Place) {
        if let Some(Held { policy, shared, pass }) = self.0.take() {
            let change = shared.breaker.failed(&policy, pass, x.worker.deadlines.now_ms());
            tell(x, place, &shared, change);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(held) = &self.0 {
            held.shared.breaker.give_back(held.pass);
        }
    }
}

/// The reply broke off, or told an error inside a good status, after its head had been taken for a good one.
pub(crate) fn upstream_failed_later(x: &Exchange) {
    let Some(place) = &x.facts.place else { return };
    if let Some((policy, shared)) = place.loaded().and_then(|target| target.breaker.as_ref()) {
        let change = shared.breaker.failed(policy, Pass::Free, x.worker.deadlines.now_ms());
        tell(x, place, shared, change);
    }
}

fn tell(x: &Exchange, place: &Place, shared: &SharedBreaker, change: Change) {
    let state = match change {
        Change::None => return,
        Change::Opened => "open",
        Change::Closed => "closed",
    };
    if change == Change::Opened {
        shared.opened.fetch_add(1, Ordering::Relaxed);
    }
    let snapshot = &x.loaded.snapshot;
    let route = snapshot.routes.get(place.route.index);
    let target = place.target(snapshot);
    let provider = target.and_then(|target| snapshot.providers.get(target.provider));
    notice::write(&x.worker, change == Change::Opened, "breaker", |line| {
        line.text("state", state);
        line.text("route", route.map_or("", |route| &route.name));
        line.text("provider", provider.map_or("", |provider| &provider.name));
        line.text("model", target.map_or("", |target| target.model.label()));
    });
}
