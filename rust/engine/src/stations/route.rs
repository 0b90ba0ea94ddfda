//! Route: which target, and what follows if it cannot be reached or refuses.

use std::rc::Rc;

use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::snapshot::{Route, Target};
use llm_edge_core::surface::Operation;

use super::guard::Screened;
use super::head::Head;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::{LoadedRoute, Place};

/// Where to go: a target of the route, its other ones, then those of its fallbacks.
pub(crate) struct Plan {
    pub(crate) route: Rc<LoadedRoute>,
    first: usize,
    /// Only these, in this order.
    only: Option<Vec<Place>>,
}

/// The places of a plan, each once, in the order in which they are tried.
pub(crate) struct Places {
    route: Rc<LoadedRoute>,
    first: usize,
    /// Targets of the route at hand that were handed out.
    step: usize,
    /// Fallbacks that were begun.
    fallback: usize,
    only: Option<std::vec::IntoIter<Place>>,
}

impl Plan {
    /// Every place, the picked target first.
    pub(crate) fn places(&self) -> Places {
        let only = self.only.clone().map(IntoIterator::into_iter);
        Places { route: Rc::clone(&self.route), first: self.first, step: 0, fallback: 0, only }
    }

    /// Whether another place may be asked than the first.
    pub(crate) fn has_alternative(&self, asked: &Route) -> bool {
        match &self.only {
            None => asked.targets.len() > 1 || !asked.fallbacks.is_empty(),
            Some(only) => only.len() > 1,
        }
    }
}

impl Places {
    /// The next one; `asked` is the plan's route.
    pub(crate) fn next(&mut self, x: &Exchange, asked: &Route) -> Option<Place> {
        if let Some(only) = &mut self.only {
            return only.next();
        }
        while self.step >= self.route.targets.len() {
            let index = *asked.fallbacks.get(self.fallback)?;
            self.fallback += 1;
            self.route = Rc::clone(x.loaded.routes.get(index)?);
            self.first = self.route.picker.borrow_mut().pick(x.worker.random());
            self.step = 0;
        }
        let target = (self.first + self.step) % self.route.targets.len();
        self.step += 1;
        Some(Place { route: Rc::clone(&self.route), target, credential: None })
    }
}

/// Picks a target by the route's strategy; `None` where tokens are to be counted and no target's provider does.
///
/// # Errors
/// 400 when the route's targets speak another dialect than the endpoint.
pub(crate) fn plan(
    x: &Exchange,
    head: &Head,
    route: &Rc<LoadedRoute>,
    screened: &Screened,
) -> Result<Option<Plan>, Rejection> {
    fail_point!("route");
    let snapshot = &x.loaded.snapshot;
    let Some(config) = snapshot.routes.get(route.index) else {
        return Err(Rejection::new(Code::Internal, "the route is not in the snapshot"));
    };
    if head.operation.dialect().is_none()
        && let Some(only) = unread(x, head, route, screened)
    {
        return Ok(Some(Plan { route: Rc::clone(route), first: 0, only: Some(only) }));
    }
    let serves = |target: &Target| {
        let provider = snapshot.providers.get(target.provider);
        provider.is_some_and(|p| p.serve(head.operation, screened.envelope().stream).is_some())
    };
    let mut fallbacks = config.fallbacks.iter().filter_map(|at| snapshot.routes.get(*at));
    if !config.targets.iter().any(serves) && !fallbacks.any(|route| route.targets.iter().any(serves)) {
        return if head.operation.count().is_some() { Ok(None) } else { Err(mismatch(x, head, config)) };
    }
    let random = x.worker.random();
    let first = route.picker.borrow_mut().pick(random);
    Ok(Some(Plan { route: Rc::clone(route), first, only: None }))
}

/// Where something is to be found that is not a model; `None` where a model says it.
#[cold]
fn unread(x: &Exchange, head: &Head, route: &Rc<LoadedRoute>, screened: &Screened) -> Option<Vec<Place>> {
    if head.operation == Operation::StoredResponse {
        return Some(keepers(x));
    }
    if screened.envelope().scan.model.is_some() {
        return None;
    }
    // What is made there, a file, say, is there only: always the same account is asked.
    let snapshot = &x.loaded.snapshot;
    let targets = &snapshot.routes.get(route.index)?.targets;
    let target = targets.iter().position(|target| target.serves(snapshot, head.operation))?;
    Some(vec![Place { route: Rc::clone(route), target, credential: Some(0) }])
}

/// Every account that may have kept a response: each credential of each provider once. Its id does not say whose it
/// is, and who was asked for it is not remembered, so that another instance, or this one after a restart, finds it
/// too.
fn keepers(x: &Exchange) -> Vec<Place> {
    let snapshot = &x.loaded.snapshot;
    let Some(caller) = &x.facts.principal else { return Vec::new() };
    let mut asked = vec![false; snapshot.providers.len()];
    let mut places = Vec::new();
    for (route, loaded) in snapshot.routes.iter().zip(&x.loaded.routes) {
        if !caller.may_use_some(&route.models) {
            continue;
        }
        for (at, target) in route.targets.iter().enumerate() {
            let Some(seen) = asked.get_mut(target.provider) else { continue };
            // Where callers show their own credential, ours is not shown.
            let lent = loaded.caller_credential == Some(target.provider);
            if !target.serves(snapshot, Operation::StoredResponse)
                || (lent && x.credential_for(target.provider).is_none())
                || std::mem::replace(seen, true)
            {
                continue;
            }
            let accounts = snapshot.providers.get(target.provider).map_or(0, |p| p.credentials.len());
            places.extend((0..accounts.max(1)).map(|credential| Place {
                route: Rc::clone(loaded),
                target: at,
                credential: Some(credential),
            }));
        }
    }
    places
}

fn mismatch(x: &Exchange, head: &Head, route: &Route) -> Rejection {
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
            "this endpoint ({}) speaks `{asked}`, but the model is served by provider `{name}`, which speaks {spoken} and does not serve it, and no translation leads from the one to the other. hint: call the model at an endpoint of its own dialect",
            head.operation.name(),
        ),
    )
    .param("model")
}
