//! A route: the targets a model name stands for, and the policy on the way there.

use serde::{Deserialize, Serialize};

use super::{ModelFacts, Provider, Snapshot, SnapshotError};
use crate::routing::Rule;
use crate::surface::Operation;
use crate::{breaker, hedge, retry};

/// Where a model name leads, and under which rules.
#[derive(Debug)]
pub struct Route {
    /// Name in the configuration, unique; also in logs and metrics.
    pub name: String,
    /// The names that lead here; a pattern is a name or ends in `*`. None for one that is only found otherwise.
    pub models: Vec<String>,
    /// Paths below an API's version that are passed on unread; see [`covers`](crate::pass_through::covers).
    pub pass_through: Vec<String>,
    /// Where some requests go instead; the first that holds counts.
    pub rules: Vec<Rule>,
    /// How a target is picked.
    pub strategy: Strategy,
    /// What belongs together, where the strategy asks.
    pub affinity: AffinityBy,
    /// Who ranks the targets instead, where that answers in time.
    pub policy: Option<RoutePolicy>,
    /// At least one.
    pub targets: Vec<Target>,
    /// The exact cache, if this route has one.
    pub cache: Option<Cache>,
    /// How long to wait for what.
    pub deadlines: Deadlines,
    /// Routes whose targets are tried after this one's own, in this order; indices into
    /// [`super::Snapshot::routes`].
    pub fallbacks: Vec<usize>,
    /// How a request is tried again.
    pub retry: retry::Policy,
    /// When a target that fails is left alone; `None`: never.
    pub breaker: Option<breaker::Policy>,
    /// Whether a stream goes to the client only once it has said something, so that an error told before
    /// that can still be answered by another target.
    pub commit_point: bool,
    /// Whether streams are asked for their usage although their client did not ask.
    pub ask_usage: bool,
    /// How requests are put into other words, where a target speaks another dialect than the client.
    pub translation: TranslationPolicy,
    /// When a second attempt is started beside the first; `None`: never.
    pub hedge: Option<hedge::Policy>,
    /// The provider that gets the caller's own credential in place of ours, wherever on this route's way it is
    /// asked; index into [`super::Snapshot::providers`].
    pub caller_credential: Option<usize>,
    /// Hash of everything in the route that shapes a reply; part of the cache key.
    pub policy_hash: String,
}

/// How a target is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// In turn, smoothly by weight (nginx's smooth weighted round robin; equal weights when not given).
    RoundRobin,
    /// At random, by weight.
    Weighted,
    /// The first one; the next when it cannot be reached.
    Ordered,
    /// The one that is busy with the fewest requests, relative to its weight.
    LeastInFlight,
    /// The one whose first token comes sooner, of two at random; by its average and what it is busy with.
    Latency,
    /// The one where the request is expected to cost least.
    Cost,
    /// The same one for everything that belongs together, by weight.
    Affinity,
}

/// What a request belongs to, for [`Strategy::Affinity`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AffinityBy {
    /// The conversation it goes on with.
    Conversation,
    /// Its caller's key.
    Key,
    /// The value of this header field, by its lower-case name; the conversation where that is not sent.
    Header(String),
}

/// A policy of the operator's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutePolicy {
    /// The name under which it answers.
    pub name: String,
    /// How long it is waited for.
    pub deadline_ms: u32,
}

/// One place a request may go.
#[derive(Debug)]
pub struct Target {
    /// Index into [`super::Snapshot::providers`].
    pub provider: usize,
    /// The model name to send.
    pub model: ModelName,
    /// Share of the traffic, relative to the other targets; above 0.
    pub weight: u32,
    /// What is known of the model.
    pub facts: ModelFacts,
}

impl Route {
    /// Whether a decision hangs on what a request needs, so that its body has to be looked into.
    pub fn looks_at_needs(&self, snapshot: &Snapshot) -> bool {
        self.strategy == Strategy::Cost
            || self.policy.is_some()
            || snapshot.knows_named_models(self)
            || self.targets.iter().any(|t| !t.facts.lacks.is_empty() || t.facts.context_window.is_some())
    }
}

impl Target {
    /// Whether it serves an operation as it is.
    pub fn serves(&self, snapshot: &Snapshot, operation: Operation) -> bool {
        snapshot.providers.get(self.provider).is_some_and(|provider| provider.path(operation).is_some())
    }
}

/// The model name sent upstream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelName {
    /// As the client wrote it.
    Same,
    /// What follows the first `/` of what the client wrote.
    Rest,
    /// This one.
    Fixed(String),
}

impl ModelName {
    /// Whether it is the same whatever the client writes.
    pub fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }

    /// The name to send for what the client wrote.
    pub fn of<'a>(&'a self, written: &'a str) -> &'a str {
        match self {
            Self::Fixed(name) => name,
            Self::Same => written,
            Self::Rest => written.split_once('/').map_or(written, |(_, rest)| rest),
        }
    }

    /// The name where it is fixed, else `*`: for labels and messages, which must not hold what clients write.
    pub fn label(&self) -> &str {
        match self {
            Self::Fixed(name) => name,
            Self::Same | Self::Rest => "*",
        }
    }
}

/// Settings of the exact cache on a route.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// How long a stored reply is served, in milliseconds.
    pub ttl_ms: u64,
    /// Largest reply that is stored, in bytes.
    pub reply_bytes_max: u64,
}

/// How a route translates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranslationPolicy {
    /// Whether a request that cannot be carried over whole is refused.
    pub strict: bool,
    /// Whether prompts are marked for the provider's cache where their client marks nothing.
    pub cache_breakpoints: bool,
    /// The bound on generated tokens where the client sets none and the target's dialect insists on one.
    pub max_tokens: u64,
}

/// How long to wait, in milliseconds; 0 stands for no limit.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// For a connection, name look-up and TLS included.
    pub connect_ms: u32,
    /// From the request being sent to the first byte of the reply.
    pub first_byte_ms: u32,
    /// Between two reads of the reply.
    pub progress_ms: u32,
    /// For everything together.
    pub total_ms: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteDoc {
    name: String,
    models: Vec<String>,
    pass_through: Vec<String>,
    rules: Vec<Rule>,
    strategy: Strategy,
    affinity: AffinityBy,
    policy: Option<RoutePolicy>,
    targets: Vec<TargetDoc>,
    cache: Option<Cache>,
    deadlines: Deadlines,
    fallbacks: Vec<usize>,
    retry: retry::Policy,
    breaker: Option<breaker::Policy>,
    commit_point: bool,
    ask_usage: bool,
    translation: TranslationPolicy,
    hedge: Option<hedge::Policy>,
    caller_credential: Option<usize>,
    policy_hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetDoc {
    provider: usize,
    model: ModelName,
    weight: u32,
    facts: ModelFacts,
}

impl RouteDoc {
    pub(super) fn resolve(
        self,
        at: usize,
        routes: usize,
        providers: &[Provider],
    ) -> Result<Route, SnapshotError> {
        let path = format!("routes[{at}]");
        self.check(&path, at, routes)?;
        if let Some(at) = self.caller_credential
            && providers.get(at).is_none_or(|provider| provider.auth_field().is_none())
        {
            let message = format!("{at} names none of the providers that are shown a credential in a field");
            return Err(SnapshotError::at(format!("{path}.caller_credential"), message));
        }
        if self.targets.is_empty() {
            return Err(SnapshotError::at(format!("{path}.targets"), "is empty"));
        }
        let targets = self
            .targets
            .into_iter()
            .enumerate()
            .map(|(at, t)| {
                if t.provider >= providers.len() {
                    return Err(SnapshotError::at(
                        format!("{path}.targets[{at}].provider"),
                        format!("{} names none of the {} providers", t.provider, providers.len()),
                    ));
                }
                if t.weight == 0 {
                    return Err(SnapshotError::at(format!("{path}.targets[{at}].weight"), "must be above 0"));
                }
                Ok(Target { provider: t.provider, model: t.model, weight: t.weight, facts: t.facts })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Route {
            name: self.name,
            models: self.models,
            pass_through: self.pass_through,
            rules: self.rules,
            strategy: self.strategy,
            affinity: self.affinity,
            policy: self.policy,
            targets,
            cache: self.cache,
            deadlines: self.deadlines,
            fallbacks: self.fallbacks,
            retry: self.retry,
            breaker: self.breaker,
            commit_point: self.commit_point,
            ask_usage: self.ask_usage,
            translation: self.translation,
            hedge: self.hedge,
            caller_credential: self.caller_credential,
            policy_hash: self.policy_hash,
        })
    }

    fn check(&self, path: &str, own: usize, routes: usize) -> Result<(), SnapshotError> {
        for (at, fallback) in self.fallbacks.iter().enumerate() {
            if *fallback >= routes || *fallback == own {
                let message = format!("{fallback} names none of the {routes} routes, or the route itself");
                return Err(SnapshotError::at(format!("{path}.fallbacks[{at}]"), message));
            }
        }
        for (at, rule) in self.rules.iter().enumerate() {
            if rule.route >= routes {
                let message = format!("{} names none of the {routes} routes", rule.route);
                return Err(SnapshotError::at(format!("{path}.rules[{at}].route"), message));
            }
        }
        let percent = [
            ("retry.budget_percent", self.retry.budget_percent),
            ("breaker.failure_percent", self.breaker.map_or(0, |b| u32::from(b.failure_percent))),
            ("hedge.spend_percent", self.hedge.map_or(0, |h| h.spend_percent)),
        ];
        for (name, value) in percent {
            if value > 100 {
                return Err(SnapshotError::at(format!("{path}.{name}"), "must be at most 100"));
            }
        }
        if self.retry.attempts_max == 0 {
            return Err(SnapshotError::at(format!("{path}.retry.attempts_max"), "must be above 0"));
        }
        if self.breaker.is_some_and(|b| b.failures == 0 || b.probes == 0 || b.window_ms == 0) {
            let message = "`failures`, `probes` and `window_ms` must be above 0";
            return Err(SnapshotError::at(format!("{path}.breaker"), message));
        }
        Ok(())
    }
}
