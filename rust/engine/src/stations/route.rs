//! Route: which target, and what follows if it cannot be reached or refuses. What can be decided without a request in
//! hand is [`llm_edge_core::routing`]'s; here is what is known at the moment.

use std::rc::Rc;
use std::sync::Arc;

use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::routing::{self, Ask, Capability, Exclusion, Keepsakes, Live, Present, Standing};
use llm_edge_core::snapshot::{Route, Strategy};
use llm_edge_core::surface::{Dialect, Operation};

use super::guard::Screened;
use super::head::Head;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::{LoadedRoute, Place};
use crate::shared::SharedBreaker;

/// Where to go: a target of the route, its other ones, then those of its fallbacks.
pub(crate) struct Plan {
    pub(crate) route: Rc<LoadedRoute>,
    /// `None` where only a fallback can do it.
    first: Option<usize>,
    pub(super) ask: Ask,
    /// These first, in this order: a policy said so.
    pub(super) ranked: Vec<usize>,
    /// Only these, in this order.
    only: Option<Vec<Place>>,
}

/// The places of a plan, each once, in the order in which they are tried.
pub(crate) struct Places {
    route: Rc<LoadedRoute>,
    ask: Ask,
    /// Of the plan's route, first.
    ranked: Vec<usize>,
    /// Still to be handed out.
    first: Option<usize>,
    /// Was handed out, and the others of its route were not looked at yet.
    begun: Option<usize>,
    /// Those others.
    rest: std::vec::IntoIter<usize>,
    /// Fallbacks that were begun.
    fallback: usize,
    only: Option<std::vec::IntoIter<Place>>,
}

impl Plan {
    fn only(route: &Rc<LoadedRoute>, places: Vec<Place>) -> Self {
        Self {
            route: Rc::clone(route),
            first: None,
            ask: Ask::default(),
            ranked: Vec::new(),
            only: Some(places),
        }
    }

    /// A place of the route is picked first, and the others follow.
    fn beginning_with(route: &Rc<LoadedRoute>, first: Option<usize>, ask: Ask) -> Self {
        Self { route: Rc::clone(route), first, ask, ranked: Vec::new(), only: None }
    }

    /// Whether a policy of the operator's own is to say who comes first.
    #[inline]
    pub(crate) fn asks_policy(&self) -> bool {
        self.route.policy.is_some() && self.first.is_some()
    }

    /// Every place, the picked target first.
    pub(crate) fn places(&self) -> Places {
        Places {
            route: Rc::clone(&self.route),
            ask: self.ask,
            first: self.ranked.first().copied().or(self.first),
            ranked: self.ranked.clone(),
            begun: None,
            rest: Vec::new().into_iter(),
            fallback: 0,
            only: self.only.clone().map(IntoIterator::into_iter),
        }
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
    /// The next one, for the request that `head` and `screened` are of; `asked` is the plan's route.
    pub(crate) fn next(
        &mut self,
        x: &Exchange,
        head: &Head,
        screened: &Screened,
        asked: &Route,
    ) -> Option<Place> {
        if let Some(only) = &mut self.only {
            return only.next();
        }
        loop {
            if let Some(first) = self.first.take() {
                self.begun = Some(first);
                return Some(self.place(x, first));
            }
            if let Some(first) = self.begun.take() {
                self.look_at_others(x, head, screened, first);
            }
            if let Some(at) = self.rest.next() {
                return Some(self.place(x, at));
            }
            let index = *asked.fallbacks.get(self.fallback)?;
            self.fallback += 1;
            self.route = Rc::clone(x.loaded.routes.get(index)?);
            let now = Moment::new(x, &self.route, head, screened);
            self.first = x.loaded.snapshot.routes.get(index).and_then(|config| {
                let mut picker = self.route.picker.borrow_mut();
                picker.decide(config, &self.ask, &now, x.worker.random()).ok().map(|decision| decision.target)
            });
        }
    }

    fn look_at_others(&mut self, x: &Exchange, head: &Head, screened: &Screened, first: usize) {
        if self.route.targets.len() > 1
            && let Some(config) = x.loaded.snapshot.routes.get(self.route.index)
        {
            let now = Moment::new(x, &self.route, head, screened);
            let mut order = self.route.picker.borrow().order(config, &self.ask, &now, first);
            let ranked = std::mem::take(&mut self.ranked);
            order.retain(|at| *at != first && !ranked.contains(at));
            let mut rest = ranked;
            rest.retain(|at| *at != first);
            rest.append(&mut order);
            self.rest = rest.into_iter();
        }
    }

    fn place(&self, x: &Exchange, target: usize) -> Place {
        let strategy = x.loaded.snapshot.routes.get(self.route.index).map(|route| route.strategy);
        let affinity = (strategy == Some(Strategy::Affinity)).then_some(self.ask.affinity);
        Place { route: Rc::clone(&self.route), target, credential: None, affinity }
    }
}

/// What is known of a route's targets now.
pub(super) struct Moment<'a> {
    x: &'a Exchange,
    route: &'a LoadedRoute,
    operation: Operation,
    stream: bool,
    now_ms: u64,
}

impl<'a> Moment<'a> {
    pub(super) fn new(x: &'a Exchange, route: &'a LoadedRoute, head: &Head, screened: &Screened) -> Self {
        let stream = screened.envelope().stream;
        Self { x, route, operation: head.operation, stream, now_ms: x.worker.deadlines.now_ms() }
    }
}

impl Present for Moment<'_> {
    #[inline]
    fn serves(&self, at: usize) -> bool {
        self.route.targets.get(at).is_some_and(|target| target.serves(self.operation, self.stream))
    }

    #[inline]
    fn live(&self, at: usize) -> Live {
        let Some(target) = self.route.targets.get(at) else { return Live::default() };
        let load = target.load.as_ref();
        let load = load.map_or_else(Live::default, |load| load.live(self.stream, self.now_ms));
        let standing = self.standing(at);
        Live { is_open: standing == Standing::Open, is_resting: standing == Standing::Resting, ..load }
    }

    #[inline]
    fn standing(&self, at: usize) -> Standing {
        let Self { x, route, now_ms, .. } = *self;
        let Some(target) = route.targets.get(at) else { return Standing::Ready };
        let is_open =
            |(policy, shared): &(_, Arc<SharedBreaker>)| !shared.breaker.would_admit(policy, now_ms);
        if target.breaker.as_ref().is_some_and(is_open) {
            return Standing::Open;
        }
        let is_callers = x.credential_for(target.provider).is_some();
        let provider = x.loaded.providers.get(target.provider);
        if provider.is_some_and(|provider| provider.is_last_resort(now_ms, is_callers)) {
            return Standing::Resting;
        }
        Standing::Ready
    }
}

/// Decides where the request goes; `None` where tokens are to be counted and no target's provider does.
///
/// # Errors
/// 400 when none of the route's targets, nor of its fallbacks', can do what is asked; 409 when the account is gone that
/// the request has to go to.
#[inline]
pub(crate) fn plan(
    x: &mut Exchange,
    head: &Head,
    route: &Rc<LoadedRoute>,
    screened: &Screened,
) -> Result<Option<Plan>, Rejection> {
    fail_point!("route");
    match planned(x, head, route, screened) {
        Err(no) if no.code == Code::DialectMismatch && head.operation.count().is_some() => Ok(None),
        planned => planned.map(Some),
    }
}

fn planned(
    x: &mut Exchange,
    head: &Head,
    route: &Rc<LoadedRoute>,
    screened: &Screened,
) -> Result<Plan, Rejection> {
    if head.operation.dialect().is_none()
        && let Some(only) = unread(x, head, route, screened)
    {
        return Ok(Plan::only(route, only));
    }
    let loaded = Rc::clone(&x.loaded);
    let Some(config) = loaded.snapshot.routes.get(route.index) else {
        return Err(Rejection::new(Code::Internal, "the route is not in the snapshot"));
    };
    if head.operation.dialect() == Some(Dialect::OpenaiResponses)
        && (route.has_owners || !x.worker.shared.owners.is_empty())
        && let Some(place) = owner(x, config, route, screened)?
    {
        return Ok(Plan::only(route, vec![place]));
    }
    if config.targets.len() == 1 && config.fallbacks.is_empty() && config.strategy != Strategy::Affinity {
        return match route.targets.first() {
            Some(target) if target.serves(head.operation, screened.envelope().stream) => {
                Ok(Plan::beginning_with(route, Some(0), Ask::default()))
            }
            _ => Err(mismatch(x, head, config)),
        };
    }
    decide(x, head, route, config, screened)
}

/// The place that has given what the request goes on with, if that is known: nobody else understands it.
///
/// # Errors
/// 409 when it is not there any more.
fn owner(
    x: &Exchange,
    config: &Route,
    route: &Rc<LoadedRoute>,
    screened: &Screened,
) -> Result<Option<Place>, Rejection> {
    let mut owner = None;
    Keepsakes::default().push(screened.envelope().body.of(&x.input), |keepsake| {
        owner = owner.or_else(|| x.worker.shared.owners.of(keepsake));
    });
    let Some(owner) = owner else { return Ok(None) };
    let fallbacks = config.fallbacks.iter().filter_map(|at| x.loaded.routes.get(*at));
    for route in std::iter::once(route).chain(fallbacks) {
        for (at, target) in route.targets.iter().enumerate() {
            let provider = x.loaded.providers.get(target.provider);
            if let Some(credential) = provider.and_then(|provider| provider.credential_of(owner)) {
                let credential = Some(credential);
                return Ok(Some(Place { route: Rc::clone(route), target: at, credential, affinity: None }));
            }
        }
    }
    Err(Rejection::new(
        Code::OwnerGone,
        "the account that gave what this request goes on with (`previous_response_id` or encrypted reasoning) is not among the route's any more, and no other understands it. hint: begin the conversation anew, with its text",
    ))
}

fn decide(
    x: &mut Exchange,
    head: &Head,
    route: &Rc<LoadedRoute>,
    config: &Route,
    screened: &Screened,
) -> Result<Plan, Rejection> {
    let ask = ask(x, head, route, config, screened);
    let now = Moment::new(x, route, head, screened);
    let random = x.worker.random();
    let decided = route.picker.borrow_mut().decide(config, &ask, &now, random);
    let shown = x.asks_for_debug().then(|| shown(config, route, &ask, &now).into());
    let first = match decided {
        Ok(decision) => {
            if decision.excluded > 0 || decision.standing != Standing::Ready {
                count_excluded(config, route, &ask, &now, decision.standing);
            }
            if config.strategy == Strategy::Cost
                && config.targets.get(decision.target).is_some_and(|target| target.facts.price.is_none())
            {
                route.cells.unpriced.add(1);
            }
            Some(decision.target)
        }
        Err(reason) => {
            count_excluded(config, route, &ask, &now, Standing::Excluded);
            if !can_fall_back(x, head, config, &ask, screened) {
                x.facts.decision = shown;
                return Err(match reason {
                    Exclusion::Lacks(capability) => lacking(config, capability),
                    Exclusion::Operation | Exclusion::ContextWindow => mismatch(x, head, config),
                });
            }
            None
        }
    };
    x.facts.decision = shown;
    Ok(Plan::beginning_with(route, first, ask))
}

/// What the request asks for, as far as the route's decision hangs on it.
fn ask(x: &Exchange, head: &Head, route: &LoadedRoute, config: &Route, screened: &Screened) -> Ask {
    let envelope = screened.envelope();
    let body = envelope.body.of(&x.input);
    let mut ask = Ask::default();
    let fallback_looks = |at: &usize| x.loaded.routes.get(*at).is_some_and(|route| route.looks_at_needs);
    if (route.looks_at_needs || config.fallbacks.iter().any(fallback_looks))
        && let Some(dialect) = head.operation.dialect()
    {
        ask.needs = routing::needs(body, dialect, &envelope.scan);
        ask.output_tokens = routing::output_tokens(&envelope.scan, route.output_tokens.get());
    }
    let is_affine = |route: &Route| route.strategy == Strategy::Affinity;
    let fallback = config.fallbacks.iter().filter_map(|at| x.loaded.snapshot.routes.get(*at));
    if let Some(config) = std::iter::once(config).chain(fallback).find(|route| is_affine(route)) {
        ask.affinity = affinity(x, head, config, body);
    }
    ask
}

/// What the request belongs to. Where nothing says so, any number is as good.
fn affinity(x: &Exchange, head: &Head, config: &Route, body: &[u8]) -> u64 {
    let key = x.facts.principal.as_ref().map_or("", |caller| caller.name.as_str());
    let conversation = || head.operation.dialect().and_then(|dialect| routing::conversation(body, dialect));
    routing::affinity(config, key, |name| x.header(name), conversation).unwrap_or_else(|| x.worker.random())
}

/// Whether a target of the fallbacks can do it.
fn can_fall_back(x: &Exchange, head: &Head, config: &Route, ask: &Ask, screened: &Screened) -> bool {
    config.fallbacks.iter().any(|index| {
        let (Some(route), Some(config)) = (x.loaded.routes.get(*index), x.loaded.snapshot.routes.get(*index))
        else {
            return false;
        };
        let now = Moment::new(x, route, head, screened);
        let can = |(at, target)| {
            !matches!(
                routing::exclusion(target, ask, now.serves(at)),
                Some(Exclusion::Operation | Exclusion::Lacks(_))
            )
        };
        config.targets.iter().enumerate().any(can)
    })
}

/// Counts who was left out and why, and a first choice that is not as good as any.
#[cold]
fn count_excluded(config: &Route, route: &LoadedRoute, ask: &Ask, now: &Moment<'_>, standing: Standing) {
    for (at, target) in config.targets.iter().enumerate() {
        let reason = routing::exclusion(target, ask, now.serves(at));
        if let Some(cell) = reason.and_then(|reason| route.cells.exclusions.get(reason.index())) {
            cell.add(1);
        }
    }
    if let Some(cell) = route.cells.last_resorts.get(standing as usize) {
        cell.add(1);
    }
}

/// How the targets stand, for whoever asks: `up/gpt-x=ready, other/m=excluded:vision`.
#[cold]
fn shown(config: &Route, route: &LoadedRoute, ask: &Ask, now: &Moment<'_>) -> String {
    let snapshot = &now.x.loaded.snapshot;
    let picker = route.picker.borrow();
    let targets = config.targets.iter().enumerate().map(|(at, target)| {
        let name = routing::identity(snapshot, target);
        match routing::exclusion(target, ask, now.serves(at)) {
            Some(reason) => format!("{name}={}:{}", picker.standing(at).name(), reason.name()),
            None => format!("{name}={}", picker.standing(at).name()),
        }
    });
    targets.collect::<Vec<_>>().join(", ")
}

fn lacking(config: &Route, capability: Capability) -> Rejection {
    Rejection::new(
        Code::CapabilityMissing,
        format!(
            "the request needs `{}`, which no target of route `{}` has. hint: leave that out, or ask for a model that has it; what is known of a model can be put right under `catalog.models`",
            capability.name(),
            config.name,
        ),
    )
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
    Some(vec![Place { route: Rc::clone(route), target, credential: Some(0), affinity: None }])
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
                affinity: None,
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
