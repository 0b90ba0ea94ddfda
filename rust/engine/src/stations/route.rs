//! Route: which target, and what follows if it cannot be reached or refuses. What can be decided without a request in
//! hand is [`llm_edge_core::routing`]'s; here is what is known at the moment.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::routing::{self, Ask, Capability, Exclusion, Keepsakes, Live, Present, Standing};
use llm_edge_core::snapshot::{KnownModel, ModelFacts, Route, Strategy, Target};
use llm_edge_core::surface::{Dialect, Operation};

use super::body::Envelope;
use super::guard::Screened;
use super::head::Head;
use crate::backends::owners::Owner;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::{Account, LoadedRoute, Place};
use crate::shared::SharedBreaker;

/// Where to go: a target of the route, its other ones, then those of its fallbacks.
pub(crate) struct Plan {
    pub(crate) route: Rc<LoadedRoute>,
    /// `None` where only a fallback can do it.
    first: Option<usize>,
    /// Where there was something to decide.
    details: Option<Box<Details>>,
}

/// What few plans have.
#[derive(Default)]
struct Details {
    ask: Ask,
    /// These first, in this order: a policy said so.
    ranked: Vec<usize>,
    /// Only these, in this order.
    only: Option<Vec<Place>>,
    /// That one because it has given what the request goes on with.
    is_owned: bool,
}

/// The places of a plan, each once, in the order in which they are tried.
pub(crate) struct Places {
    /// The fallback that is at hand; `None`: the plan's own route.
    route: Option<Rc<LoadedRoute>>,
    /// Still to be handed out.
    first: Option<usize>,
    /// Was handed out, and the others of its route were not looked at yet.
    begun: Option<usize>,
    /// Those others, the next one last.
    rest: Vec<usize>,
    /// Fallbacks that were begun, and then further models; of a plan with nothing but certain places, these.
    step: usize,
    /// Which of the further models is at hand; 0 for none.
    further: u8,
}

impl Plan {
    fn only(route: &Rc<LoadedRoute>, places: Vec<Place>) -> Self {
        let details = Details { only: Some(places), ..Details::default() };
        Self { route: Rc::clone(route), first: None, details: Some(Box::new(details)) }
    }

    /// To the one that has given what the request goes on with.
    fn owned(route: &Rc<LoadedRoute>, place: Place) -> Self {
        let details = Details { only: Some(vec![place]), is_owned: true, ..Details::default() };
        Self { route: Rc::clone(route), first: None, details: Some(Box::new(details)) }
    }

    /// Whether nobody else understands the request.
    pub(super) fn is_owned(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.is_owned)
    }

    /// Every place, the picked target first.
    pub(crate) fn places(&self) -> Places {
        let ranked = self.details.as_ref().and_then(|details| details.ranked.first().copied());
        Places {
            route: None,
            first: ranked.or(self.first),
            begun: None,
            rest: Vec::new(),
            step: 0,
            further: 0,
        }
    }

    /// Whether another place may be asked than the first.
    pub(crate) fn has_alternative(&self, asked: &Route, screened: &Screened) -> bool {
        match self.details.as_ref().and_then(|details| details.only.as_ref()) {
            None => {
                asked.targets.len() > 1
                    || !asked.fallbacks.is_empty()
                    || !screened.envelope().further.is_empty()
            }
            Some(only) => only.len() > 1,
        }
    }

    /// Whether a policy of the operator's own is to say who comes first.
    #[inline]
    pub(crate) fn asks_policy(&self) -> bool {
        self.route.policy.is_some() && self.first.is_some()
    }

    /// What was asked for, as far as it decided.
    pub(super) fn ask(&self) -> Ask {
        self.details.as_ref().map_or_else(Ask::default, |details| details.ask)
    }

    /// These come first.
    pub(super) fn rank(&mut self, ranked: Vec<usize>) {
        self.details.get_or_insert_default().ranked = ranked;
    }
}

impl Places {
    /// The next one, for the request that `head` and `screened` are of; `asked` is the plan's route.
    pub(crate) fn next(
        &mut self,
        x: &Exchange,
        plan: &Plan,
        head: &Head,
        screened: &Screened,
        asked: &Route,
    ) -> Option<Place> {
        let mut place = if let Some(first) = self.first.take() {
            self.begun = Some(first);
            self.place(x, plan, first)
        } else {
            self.other(x, plan, head, screened, asked)?
        };
        if place.route.knows_named_models {
            place.known = known_model(x, &place, screened);
        }
        Some(place)
    }

    /// One that is not the first of its route.
    #[cold]
    fn other(
        &mut self,
        x: &Exchange,
        plan: &Plan,
        head: &Head,
        screened: &Screened,
        asked: &Route,
    ) -> Option<Place> {
        if let Some(only) = plan.details.as_ref().and_then(|details| details.only.as_ref()) {
            let place = only.get(self.step).cloned();
            self.step += 1;
            return place;
        }
        loop {
            if let Some(first) = self.begun.take() {
                self.look_at_others(x, plan, head, screened, first);
            }
            if let Some(at) = self.rest.pop() {
                return Some(self.place(x, plan, at));
            }
            let route = if let Some(index) = asked.fallbacks.get(self.step) {
                Rc::clone(x.loaded.routes.get(*index)?)
            } else {
                let at = self.step - asked.fallbacks.len();
                self.further = u8::try_from(at + 1).ok()?;
                Rc::clone(&screened.envelope().further.get(at)?.route)
            };
            self.step += 1;
            let moment = Moment::new(x, &route, head, screened).of_further(self.further);
            let decided = x.loaded.snapshot.routes.get(route.index).and_then(|config| {
                let mut picker = route.picker.borrow_mut();
                picker.decide(config, &plan.ask(), &moment, x.worker.random()).ok()
            });
            self.route = Some(route);
            if let Some(decision) = decided {
                self.begun = Some(decision.target);
                return Some(self.place(x, plan, decision.target));
            }
        }
    }

    fn look_at_others(&mut self, x: &Exchange, plan: &Plan, head: &Head, screened: &Screened, first: usize) {
        let route = self.route.as_ref().unwrap_or(&plan.route);
        if route.targets.len() < 2 {
            return;
        }
        let Some(config) = x.loaded.snapshot.routes.get(route.index) else { return };
        let moment = Moment::new(x, route, head, screened).of_further(self.further);
        let order = route.picker.borrow().order(config, &plan.ask(), &moment, first);
        let ranked = match &plan.details {
            Some(details) if self.route.is_none() => details.ranked.as_slice(),
            _ => &[],
        };
        let others = order.iter().filter(|at| !ranked.contains(at));
        self.rest = ranked.iter().chain(others).copied().filter(|at| *at != first).collect();
        self.rest.reverse();
    }

    fn place(&self, x: &Exchange, plan: &Plan, target: usize) -> Place {
        let route = self.route.as_ref().unwrap_or(&plan.route);
        let strategy = x.loaded.snapshot.routes.get(route.index).map(|route| route.strategy);
        let is_affine = strategy == Some(Strategy::Affinity);
        let account = if is_affine { Account::Of(plan.ask().affinity) } else { Account::Next };
        Place { further: self.further, ..Place::new(route, target, account) }
    }
}

/// The model that the client names, if something is known of it.
fn known_model(x: &Exchange, place: &Place, screened: &Screened) -> Option<KnownModel> {
    let envelope = screened.envelope();
    let snapshot = &x.loaded.snapshot;
    let target = place.target(snapshot)?;
    match envelope.further_name(place.further) {
        Some(name) => snapshot.find_model(target, name),
        // A name that is no text has been refused before.
        None => snapshot.find_model(target, &envelope.model(&x.input).ok()??),
    }
}

/// What is known of a route's targets now.
pub(super) struct Moment<'a> {
    x: &'a Exchange,
    route: &'a LoadedRoute,
    envelope: &'a Envelope,
    operation: Operation,
    /// The model as the client calls it, where something is known of such.
    model: Option<Cow<'a, str>>,
    now_ms: u64,
}

impl<'a> Moment<'a> {
    pub(super) fn new(x: &'a Exchange, route: &'a LoadedRoute, head: &Head, screened: &'a Screened) -> Self {
        let envelope = screened.envelope();
        // A name that is no text has been refused before.
        let named = || envelope.model(&x.input).ok().flatten();
        let model = if route.knows_named_models { named() } else { None };
        Self { x, route, envelope, operation: head.operation, model, now_ms: x.worker.deadlines.now_ms() }
    }

    /// The same, where it is one of the models that the client would have asked next; 0 for none of them.
    fn of_further(mut self, further: u8) -> Self {
        if self.model.is_some()
            && let Some(name) = self.envelope.further_name(further)
        {
            self.model = Some(Cow::Borrowed(name));
        }
        self
    }

    /// Why a target cannot be asked, if it cannot.
    pub(super) fn exclusion(&self, at: usize, target: &Target, ask: &Ask) -> Option<Exclusion> {
        routing::exclusion(self.facts(target), ask, self.serves(at))
    }
}

impl Present for Moment<'_> {
    #[inline]
    fn serves(&self, at: usize) -> bool {
        self.route.targets.get(at).is_some_and(|target| target.serves(self.operation, self.envelope.stream))
    }

    #[inline]
    fn facts<'t>(&'t self, target: &'t Target) -> &'t ModelFacts {
        match &self.model {
            None => &target.facts,
            Some(name) => self.x.loaded.snapshot.facts(target, name),
        }
    }

    #[inline]
    fn live(&self, at: usize) -> Live {
        let Some(target) = self.route.targets.get(at) else { return Live::default() };
        let load = target.load.as_ref();
        let load = load.map_or_else(Live::default, |load| load.live(self.envelope.stream, self.now_ms));
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
    let shows = x.asks_for_debug();
    if shows {
        x.facts.names = names(x, screened);
    }
    let planned = planned(x, head, route, screened);
    if shows && x.facts.decision.is_none() {
        x.facts.decision = planned.as_ref().ok().and_then(|plan| undisputed(x, head, plan, screened));
    }
    match planned {
        Err(no) if no.code == Code::DialectMismatch && head.operation.count().is_some() => Ok(None),
        planned => planned.map(Some),
    }
}

/// Where there was nothing to decide, what there was, in the form of [`shown`].
#[cold]
fn undisputed(x: &Exchange, head: &Head, plan: &Plan, screened: &Screened) -> Option<Box<str>> {
    let snapshot = &x.loaded.snapshot;
    let only = plan.details.as_ref().and_then(|details| details.only.as_ref()?.first());
    let place = only.cloned().or_else(|| Some(Place::new(&plan.route, plan.first?, Account::Next)))?;
    let written = match screened.envelope().further_name(place.further) {
        None => x.facts.names.as_ref().and_then(|names| names.first()).map(|name| &**name),
        further => further,
    };
    let name = routing::asked_at(snapshot, place.target(snapshot)?, written);
    let standing = if plan.is_owned() {
        "owner"
    } else {
        Moment::new(x, &place.route, head, screened).standing(place.target as usize).name()
    };
    Some(format!("{name}={standing}").into())
}

/// The models that are asked for, as the client calls them.
#[cold]
fn names(x: &Exchange, screened: &Screened) -> Option<Box<[Box<str>]>> {
    let envelope = screened.envelope();
    let first = envelope.model(&x.input).ok()??;
    let further = envelope.further.iter().map(|model| model.name.clone());
    Some(std::iter::once(first.into()).chain(further).collect())
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
    if may_have_owner(x, head, route)
        && let Some(place) = owner(x, head, route, screened)?
    {
        return Ok(Plan::owned(route, place));
    }
    if let [target] = route.targets.as_slice()
        && !route.hangs_on_request
        && screened.envelope().further.is_empty()
        && target.serves(head.operation, screened.envelope().stream)
    {
        return Ok(Plan { route: Rc::clone(route), first: Some(0), details: None });
    }
    decide(x, head, route, config, screened)
}

/// Whether a request may go on with what one of several accounts has given: by itself, or as the signature that a client
/// of another API was told.
#[inline]
fn may_have_owner(x: &Exchange, head: &Head, route: &LoadedRoute) -> bool {
    match head.operation.dialect() {
        Some(Dialect::OpenaiResponses) => route.has_owners || !x.worker.shared.owners.is_empty(),
        _ => {
            route.has_owners
                && route.is_asked_of_responses(head.operation)
                && !x.worker.shared.owners.is_empty()
        }
    }
}

/// The place that has given what the request goes on with, if that is known: nobody else understands it.
///
/// # Errors
/// 409 when it is not there any more.
fn owner(
    x: &Exchange,
    head: &Head,
    route: &LoadedRoute,
    screened: &Screened,
) -> Result<Option<Place>, Rejection> {
    let envelope = screened.envelope();
    let (mut owner, mut goes_on) = (None, false);
    let body = envelope.body.of(&x.input);
    let found = |keepsake| {
        goes_on = true;
        owner = owner.or_else(|| x.worker.shared.owners.of(keepsake));
    };
    if head.operation.dialect() == Some(Dialect::OpenaiResponses) {
        Keepsakes::default().push(body, found);
    } else {
        routing::sealed(body, found);
    }
    let Some(owner) = owner else {
        // Forgotten, given elsewhere, or made up: whoever is asked says so, and one of several may be the right one.
        if goes_on && route.has_owners && x.caller_credential.is_none() {
            route.cells.unknown_owners.add(1);
        }
        return Ok(None);
    };
    for (index, further) in kin(x, head, route, envelope) {
        let Some(route) = x.loaded.routes.get(index) else { continue };
        for (at, target) in route.targets.iter().enumerate() {
            let provider = x.loaded.providers.get(target.provider);
            if let Some(credential) = provider.and_then(|provider| provider.credential_of(owner)) {
                let place = Place::new(route, at, Account::Only(credential));
                return Ok(Some(Place { further, ..place }));
            }
        }
    }
    Err(owner_gone("is not among the route's any more"))
}

/// Whom the request goes on with may be behind another route than it leads to today: what rules look at changes from
/// turn to turn, and the next of several models may have answered. Each route with which of the further models it is
/// for; the likely ones first, some of them twice.
#[cold]
fn kin(x: &Exchange, head: &Head, route: &LoadedRoute, envelope: &Envelope) -> Vec<(usize, u8)> {
    let snapshot = &x.loaded.snapshot;
    let named = |name: &str| snapshot.names.route(name, head.operation.dialect());
    let written = envelope.model(&x.input).ok().flatten();
    let first = written.and_then(|name| named(&name)).map(|at| (at, 0));
    let further = envelope.further.iter().zip(1..);
    let further =
        further.flat_map(|(model, at)| [Some(model.route.index), named(&model.name)].map(|i| Some((i?, at))));
    let mut all = Vec::new();
    for (index, further) in std::iter::once((route.index, 0)).chain(first).chain(further.flatten()) {
        let rules = snapshot.routes.get(index).map(|route| route.rules.as_slice()).unwrap_or_default();
        for at in std::iter::once(index).chain(rules.iter().map(|rule| rule.route)) {
            let fallbacks =
                snapshot.routes.get(at).map(|route| route.fallbacks.as_slice()).unwrap_or_default();
            all.extend(std::iter::once(at).chain(fallbacks.iter().copied()).map(|at| (at, further)));
        }
    }
    all
}

/// What only one account understands cannot be answered, and why.
pub(super) fn owner_gone(why: &str) -> Rejection {
    Rejection::new(
        Code::OwnerGone,
        format!(
            "the account that gave what this request goes on with (`previous_response_id` or encrypted reasoning) {why}, and no other understands it. hint: begin the conversation anew, with its text"
        ),
    )
}

fn decide(
    x: &mut Exchange,
    head: &Head,
    route: &Rc<LoadedRoute>,
    config: &Route,
    screened: &Screened,
) -> Result<Plan, Rejection> {
    let ask = ask(x, head, route, config, screened);
    let moment = Moment::new(x, route, head, screened);
    let random = x.worker.random();
    let decided = route.picker.borrow_mut().decide(config, &ask, &moment, random);
    let first = decided.as_ref().ok().map(|decision| decision.target);
    let shown = x.asks_for_debug().then(|| shown(config, route, &ask, &moment, first).into());
    match decided {
        Ok(decision) => {
            if decision.excluded > 0 || decision.standing != Standing::Ready {
                count_excluded(config, route, &ask, &moment, decision.standing);
            }
            if config.strategy == Strategy::Cost
                && config
                    .targets
                    .get(decision.target)
                    .is_some_and(|target| moment.facts(target).price.is_none())
            {
                route.cells.unpriced.add(1);
            }
        }
        Err(reason) => {
            count_excluded(config, route, &ask, &moment, Standing::Excluded);
            if !can_fall_back(x, head, config, &ask, screened) {
                x.facts.decision = shown;
                return Err(match reason {
                    Exclusion::Lacks(capability) => lacking(config, capability),
                    Exclusion::Operation | Exclusion::ContextWindow => mismatch(x, head, config),
                });
            }
        }
    }
    x.facts.decision = shown;
    let details = Some(Box::new(Details { ask, ..Details::default() }));
    Ok(Plan { route: Rc::clone(route), first, details })
}

/// What the request asks for, as far as the route's decision hangs on it.
fn ask(x: &Exchange, head: &Head, route: &LoadedRoute, config: &Route, screened: &Screened) -> Ask {
    let envelope = screened.envelope();
    let body = envelope.body.of(&x.input);
    let mut ask = Ask::default();
    let snapshot = &x.loaded.snapshot;
    let further = envelope.further.iter().filter_map(|model| snapshot.routes.get(model.route.index));
    let chain = || snapshot.chain(config).chain(further.clone());
    if ((route.hangs_on_request && chain().any(|route| route.looks_at_needs(snapshot)))
        || !envelope.further.is_empty())
        && let Some(dialect) = head.operation.dialect()
    {
        ask.needs = routing::needs(body, dialect, &envelope.scan);
        ask.output_tokens = routing::output_tokens(&envelope.scan, route.output_tokens.get());
    }
    if let Some(config) = chain().find(|route| route.strategy == Strategy::Affinity) {
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
    let fallbacks = config.fallbacks.iter().filter_map(|index| x.loaded.routes.get(*index));
    let further = screened.envelope().further.iter().map(|model| &model.route).zip(1..);
    fallbacks.map(|route| (route, 0)).chain(further).any(|(route, further)| {
        let Some(config) = x.loaded.snapshot.routes.get(route.index) else { return false };
        let moment = Moment::new(x, route, head, screened).of_further(further);
        let can = |(at, target)| {
            !matches!(moment.exclusion(at, target, ask), Some(Exclusion::Operation | Exclusion::Lacks(_)))
        };
        config.targets.iter().enumerate().any(can)
    })
}

/// Counts who was left out and why, and a first choice that is not as good as any.
#[cold]
fn count_excluded(config: &Route, route: &LoadedRoute, ask: &Ask, moment: &Moment<'_>, standing: Standing) {
    for (at, target) in config.targets.iter().enumerate() {
        let reason = moment.exclusion(at, target, ask);
        if let Some(cell) = reason.and_then(|reason| route.cells.exclusions.get(reason.index())) {
            cell.add(1);
        }
    }
    if let Some(cell) = route.cells.last_resorts.get(standing as usize) {
        cell.add(1);
    }
}

/// How the targets stand, for whoever asks, in the order in which they are tried and then those that are not:
/// `up/gpt-x=ready, other/m=excluded:vision`.
#[cold]
fn shown(
    config: &Route,
    route: &LoadedRoute,
    ask: &Ask,
    moment: &Moment<'_>,
    first: Option<usize>,
) -> String {
    let snapshot = &moment.x.loaded.snapshot;
    let picker = route.picker.borrow();
    let mut order = first.map(|first| picker.order(config, ask, moment, first)).unwrap_or_default();
    let others: Vec<usize> = (0..config.targets.len()).filter(|at| !order.contains(at)).collect();
    order.extend(others);
    let targets = order.into_iter().filter_map(|at| {
        let target = config.targets.get(at)?;
        let written = moment.x.facts.names.as_ref().and_then(|names| names.first());
        let name = routing::asked_at(snapshot, target, written.map(|name| &**name));
        Some(match moment.exclusion(at, target, ask) {
            Some(reason) => format!("{name}={}:{}", picker.standing(at).name(), reason.name()),
            None => format!("{name}={}", picker.standing(at).name()),
        })
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
        return Some(keepers(x, head));
    }
    if screened.envelope().scan.model.is_some() {
        return None;
    }
    // What is made there, a file, say, is there only: always the same account is asked.
    let snapshot = &x.loaded.snapshot;
    let targets = &snapshot.routes.get(route.index)?.targets;
    let target = targets.iter().position(|target| target.serves(snapshot, head.operation))?;
    Some(vec![Place::new(route, target, Account::Only(0))])
}

/// Every account that may have kept a response: each credential of each provider once, and first the one that is known
/// to have given it. Its id does not say whose it is, and another instance, or this one after a restart, finds it too.
fn keepers(x: &Exchange, head: &Head) -> Vec<Place> {
    let owner = giver(x, head);
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
            let provider = x.loaded.providers.get(target.provider);
            let owns = owner.and_then(|owner| provider?.credential_of(owner));
            places.extend((0..accounts.max(1)).map(|credential| {
                (owns != Some(credential), Place::new(loaded, at, Account::Only(credential)))
            }));
        }
    }
    places.sort_by_key(|(is_other, _)| *is_other);
    places.into_iter().map(|(_, place)| place).collect()
}

/// Who gave the response that the path names, if that is known.
fn giver(x: &Exchange, head: &Head) -> Option<Owner> {
    let rest = head.model_id.of(&x.input);
    let id = rest.split(|byte| *byte == b'/').next()?;
    let mut owner = None;
    // As it stands in the reply that gave it.
    let quoted = [b"\"".as_slice(), id, b"\"".as_slice()].concat();
    Keepsakes::default().push(&quoted, |keepsake| owner = x.worker.shared.owners.of(keepsake));
    owner
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
