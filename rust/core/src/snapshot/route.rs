//! A route: the targets a model name stands for, and the policy on the way there.

use serde::Deserialize;

use super::{Provider, SnapshotError};

/// Where a model name leads, and under which rules.
#[derive(Debug)]
pub struct Route {
    /// Name in the configuration, unique; also in logs and metrics.
    pub name: String,
    /// How a target is picked.
    pub strategy: Strategy,
    /// At least one.
    pub targets: Vec<Target>,
    /// The exact cache, if this route has one.
    pub cache: Option<Cache>,
    /// How long to wait for what.
    pub deadlines: Deadlines,
    /// Hash of everything in the route that shapes a reply; part of the cache key.
    pub policy_hash: String,
}

/// How a target is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// In turn, smoothly by weight (nginx's smooth weighted round robin; equal weights when not given).
    RoundRobin,
    /// At random, by weight.
    Weighted,
    /// The first one; the next when it cannot be reached.
    Ordered,
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

/// Settings of the exact cache on a route.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// How long a stored reply is served, in milliseconds.
    pub ttl_ms: u64,
    /// Largest reply that is stored, in bytes.
    pub reply_bytes_max: u64,
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
    strategy: Strategy,
    targets: Vec<TargetDoc>,
    cache: Option<Cache>,
    deadlines: Deadlines,
    policy_hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetDoc {
    provider: usize,
    model: ModelName,
    weight: u32,
}

impl RouteDoc {
    pub(super) fn resolve(self, path: &str, providers: &[Provider]) -> Result<Route, SnapshotError> {
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
                Ok(Target { provider: t.provider, model: t.model, weight: t.weight })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Route {
            name: self.name,
            strategy: self.strategy,
            targets,
            cache: self.cache,
            deadlines: self.deadlines,
            policy_hash: self.policy_hash,
        })
    }
}
