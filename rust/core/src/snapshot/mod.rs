//! The snapshot: everything a request needs to know, compiled by Python, immutable, swapped whole.
//!
//! The wire form is JSON (msgspec writes it, serde reads it, unknown fields are refused on both sides).
//! [`Snapshot::parse`] turns it into a form in which invalid states cannot be written down: indices are
//! resolved, header bytes are ready to send. A snapshot that does not parse changes nothing.

mod fact;
mod limit;
mod name;
mod provider;
mod route;

pub use fact::{KnownModel, KnownModels, ModelFacts};
pub use limit::{Limits, RequestLog, RequestLogMode};
pub use name::{Model, Names};
pub use provider::{
    Auth, AuthField, Between, ClientCertificate, HealthProbe, Http2, Origin, PathTemplate, Provider, Proxy,
    Scheme, Served,
};
pub use route::{
    AffinityBy, Cache, Deadlines, ModelName, Route, RoutePolicy, Strategy, Target, TranslationPolicy,
};

use serde::Deserialize;

use crate::surface::{Dialect, Operation};

/// Everything a request needs to know. Shared by all workers behind one `Arc`; a request keeps the one it
/// started with.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "separate choices of the operator, not one state")]
pub struct Snapshot {
    /// xxh3-128 of the JSON, as Python computed it: equal fingerprints mean equal behaviour.
    pub fingerprint: String,
    /// Whether a request without a valid key is refused.
    pub keys_required: bool,
    /// Named limits.
    pub limits: Limits,
    /// Which requests get a log line.
    pub request_log: RequestLog,
    /// Whether a request that asks for it (`x-llm-edge-debug: 1`) is told how it was served.
    pub debug_headers: bool,
    /// Whether tokens and costs are also counted for each caller.
    pub metrics_by_key: bool,
    /// Bytes the in-process exact cache may hold.
    pub cache_bytes_max: u64,
    /// Upstream systems.
    pub providers: Vec<Provider>,
    /// Routes; a request takes exactly one.
    pub routes: Vec<Route>,
    /// Whether any of them passes something on unread.
    pub passes_through: bool,
    /// Whether clients of these APIs may have been given reasoning by others than their makers.
    pub foreign: Foreign,
    /// Model name → route.
    pub names: Names,
    /// What `GET /v1/models` may list.
    pub models: Vec<Model>,
}

/// Which clients may hold reasoning that was told by translation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Foreign {
    messages: bool,
    responses: bool,
    gemini: bool,
}

impl Foreign {
    fn of(providers: &[Provider]) -> Self {
        let any = |surface| providers.iter().any(|provider| provider.translates(surface));
        Self {
            messages: any(Operation::Messages),
            responses: any(Operation::Responses),
            gemini: any(Operation::GenerateContent) || any(Operation::StreamGenerateContent),
        }
    }

    /// Whether clients of this dialect may.
    #[inline]
    pub fn holds(self, dialect: Dialect) -> bool {
        match dialect {
            Dialect::AnthropicMessages => self.messages,
            Dialect::OpenaiResponses => self.responses,
            Dialect::Gemini => self.gemini,
            _ => false,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotDoc {
    version: u32,
    fingerprint: String,
    keys_required: bool,
    limits: Limits,
    request_log: RequestLog,
    debug_headers: bool,
    metrics_by_key: bool,
    cache_bytes_max: u64,
    providers: Vec<provider::ProviderDoc>,
    routes: Vec<route::RouteDoc>,
    names: name::NamesDoc,
    models: Vec<Model>,
}

/// Why a snapshot was refused: the dotted path of the fault and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotError {
    /// Dotted path, such as `routes[2].targets[0].provider`.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl SnapshotError {
    fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl std::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "snapshot: {}: {}", self.path, self.message)
    }
}

impl std::error::Error for SnapshotError {}

impl Snapshot {
    /// A route and its fallbacks, in the order in which they are tried.
    pub fn chain<'a>(&'a self, route: &'a Route) -> impl Iterator<Item = &'a Route> {
        let fallbacks = route.fallbacks.iter().filter_map(|at| self.routes.get(*at));
        std::iter::once(route).chain(fallbacks)
    }

    /// The routes to which the rules of a route may lead.
    pub fn led<'a>(&'a self, route: &'a Route) -> impl Iterator<Item = &'a Route> {
        route.rules.iter().filter_map(|rule| self.routes.get(rule.route))
    }

    /// The model that the client calls so among those known of a target's provider; `None` for the target's own, and
    /// where nothing is known.
    pub fn find_model(&self, target: &Target, written: &str) -> Option<KnownModel> {
        let provider = self.providers.get(target.provider).filter(|_| !target.model.is_fixed());
        provider?.models.find(target.model.of(written))
    }

    /// What is known of a target's model, where [`Self::find_model`] has found this one.
    pub fn facts_of<'a>(&'a self, target: &'a Target, found: Option<KnownModel>) -> &'a ModelFacts {
        let known = || self.providers.get(target.provider)?.models.get(found?);
        known().unwrap_or(&target.facts)
    }

    /// What is known of a target's model, which may be the one that the client calls so.
    pub fn facts<'a>(&'a self, target: &'a Target, written: &str) -> &'a ModelFacts {
        self.facts_of(target, self.find_model(target, written))
    }

    /// Whether a route leads to models that the client names, and of which something may be known.
    pub fn knows_named_models(&self, route: &Route) -> bool {
        let knows = |at: usize| self.providers.get(at).is_some_and(|p| !p.models.is_empty());
        route.targets.iter().any(|target| !target.model.is_fixed() && knows(target.provider))
    }

    /// Whether all targets of a route turn to the models of a request's `models` themselves, and have names of their own
    /// for them.
    pub fn leaves_models(&self, route: &Route) -> bool {
        let leaves = |provider: usize| self.providers.get(provider).is_some_and(|p| p.takes_models);
        route.targets.iter().all(|target| leaves(target.provider))
    }

    /// Reads and checks a snapshot.
    ///
    /// # Errors
    /// [`SnapshotError`] with the dotted path of the first fault: a field that is unknown, missing or of the
    /// wrong type, an index that names nothing, a value outside its range.
    pub fn parse(json: &[u8]) -> Result<Self, SnapshotError> {
        let doc: SnapshotDoc = serde_json::from_slice(json).map_err(|e| {
            SnapshotError::at(format!("line {} column {}", e.line(), e.column()), e.to_string())
        })?;
        if doc.version != 1 {
            return Err(SnapshotError::at(
                "version",
                format!("`{}` is not 1, the only version known", doc.version),
            ));
        }
        doc.limits.check()?;
        let providers = doc
            .providers
            .into_iter()
            .enumerate()
            .map(|(at, p)| p.resolve(&format!("providers[{at}]")))
            .collect::<Result<Vec<_>, _>>()?;
        let count = doc.routes.len();
        let routes = doc
            .routes
            .into_iter()
            .enumerate()
            .map(|(at, r)| r.resolve(at, count, &providers))
            .collect::<Result<Vec<_>, _>>()?;
        let names = doc.names.resolve(routes.len())?;
        Ok(Self {
            fingerprint: doc.fingerprint,
            keys_required: doc.keys_required,
            limits: doc.limits,
            request_log: doc.request_log,
            debug_headers: doc.debug_headers,
            metrics_by_key: doc.metrics_by_key,
            cache_bytes_max: doc.cache_bytes_max,
            foreign: Foreign::of(&providers),
            providers,
            passes_through: routes.iter().any(|route| !route.pass_through.is_empty()),
            routes,
            names,
            models: doc.models,
        })
    }
}
