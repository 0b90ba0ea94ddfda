//! How a request would be routed, for whoever asks outside of one: see [`llm_edge_core::routing::explain`].

use std::collections::BTreeMap;

use llm_edge_core::routing::{self, Live, Question};
use llm_edge_core::snapshot::{Provider, Snapshot};

use crate::engine::{Engine, EngineError};
use crate::shared::Shared;

/// How a snapshot routes a request (both JSON), as JSON.
///
/// # Errors
/// Either does not parse, or the request would be refused before it is routed.
pub fn explain(snapshot: &[u8], question: &[u8]) -> Result<String, EngineError> {
    let snapshot = Snapshot::parse(snapshot).map_err(|e| EngineError(e.to_string()))?;
    answer(&snapshot, &parse(question)?)
}

impl Engine {
    /// The same with the snapshot in force and what is known of its targets now. What the question says of a target
    /// counts first.
    ///
    /// # Errors
    /// As [`explain`]; or there is no snapshot yet.
    pub fn explain(&self, question: &[u8]) -> Result<String, EngineError> {
        let mut question = parse(question)?;
        let (_, snapshot) = self
            .shared()
            .published
            .get()
            .ok_or_else(|| EngineError("there is no snapshot yet".to_owned()))?;
        let mut live = now(self.shared(), &snapshot);
        live.append(&mut question.live);
        question.live = live;
        answer(&snapshot, &question)
    }
}

fn parse(question: &[u8]) -> Result<Question<'_>, EngineError> {
    serde_json::from_slice(question).map_err(|e| EngineError(format!("the question: {e}")))
}

fn answer(snapshot: &Snapshot, question: &Question<'_>) -> Result<String, EngineError> {
    let explanation = routing::explain(snapshot, question).map_err(EngineError)?;
    serde_json::to_string(&explanation).map_err(|e| EngineError(e.to_string()))
}

/// What is known of every target. One that several routes have stands as the worst of them.
fn now(shared: &Shared, snapshot: &Snapshot) -> BTreeMap<String, Live> {
    let now_ms = u64::try_from(shared.started.elapsed().as_millis()).unwrap_or_default();
    let mut known: BTreeMap<String, Live> = BTreeMap::new();
    for (labels, load) in shared.loads.all() {
        let slot = known.entry(format!("{}/{}", labels.provider, labels.model)).or_default();
        let live = [load.live(false, now_ms), load.live(true, now_ms)];
        for one in live {
            slot.in_flight = slot.in_flight.max(one.in_flight);
            slot.first_token_us = slot.first_token_us.max(one.first_token_us);
            slot.cached_permille = slot.cached_permille.max(one.cached_permille);
        }
    }
    for (labels, shared) in shared.breakers.all() {
        let route = snapshot.routes.iter().find(|route| route.name == labels.route);
        if let Some(policy) = route.and_then(|route| route.breaker.as_ref()) {
            let slot = known.entry(format!("{}/{}", labels.provider, labels.model)).or_default();
            slot.is_open |= !shared.breaker.would_admit(policy, now_ms);
        }
    }
    for route in &snapshot.routes {
        for target in &route.targets {
            let provider = snapshot.providers.get(target.provider);
            if provider.is_some_and(|provider| rests(shared, provider, now_ms)) {
                known.entry(routing::identity(snapshot, target)).or_default().is_resting = true;
            }
        }
    }
    known
}

fn rests(shared: &Shared, provider: &Provider, now_ms: u64) -> bool {
    let is_down = provider.health.is_some() && shared.healths.of(&provider.name).is_down();
    let rests = |slot: &String| shared.credentials.slot(slot).rests(now_ms);
    is_down || (!provider.credentials.is_empty() && provider.credentials.iter().all(rests))
}
