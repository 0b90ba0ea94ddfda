//! A snapshot made ready for one worker: header blocks rendered, pools and counters found, pickers fresh.
//!
//! Built when the worker sees a new epoch; a request keeps the one it started with.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use llm_edge_core::breaker;
use llm_edge_core::hedge::Slow;
use llm_edge_core::http1::{HeadLimits, write};
use llm_edge_core::retry::Budget;
use llm_edge_core::routing::{OUTPUT_TOKENS, Picker, identity};
use llm_edge_core::sigv4::{self, Scope};
use llm_edge_core::snapshot::{
    AuthField, KnownModel, Limits, ModelFacts, Provider, Route, Snapshot, Strategy, Target,
};
use llm_edge_core::strategy::rendezvous;
use llm_edge_core::strategy::round_robin::Smooth;
use llm_edge_core::surface::Operation;

use crate::backends::owners::Owner;
use crate::backends::policies::Asker;
use crate::backends::upstream::Origin;
use crate::caller_credential::Fields;
use crate::load::Load;
use crate::shared::{Credential, Health, SharedBreaker};
use crate::telemetry::bank::{KeyCells, RouteCells, TargetCells, TargetLabels};
use crate::worker::Worker;

/// See the module.
pub(crate) struct Loaded {
    pub(crate) epoch: u64,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) routes: Vec<Rc<LoadedRoute>>,
    pub(crate) providers: Vec<LoadedProvider>,
    pub(crate) head_limits: HeadLimits,
    pub(crate) upstream_head_limits: HeadLimits,
}

/// What a worker keeps for one route.
#[expect(clippy::struct_excessive_bools, reason = "separate facts about a route, not one state")]
pub(crate) struct LoadedRoute {
    pub(crate) index: usize,
    /// Several accounts may be asked, here or where rules lead, so that it matters who has given what a request goes
    /// on with.
    pub(crate) has_owners: bool,
    /// Rules may lead requests elsewhere.
    pub(crate) has_rules: bool,
    /// A decision, be it among its fallbacks' targets, hangs on what is asked.
    pub(crate) hangs_on_request: bool,
    /// Whether clients of chat completions may have been told reasoning here.
    pub(crate) mixes_reasoning: bool,
    /// What is asked of `OpenAI`'s responses in other words, whoever of them is asked, a bit for each operation.
    asked_of_responses: u32,
    /// Something is known of models that clients name.
    pub(crate) knows_named_models: bool,
    /// Tokens that are generated, on average, where the strategy goes by that.
    pub(crate) output_tokens: Cell<u64>,
    pub(crate) picker: RefCell<Picker>,
    /// Who ranks the targets, and how long it is waited for.
    pub(crate) policy: Option<(Asker, Duration)>,
    pub(crate) cells: Arc<RouteCells>,
    /// Those of its callers by their names, where they are counted.
    pub(crate) keys: Option<RefCell<HashMap<String, Arc<KeyCells>>>>,
    /// The provider that gets the caller's own credential, by its index.
    pub(crate) caller_credential: Option<usize>,
    pub(crate) targets: Vec<LoadedTarget>,
    pub(crate) retry_budget: RefCell<Budget>,
    pub(crate) hedge_budget: RefCell<Budget>,
    /// How long slow first bytes take, where hedging asks for it.
    pub(crate) slow: RefCell<Slow>,
}

impl LoadedRoute {
    /// Whether an operation of another API is answered by `OpenAI`'s responses, whoever is asked.
    #[inline]
    pub(crate) fn is_asked_of_responses(&self, operation: Operation) -> bool {
        self.asked_of_responses >> operation as u32 & 1 == 1
    }

    /// A reply had so many tokens.
    pub(crate) fn generated(&self, tokens: u64) {
        let usual = self.output_tokens.get();
        self.output_tokens.set(usual - usual / 16 + tokens / 16);
    }
}

/// What a worker keeps for one target.
pub(crate) struct LoadedTarget {
    /// Index of its provider.
    pub(crate) provider: usize,
    pub(crate) cells: Arc<TargetCells>,
    /// With its route's rules for it.
    pub(crate) breaker: Option<(breaker::Policy, Arc<SharedBreaker>)>,
    /// What it is busy with, where a choice goes by that.
    pub(crate) load: Option<Arc<Load>>,
    /// What it serves, a bit for each operation: whole replies, streams.
    serves: [u32; 2],
}

impl LoadedTarget {
    /// Whether it serves an operation, be it in other words.
    #[inline]
    pub(crate) fn serves(&self, operation: Operation, stream: bool) -> bool {
        let [whole, streams] = self.serves;
        (if stream { streams } else { whole }) & (1 << operation as u32) != 0
    }
}

fn served(provider: Option<&Provider>) -> [u32; 2] {
    let bit = |stream: bool, operation: Operation| {
        let serves = provider.is_some_and(|p| p.serve(operation, stream).is_some());
        u32::from(serves) << operation as u32
    };
    [false, true].map(|stream| Operation::ALL.into_iter().fold(0, |bits, o| bits | bit(stream, o)))
}

const _: () = assert!(Operation::ALL.len() <= 32, "a bit for each");

/// A target of a route: where a request may go.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) route: Rc<LoadedRoute>,
    /// Index into the route's targets; 32 bits keep the whole, which is moved about, as small as it can be.
    pub(crate) target: u32,
    /// Which of its provider's accounts is to be asked.
    pub(crate) account: Account,
    /// Which of the models that the client would have asked next; 0 for the one it asks for.
    pub(crate) further: u8,
    /// Its model among those known of the provider, where the client names it.
    pub(crate) known: Option<KnownModel>,
}

/// One of a provider's accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// The next in turn.
    Next,
    /// The one that all have to whom this number belongs.
    Of(u64),
    /// The one with this credential, and no other.
    Only(usize),
}

impl Place {
    /// The target at that index of the route's, asked for by the name that the client has put first.
    pub(crate) fn new(route: &Rc<LoadedRoute>, target: usize, account: Account) -> Self {
        // No configuration has so many; if one had, nobody would be found there.
        let target = u32::try_from(target).unwrap_or(u32::MAX);
        Self { route: Rc::clone(route), target, account, further: 0, known: None }
    }

    /// What the snapshot says of the target.
    pub(crate) fn target<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Target> {
        snapshot.routes.get(self.route.index)?.targets.get(self.target as usize)
    }

    /// What is known of its model.
    pub(crate) fn facts<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a ModelFacts> {
        Some(snapshot.facts_of(self.target(snapshot)?, self.known))
    }

    /// Whether it stands in for what was asked for: the route with this index, and the model by which it was found.
    pub(crate) fn is_fallback(&self, asked: Option<usize>) -> bool {
        asked != Some(self.route.index) || self.further > 0
    }

    /// What this worker keeps for it.
    pub(crate) fn loaded(&self) -> Option<&LoadedTarget> {
        self.route.targets.get(self.target as usize)
    }
}

/// What a worker keeps for one provider.
pub(crate) struct LoadedProvider {
    pub(crate) name: Rc<str>,
    /// By which it is known in every snapshot.
    identity: u64,
    pub(crate) origin: Rc<Origin>,
    /// `host: …` and the fields that are always sent, each ended by CRLF.
    pub(crate) fixed_fields: Vec<u8>,
    /// `authorization: Bearer `, to be followed by a credential.
    auth_field: Vec<u8>,
    /// The same, for operations that want it in another way.
    operation_auth: Vec<(Operation, Vec<u8>)>,
    /// What requests are signed for, where no field carries the credential.
    pub(crate) scope: Option<Scope>,
    /// Fields by which it is told who asks.
    pub(crate) credential_fields: Fields,
    /// Lower-case names of the fields that replace the client's.
    pub(crate) replaced: Vec<Vec<u8>>,
    pub(crate) credentials: Vec<Arc<Credential>>,
    /// By which each is known wherever it is used.
    credential_identities: Vec<u64>,
    credential_weights: Vec<u32>,
    /// Whose turn it is.
    credential_turns: RefCell<Smooth>,
    /// What its probes say, if it has any.
    pub(crate) health: Option<Arc<Health>>,
}

/// Whether it matters what a request needs or belongs to, for a route or one of its fallbacks.
fn hangs_on_request(snapshot: &Snapshot, asked: &Route) -> bool {
    let hangs = |route: &Route| {
        route.strategy == Strategy::Affinity || (has_choice(asked) && route.looks_at_needs(snapshot))
    };
    snapshot.chain(asked).any(hangs)
}

/// Whether a request may go to one target or another.
fn has_choice(route: &Route) -> bool {
    route.targets.len() > 1 || !route.fallbacks.is_empty()
}

/// Who may be asked for the models of a route: its own providers, those where its rules lead or whose rules lead to it,
/// and all their fallbacks'.
fn related(snapshot: &Snapshot, index: usize) -> BTreeSet<usize> {
    let leads_here = |route: &Route| route.rules.iter().any(|rule| rule.route == index);
    let related = snapshot.routes.iter().enumerate().filter(|(at, route)| *at == index || leads_here(route));
    related
        .flat_map(|(_, route)| std::iter::once(route).chain(snapshot.led(route)))
        .flat_map(|route| snapshot.chain(route))
        .flat_map(|route| &route.targets)
        .map(|target| target.provider)
        .collect()
}

/// How many accounts may be asked for the models of a route.
fn accounts(snapshot: &Snapshot, related: &BTreeSet<usize>) -> usize {
    let of = |at: &usize| snapshot.providers.get(*at).map_or(0, |provider| provider.credentials.len().max(1));
    related.iter().map(of).sum()
}

/// What all who may be asked for the models of a route put to `OpenAI`'s responses in other words: a bit for each
/// operation. Where others may be asked too, one of them that is there again is the better place.
fn asked_of_responses(snapshot: &Snapshot, related: &BTreeSet<usize>) -> u32 {
    let is_asked = |operation: Operation| {
        let served: Vec<_> = related
            .iter()
            .filter_map(|at| snapshot.providers.get(*at))
            .flat_map(|provider| [false, true].map(|stream| provider.serve(operation, stream)))
            .flatten()
            .map(|served| served.translation.is_some() && served.operation == Operation::Responses)
            .collect();
        !served.is_empty() && served.into_iter().all(|is_asked| is_asked)
    };
    let bit = |operation: &Operation| u32::from(is_asked(*operation)) << *operation as u32;
    Operation::ALL.iter().map(bit).sum()
}

/// Whether one of several who may be asked tells chat clients reasoning, which others may refuse. Looked at for each route:
/// to look for it in every chat request would cost as much as all else that is done with one.
fn mixes_reasoning(snapshot: &Snapshot, related: &BTreeSet<usize>) -> bool {
    let tells = |provider: &Provider| {
        provider.replays_reasoning.is_some()
            || provider.takes_extra_content
            || provider.translates(Operation::ChatCompletions)
    };
    related.len() > 1 && related.iter().filter_map(|at| snapshot.providers.get(*at)).any(tells)
}

impl Loaded {
    /// Nothing yet: what a worker holds while it builds its first one.
    pub(crate) fn unbuilt(snapshot: Arc<Snapshot>) -> Self {
        let none = HeadLimits { head_bytes_max: 0, headers_max: 0, target_bytes_max: 0 };
        Self {
            epoch: 0,
            snapshot,
            routes: Vec::new(),
            providers: Vec::new(),
            head_limits: none,
            upstream_head_limits: none,
        }
    }

    /// Makes a snapshot ready for `worker`.
    ///
    /// # Errors
    /// When an origin's certificates cannot be used.
    pub(crate) fn build(worker: &Worker, epoch: u64, snapshot: Arc<Snapshot>) -> Result<Self, String> {
        let providers = snapshot
            .providers
            .iter()
            .map(|provider| LoadedProvider::build(worker, provider, &snapshot.limits))
            .collect::<Result<Vec<_>, _>>()?;
        let routes = snapshot
            .routes
            .iter()
            .enumerate()
            .map(|(index, route)| {
                // Who is alone is asked, however busy it is.
                let goes_by_load =
                    has_choice(route) && (route.strategy.goes_by_load() || route.policy.is_some());
                let targets = route
                    .targets
                    .iter()
                    .map(|target| {
                        let provider = snapshot.providers.get(target.provider);
                        let labels = TargetLabels {
                            route: route.name.clone(),
                            provider: provider.map(|p| p.name.clone()).unwrap_or_default(),
                            // Only names from the configuration: what clients write has no bound.
                            model: target.model.label().to_owned(),
                        };
                        LoadedTarget {
                            load: goes_by_load.then(|| worker.shared.loads.of(&labels)),
                            provider: target.provider,
                            serves: served(provider),
                            breaker: route.breaker.map(|policy| (policy, worker.shared.breakers.of(&labels))),
                            cells: worker.bank.target(labels),
                        }
                    })
                    .collect();
                let related = related(&snapshot, index);
                Rc::new(LoadedRoute {
                    index,
                    policy: route.policy.as_ref().filter(|_| route.targets.len() > 1).and_then(|policy| {
                        let asker = worker.shared.policies.of(&policy.name)?;
                        Some((asker, Duration::from_millis(u64::from(policy.deadline_ms))))
                    }),
                    has_owners: accounts(&snapshot, &related) > 1,
                    has_rules: !route.rules.is_empty(),
                    hangs_on_request: hangs_on_request(&snapshot, route),
                    mixes_reasoning: mixes_reasoning(&snapshot, &related),
                    asked_of_responses: asked_of_responses(&snapshot, &related),
                    knows_named_models: snapshot.knows_named_models(route),
                    output_tokens: Cell::new(OUTPUT_TOKENS),
                    picker: RefCell::new(Picker::new(route, |target| identity(&snapshot, target))),
                    cells: worker.bank.route(route.name.clone()),
                    keys: snapshot.metrics_by_key.then(RefCell::default),
                    caller_credential: route.caller_credential,
                    targets,
                    retry_budget: RefCell::new(Budget::new(route.retry.budget_percent)),
                    hedge_budget: RefCell::new(Budget::new(route.hedge.map_or(0, |h| h.spend_percent))),
                    slow: RefCell::default(),
                })
            })
            .collect();
        let limits = &snapshot.limits;
        let head_limits = HeadLimits {
            head_bytes_max: limits.head_bytes_max as usize,
            headers_max: usize::from(limits.headers_max),
            target_bytes_max: limits.target_bytes_max as usize,
        };
        let upstream_head_limits = HeadLimits {
            head_bytes_max: limits.upstream_head_bytes_max as usize,
            headers_max: 1000,
            target_bytes_max: 0,
        };
        Ok(Self { epoch, snapshot, routes, providers, head_limits, upstream_head_limits })
    }
}

impl LoadedProvider {
    fn build(worker: &Worker, provider: &Provider, limits: &Limits) -> Result<Self, String> {
        let mut fixed_fields = Vec::new();
        write::field(&mut fixed_fields, b"host", provider.host_header.as_bytes());
        // Plain text lets usage and terminal events be seen; a provider that compresses all the same is
        // passed on as it is.
        let own_encoding = provider.headers.iter().any(|(name, _)| name == "accept-encoding");
        if !own_encoding {
            write::field(&mut fixed_fields, b"accept-encoding", b"identity");
        }
        for (name, value) in &provider.headers {
            write::field(&mut fixed_fields, name.as_bytes(), value.as_bytes());
        }
        let auth_field = |auth: &AuthField| format!("{}: {}", auth.header, auth.prefix).into_bytes();
        Ok(Self {
            name: provider.name.as_str().into(),
            identity: rendezvous::identity(&provider.name),
            origin: worker.origin(&provider.origin, limits)?,
            fixed_fields,
            auth_field: provider.auth_field().map(auth_field).unwrap_or_default(),
            operation_auth: provider
                .operation_auth
                .iter()
                .map(|(op, auth)| (*op, auth_field(auth)))
                .collect(),
            scope: provider.signature().cloned(),
            credential_fields: Fields::that_carry_credentials(
                provider
                    .auth_field()
                    .into_iter()
                    .chain(provider.operation_auth.values())
                    .map(|auth| auth.header.as_str()),
            ),
            replaced: provider
                .headers
                .iter()
                .map(|(name, _)| name)
                .chain(
                    provider
                        .auth_field()
                        .into_iter()
                        .chain(provider.operation_auth.values())
                        .map(|auth| &auth.header),
                )
                .chain(&provider.withheld_headers)
                .map(|name| name.as_bytes().to_vec())
                .chain(
                    provider
                        .signature()
                        .iter()
                        .flat_map(|_| sigv4::OWN_FIELDS)
                        .map(|name| name.as_bytes().to_vec()),
                )
                // W3C baggage may hold what the caller's own services tell each other.
                .chain([b"baggage".to_vec()])
                .collect(),
            credentials: provider
                .credentials
                .iter()
                .map(|slot| worker.shared.credentials.slot(slot))
                .collect(),
            credential_identities: provider.accounts.iter().map(|word| rendezvous::identity(word)).collect(),
            credential_weights: provider.credential_weights.clone(),
            credential_turns: RefCell::new(Smooth::new(provider.credentials.len())),
            health: provider.health.as_ref().map(|_| worker.shared.healths.of(&provider.name)),
        })
    }

    /// What stands before the credential of a request for `operation`, or of a probe.
    #[inline]
    pub(crate) fn auth_field(&self, operation: Option<Operation>) -> &[u8] {
        let own = self.operation_auth.iter().find(|(known, _)| Some(*known) == operation);
        own.map_or(&self.auth_field, |(_, field)| field)
    }

    /// The next credential in turn with its index, if the provider has any. One that rests is passed over as
    /// long as another does not.
    pub(crate) fn credential(&self, now_ms: u64) -> Option<(usize, &Credential)> {
        let at = if self.credentials.len() < 2 {
            0
        } else {
            let all_rest = self.rests(now_ms);
            let may = |at: usize| all_rest || self.credentials.get(at).is_some_and(|c| !c.rests(now_ms));
            self.credential_turns.borrow_mut().pick(&self.credential_weights, may)
        };
        self.credentials.get(at).map(|credential| (at, credential.as_ref()))
    }

    /// The account that one of its credentials stands for.
    pub(crate) fn owner(&self, credential: Option<usize>) -> Owner {
        let identity = credential.and_then(|at| self.credential_identities.get(at));
        Owner { provider: self.identity, credential: identity.copied().unwrap_or_default() }
    }

    /// The credential of an account of its, if it still has it; 0 where it needs none.
    pub(crate) fn credential_of(&self, owner: Owner) -> Option<usize> {
        if owner.provider != self.identity {
            return None;
        }
        if self.credential_identities.is_empty() {
            return (owner.credential == 0).then_some(0);
        }
        self.credential_identities.iter().position(|identity| *identity == owner.credential)
    }

    /// The credential for what belongs together, with its index. One that rests is passed over as long as another
    /// does not.
    #[cold]
    pub(crate) fn credential_by(&self, affinity: u64, now_ms: u64) -> Option<(usize, &Credential)> {
        let all_rest = self.rests(now_ms);
        let known = self.credential_identities.iter().zip(&self.credential_weights);
        let best = self
            .credentials
            .iter()
            .zip(known)
            .enumerate()
            .filter(|(_, (credential, _))| all_rest || !credential.rests(now_ms))
            .map(|(at, (_, (identity, weight)))| (at, rendezvous::score(affinity, *identity, *weight)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        best.and_then(|(at, _)| self.credentials.get(at).map(|credential| (at, credential.as_ref())))
    }

    /// Whether others are asked first: its probes fail, or every credential of ours rests, where the caller
    /// has not brought one.
    pub(crate) fn is_last_resort(&self, now_ms: u64, credential_is_callers: bool) -> bool {
        self.health.as_ref().is_some_and(|health| health.is_down())
            || (!credential_is_callers && self.rests(now_ms))
    }

    /// Whether every credential rests, so that only asking would show whether one is taken again.
    pub(crate) fn rests(&self, now_ms: u64) -> bool {
        !self.credentials.is_empty() && self.credentials.iter().all(|credential| credential.rests(now_ms))
    }
}
