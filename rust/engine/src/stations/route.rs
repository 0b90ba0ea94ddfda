//! Route: which target, and what follows if it cannot be reached.

use std::rc::Rc;

use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::snapshot::Deadlines;

use super::head::Head;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::LoadedRoute;

/// Where to go: the first target, then the others in declaration order, wrapping round.
pub(crate) struct Plan {
    pub(crate) route: Rc<LoadedRoute>,
    pub(crate) deadlines: Deadlines,
    first: usize,
    count: usize,
}

impl Plan {
    /// Target indices in the order they are tried.
    pub(crate) fn targets(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = (self.first, self.count);
        (0..count).map(move |step| (first + step) % count)
    }
}

/// Picks a target by the route's strategy.
///
/// # Errors
/// 400 when the route's targets speak another dialect than the endpoint.
pub(crate) fn plan(x: &Exchange, head: &Head, route: &Rc<LoadedRoute>) -> Result<Plan, Rejection> {
    fail_point!("route");
    let snapshot = &x.loaded.snapshot;
    let Some(config) = snapshot.routes.get(route.index) else {
        return Err(Rejection::new(Code::Internal, "the route is not in the snapshot"));
    };
    let serves = |target: &llm_edge_core::snapshot::Target| {
        snapshot.providers.get(target.provider).is_some_and(|p| p.path(head.operation).is_some())
    };
    if !config.targets.iter().any(serves) {
        return Err(mismatch(x, head, config));
    }
    let random = x.worker.random();
    let first = route.picker.borrow_mut().pick(random);
    Ok(Plan { route: Rc::clone(route), deadlines: config.deadlines, first, count: config.targets.len() })
}

fn mismatch(x: &Exchange, head: &Head, route: &llm_edge_core::snapshot::Route) -> Rejection {
    let provider = route.targets.first().and_then(|t| x.loaded.snapshot.providers.get(t.provider));
    let (name, spoken) = provider.map_or((String::new(), String::new()), |p| {
        (
            p.name.clone(),
            p.dialects().iter().map(|d| format!("`{}`", d.name())).collect::<Vec<_>>().join(", "),
        )
    });
    let asked = head.operation.dialect().map_or("", |d| d.name());
    Rejection::new(
        Code::DialectMismatch,
        format!(
            "this endpoint ({}) speaks `{asked}`, but the model is served by provider `{name}`, which speaks {spoken} and does not serve it; there is no translation between dialects yet. hint: call the model at an endpoint of its own dialect",
            head.operation.name(),
        ),
    )
    .param("model")
}
