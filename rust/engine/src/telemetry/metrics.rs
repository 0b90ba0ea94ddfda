//! The table of metrics, and the text a scrape gets (Prometheus text format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use llm_edge_core::breaker::State;
use llm_edge_core::rejection::Code;
use llm_edge_core::routing::{Exclusion, Standing};
use llm_edge_core::surface::Operation;

use crate::clients::REFUSED;

use super::bank::{
    ATTEMPT_RESULTS, Bank, CACHE_RESULTS, Cell64, DURATION_US, HEDGE_RESULTS, Histogram, INTER_CHUNK_US,
    KeyLabels, Money, OVERHEAD_US, POLICY_RESULTS, RETRY_DENIALS, RETRY_REASONS, STATUS_CLASSES, TOKEN_TYPES,
    TRANSLATIONS, TargetLabels, WorkerCells,
};
use crate::pressure::Shed;

/// One row of the table.
#[derive(Debug)]
pub struct Metric {
    /// Name, with its unit.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// One line for people.
    pub help: &'static str,
    /// Label names.
    pub labels: &'static [&'static str],
}

const fn metric(
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, help, labels }
}

const TARGET: &[&str] = &["route", "provider", "model"];

const REQUESTS: Metric = metric(
    "llm_edge_requests_total",
    "counter",
    &["route", "provider", "model", "status"],
    "Requests that reached a route, by how they ended; `cut` is a reply that broke off, `cancelled` a client that left, `error_event` an error told inside a good status.",
);
const DURATION: Metric = metric(
    "llm_edge_request_duration_seconds",
    "histogram",
    TARGET,
    "From the request's head to the last byte of its reply.",
);
const FIRST_BYTE: Metric = metric(
    "llm_edge_time_to_first_token_seconds",
    "histogram",
    TARGET,
    "From the request being sent upstream to the first byte of its reply's body.",
);
const INTER_CHUNK: Metric = metric(
    "llm_edge_inter_chunk_seconds",
    "histogram",
    TARGET,
    "From one read of a streamed reply to the next, as long as it has not ended; a client that reads slowly counts too.",
);
const TOKENS: Metric = metric(
    "llm_edge_tokens_total",
    "counter",
    &["route", "provider", "model", "type"],
    "Tokens, as the upstream reported them.",
);
const SEARCH_UNITS: Metric = metric(
    "llm_edge_search_units_total",
    "counter",
    TARGET,
    "Searches that rankings are billed for, as the upstream reported them.",
);
const COST: Metric = metric(
    "llm_edge_cost_usd_total",
    "counter",
    TARGET,
    "What replies have cost by their tokens and the catalog's prices; an estimate, not an invoice.",
);
const SAVED: Metric = metric(
    "llm_edge_prompt_cache_savings_usd_total",
    "counter",
    TARGET,
    "What providers' prompt caches have saved, by the replies that cost less than the same tokens without one.",
);
const SURCHARGE: Metric = metric(
    "llm_edge_prompt_cache_surcharge_usd_total",
    "counter",
    TARGET,
    "What providers' prompt caches have cost, by the replies that cost more than the same tokens without one: writing costs more.",
);
const KEY: &[&str] = &["route", "key"];

const KEY_REQUESTS: Metric = metric(
    "llm_edge_key_requests_total",
    "counter",
    &["route", "key", "status"],
    "Requests that reached a route, by who asked and how they ended; with `metrics.by_key` only.",
);
const KEY_TOKENS: Metric = metric(
    "llm_edge_key_tokens_total",
    "counter",
    &["route", "key", "type"],
    "Tokens, as the upstream reported them, by who asked; with `metrics.by_key` only.",
);
const KEY_COST: Metric = metric(
    "llm_edge_key_cost_usd_total",
    "counter",
    KEY,
    "What replies have cost, as `llm_edge_cost_usd_total`, by who asked; with `metrics.by_key` only.",
);
const KEY_SAVED: Metric = metric(
    "llm_edge_key_prompt_cache_savings_usd_total",
    "counter",
    KEY,
    "What providers' prompt caches have saved, by who asked; with `metrics.by_key` only.",
);
const KEY_SURCHARGE: Metric = metric(
    "llm_edge_key_prompt_cache_surcharge_usd_total",
    "counter",
    KEY,
    "What writing to providers' prompt caches has cost more, by who asked; with `metrics.by_key` only.",
);
const UNPRICED_REPLIES: Metric = metric(
    "llm_edge_unpriced_replies_total",
    "counter",
    TARGET,
    "Replies with usage of which no price is known; they are not in `llm_edge_cost_usd_total`.",
);
const WITHOUT_USAGE: Metric = metric(
    "llm_edge_replies_without_usage_total",
    "counter",
    TARGET,
    "Complete successful replies in which the upstream reported no usage.",
);
const ATTEMPTS: Metric = metric(
    "llm_edge_upstream_attempts_total",
    "counter",
    &["route", "provider", "model", "result"],
    "Attempts on an upstream, by how they ended.",
);
const COOLDOWNS: Metric = metric(
    "llm_edge_credential_cooldowns_total",
    "counter",
    TARGET,
    "Times a credential was refused and put to rest.",
);
const BREAKER_STATE: Metric = metric(
    "llm_edge_breaker_state",
    "gauge",
    TARGET,
    "Circuit breaker of a target: 0 closed, 1 half-open, 2 open.",
);
const BREAKER_OPENED: Metric =
    metric("llm_edge_breaker_opened_total", "counter", TARGET, "Times a target's circuit breaker opened.");
const PROVIDER_UP: Metric = metric(
    "llm_edge_provider_up",
    "gauge",
    &["provider"],
    "Whether a provider with health probes answers them.",
);
const RETRIES: Metric = metric(
    "llm_edge_retries_total",
    "counter",
    &["route", "reason"],
    "Further attempts for a request, by why the one before was not the last.",
);
const RETRIES_DENIED: Metric = metric(
    "llm_edge_retries_denied_total",
    "counter",
    &["route", "reason"],
    "Requests that were refused upstream and not sent again, by what forbade it.",
);
const FALLBACKS: Metric = metric(
    "llm_edge_fallbacks_total",
    "counter",
    &["route"],
    "Requests whose last attempt was made on a target of another route, named in `fallbacks`, or of a model that the client would have asked next.",
);
const EXCLUSIONS: Metric = metric(
    "llm_edge_routing_exclusions_total",
    "counter",
    &["route", "reason"],
    "Targets left out of a decision: they do not serve the operation, lack what the request needs, or take no prompt that long.",
);
const LAST_RESORTS: Metric = metric(
    "llm_edge_routing_last_resorts_total",
    "counter",
    &["route", "standing"],
    "Requests for which no target was ready, by how the one stands that was taken (`excluded`: none).",
);
const REDIRECTS: Metric = metric(
    "llm_edge_routing_redirects_total",
    "counter",
    &["route"],
    "Requests that a rule of the route led to another one.",
);
const UNPRICED: Metric = metric(
    "llm_edge_routing_unpriced_total",
    "counter",
    &["route"],
    "Requests routed by cost to a target of which no price is known.",
);
const UNKNOWN_OWNERS: Metric = metric(
    "llm_edge_routing_unknown_owners_total",
    "counter",
    &["route"],
    "Requests that go on with a kept response or encrypted reasoning which none of the route's several accounts is known to have given; they were routed like any other.",
);
const POLICY: Metric = metric(
    "llm_edge_routing_policy_total",
    "counter",
    &["route", "result"],
    "Questions to a route's policy; but for `ranked`, the route's strategy has decided.",
);
const HEDGES: Metric = metric(
    "llm_edge_hedges_total",
    "counter",
    &["route", "result"],
    "Second attempts beside a slow first one; `capped` ones were not made.",
);
const CACHE: Metric = metric(
    "llm_edge_cache_lookups_total",
    "counter",
    &["route", "tier", "result"],
    "Look-ups in the cache, by result.",
);
const OPERATIONS: Metric = metric(
    "llm_edge_operations_total",
    "counter",
    &["operation"],
    "Requests to a known endpoint, whether or not they reached a route.",
);
const REJECTIONS: Metric =
    metric("llm_edge_rejections_total", "counter", &["code"], "Requests answered with an error of ours.");
const SHEDS: Metric = metric(
    "llm_edge_sheds_total",
    "counter",
    &["reason"],
    "Requests refused early because of overload, by the limit that was pressed.",
);
const OVERHEAD: Metric = metric(
    "llm_edge_overhead_seconds",
    "histogram",
    &[],
    "Time spent in the gateway: request read to upstream write, plus first reply byte to its write.",
);
const LOOP_LAG: Metric = metric(
    "llm_edge_loop_lag_seconds",
    "histogram",
    &[],
    "How long a task of a worker that was ready waited for its turn: the longest in every 25 ms, while clients are connected.",
);
const IN_FLIGHT: Metric =
    metric("llm_edge_inflight_requests", "gauge", &[], "Requests in hand at this moment.");
const OPEN_STREAMS: Metric =
    metric("llm_edge_open_streams", "gauge", &[], "Event streams being relayed at this moment.");
const CONNECTIONS: Metric =
    metric("llm_edge_connections", "gauge", &[], "Client connections open at this moment.");
const CONNECTIONS_OPENED: Metric =
    metric("llm_edge_connections_total", "counter", &[], "Client connections accepted.");
const CONNECTIONS_REFUSED: Metric = metric(
    "llm_edge_connections_refused_total",
    "counter",
    &["reason"],
    "Client connections closed at once, by the bound that was reached: `connections_max`, `connections_per_client_max`, or the process's `descriptors`.",
);
const ACCEPT_PAUSES: Metric = metric(
    "llm_edge_accept_pauses_total",
    "counter",
    &[],
    "Pauses of 100 ms in accepting connections because the process had no descriptor left.",
);
const STALLED_STREAMS: Metric = metric(
    "llm_edge_stalled_streams_total",
    "counter",
    &[],
    "HTTP/2 streams reset because their client took nothing for `limits.write_stall_ms`.",
);
const CONNECTIONS_HANDED_OVER: Metric = metric(
    "llm_edge_connections_handed_over_total",
    "counter",
    &[],
    "Client connections that the worker which accepted them gave to a less loaded one.",
);
const UPSTREAM_OPENED: Metric =
    metric("llm_edge_upstream_connections_total", "counter", &[], "Connections opened to upstreams.");
const CACHE_STORED: Metric =
    metric("llm_edge_cache_stored_total", "counter", &[], "Replies stored in the exact cache.");
const TRANSLATED: Metric = metric(
    "llm_edge_translations_total",
    "counter",
    &["part", "result"],
    "Requests and replies put into another dialect, by whether all of it could be carried over.",
);
const REASONING_LEFT_OUT: Metric = metric(
    "llm_edge_reasoning_left_out_total",
    "counter",
    &[],
    "Requests that went on in their own dialect without reasoning that their provider would have refused.",
);
const LOG_DROPPED: Metric = metric(
    "llm_edge_request_log_dropped_total",
    "counter",
    &[],
    "Request log lines dropped because the log could not be written fast enough.",
);
const PANICS: Metric = metric(
    "llm_edge_panics_total",
    "counter",
    &[],
    "Panics inside the gateway; one costs a request or a connection, in a loop of the gateway's own nothing.",
);
const CACHE_BYTES: Metric =
    metric("llm_edge_cache_bytes", "gauge", &[], "Bytes held by the exact cache, keys included.");
const TASKS: Metric = metric("llm_edge_tasks", "gauge", &[], "Tasks alive in the workers' runtimes.");
const HEAP_LIVE: Metric = metric(
    "llm_edge_heap_live_bytes",
    "gauge",
    &[],
    "Bytes of the heap in use, as the C library's allocator counts them; 0 where it does not tell.",
);
const BUFFERED: Metric = metric(
    "llm_edge_buffered_request_bytes",
    "gauge",
    &[],
    "Request bodies above 16 KiB held in memory at this moment, in bytes.",
);
const DNS_FAILURES: Metric = metric(
    "llm_edge_dns_failures_total",
    "counter",
    &[],
    "Look-ups of upstreams' names that failed or took too long; the last good addresses stay in use.",
);
const DNS_AGE: Metric = metric(
    "llm_edge_dns_age_seconds",
    "gauge",
    &[],
    "Age of the oldest addresses among the upstreams' names in use.",
);

/// Every metric of the data path.
pub const METRICS: &[Metric] = &[
    REQUESTS,
    DURATION,
    FIRST_BYTE,
    INTER_CHUNK,
    TOKENS,
    SEARCH_UNITS,
    COST,
    SAVED,
    SURCHARGE,
    KEY_REQUESTS,
    KEY_TOKENS,
    KEY_COST,
    KEY_SAVED,
    KEY_SURCHARGE,
    UNPRICED_REPLIES,
    WITHOUT_USAGE,
    ATTEMPTS,
    COOLDOWNS,
    BREAKER_STATE,
    BREAKER_OPENED,
    PROVIDER_UP,
    RETRIES,
    RETRIES_DENIED,
    FALLBACKS,
    EXCLUSIONS,
    LAST_RESORTS,
    REDIRECTS,
    UNPRICED,
    UNKNOWN_OWNERS,
    POLICY,
    HEDGES,
    CACHE,
    OPERATIONS,
    REJECTIONS,
    SHEDS,
    OVERHEAD,
    LOOP_LAG,
    IN_FLIGHT,
    OPEN_STREAMS,
    CONNECTIONS,
    CONNECTIONS_OPENED,
    CONNECTIONS_REFUSED,
    CONNECTIONS_HANDED_OVER,
    ACCEPT_PAUSES,
    STALLED_STREAMS,
    UPSTREAM_OPENED,
    CACHE_STORED,
    REASONING_LEFT_OUT,
    TRANSLATED,
    LOG_DROPPED,
    PANICS,
    CACHE_BYTES,
    BUFFERED,
    DNS_FAILURES,
    DNS_AGE,
    TASKS,
    HEAP_LIVE,
];

/// Gauges and counters that belong to no worker.
#[derive(Default)]
pub(crate) struct ProcessGauges {
    /// Providers that are probed, and whether they are down.
    pub(crate) healths: Vec<(String, bool)>,
    /// Breakers by target: state, and how often it opened.
    pub(crate) breakers: Vec<(TargetLabels, State, u64)>,
    pub(crate) cache_bytes: u64,
    pub(crate) buffered_bytes: u64,
    pub(crate) dns_failures: u64,
    pub(crate) dns_age_ms: u64,
    pub(crate) tasks: u64,
    pub(crate) heap_live_bytes: u64,
    pub(crate) panics: u64,
}

/// Sums a histogram's cells over workers.
#[derive(Default, Clone)]
struct Sum {
    buckets: [u64; 15],
    sum_us: u64,
}

impl Sum {
    fn add(&mut self, histogram: &Histogram) {
        for (into, cell) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *into += cell.get();
        }
        self.sum_us += histogram.sum_us.get();
    }
}

#[derive(Default)]
struct TargetSum {
    requests: [u64; STATUS_CLASSES.len()],
    attempts: [u64; ATTEMPT_RESULTS.len()],
    tokens: [u64; TOKEN_TYPES.len()],
    search_units: u64,
    money: Money<u64>,
    unpriced: u64,
    without_usage: u64,
    cooldowns: u64,
    duration: Sum,
    first_byte: Sum,
    inter_chunk: Sum,
}

fn add_all(into: &mut [u64], cells: &[Cell64]) {
    for (into, cell) in into.iter_mut().zip(cells) {
        *into += cell.get();
    }
}

/// The text of a scrape.
pub(crate) fn render(banks: &[Arc<Bank>], process: &ProcessGauges) -> String {
    let mut out = String::with_capacity(16 * 1024);
    render_targets(&mut out, banks);
    render_breakers(&mut out, &process.breakers);
    header(&mut out, &PROVIDER_UP);
    for (provider, down) in &process.healths {
        let labels = format!("provider=\"{}\"", escape(provider));
        sample(&mut out, PROVIDER_UP.name, &labels, u64::from(!*down));
    }
    render_routes(&mut out, banks);
    render_keys(&mut out, banks);
    render_workers(&mut out, banks);
    for (metric, value) in [
        (&CACHE_BYTES, process.cache_bytes),
        (&BUFFERED, process.buffered_bytes),
        (&PANICS, process.panics),
        (&DNS_FAILURES, process.dns_failures),
        (&TASKS, process.tasks),
        (&HEAP_LIVE, process.heap_live_bytes),
    ] {
        header(&mut out, metric);
        sample(&mut out, metric.name, "", value);
    }
    header(&mut out, &DNS_AGE);
    let age = seconds(process.dns_age_ms.saturating_mul(1_000));
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{} {age}", DNS_AGE.name);
    out
}

fn render_targets(out: &mut String, banks: &[Arc<Bank>]) {
    let mut targets: BTreeMap<_, TargetSum> = BTreeMap::new();
    for (labels, cells) in banks.iter().flat_map(|bank| bank.targets()) {
        let sum = targets.entry(labels).or_default();
        add_all(&mut sum.requests, &cells.requests);
        add_all(&mut sum.attempts, &cells.attempts);
        add_all(&mut sum.tokens, &cells.tokens);
        sum.search_units += cells.search_units.get();
        sum.money.add_counted(&cells.money);
        sum.unpriced += cells.unpriced.get();
        sum.without_usage += cells.without_usage.get();
        sum.cooldowns += cells.cooldowns.get();
        sum.duration.add(&cells.duration);
        sum.first_byte.add(&cells.first_byte);
        sum.inter_chunk.add(&cells.inter_chunk);
    }
    let rows: Vec<(String, TargetSum)> =
        targets.into_iter().map(|(labels, sum)| (target_labels(&labels), sum)).collect();
    by_label(out, &REQUESTS, &rows, "status", &STATUS_CLASSES, |sum| &sum.requests);
    by_label(out, &ATTEMPTS, &rows, "result", &ATTEMPT_RESULTS, |sum| &sum.attempts);
    by_label(out, &TOKENS, &rows, "type", &TOKEN_TYPES, |sum| &sum.tokens);
    in_usd(out, [&COST, &SAVED, &SURCHARGE], &rows, |sum| &sum.money);
    for (metric, of) in [
        (&SEARCH_UNITS, (|sum| sum.search_units) as fn(&TargetSum) -> u64),
        (&UNPRICED_REPLIES, |sum| sum.unpriced),
        (&WITHOUT_USAGE, |sum| sum.without_usage),
        (&COOLDOWNS, |sum| sum.cooldowns),
    ] {
        header(out, metric);
        for (labels, sum) in &rows {
            sample(out, metric.name, labels, of(sum));
        }
    }
    for (metric, bounds_us, of) in [
        (&DURATION, &DURATION_US, (|sum| &sum.duration) as fn(&TargetSum) -> &Sum),
        (&FIRST_BYTE, &DURATION_US, |sum| &sum.first_byte),
        (&INTER_CHUNK, &INTER_CHUNK_US, |sum| &sum.inter_chunk),
    ] {
        header(out, metric);
        for (labels, sum) in &rows {
            histogram(out, metric.name, labels, bounds_us, of(sum));
        }
    }
}

fn target_labels(labels: &TargetLabels) -> String {
    let TargetLabels { route, provider, model } = labels;
    let labels = [("route", route), ("provider", provider), ("model", model)];
    labels.map(|(name, value)| format!("{name}=\"{}\"", escape(value))).join(",")
}

fn render_breakers(out: &mut String, breakers: &[(TargetLabels, State, u64)]) {
    header(out, &BREAKER_STATE);
    for (labels, state, _) in breakers {
        let value = match state {
            State::Closed => 0,
            State::HalfOpen => 1,
            State::Open => 2,
        };
        sample(out, BREAKER_STATE.name, &target_labels(labels), value);
    }
    header(out, &BREAKER_OPENED);
    for (labels, _, opened) in breakers {
        sample(out, BREAKER_OPENED.name, &target_labels(labels), *opened);
    }
}

fn by_label<T>(
    out: &mut String,
    metric: &Metric,
    rows: &[(String, T)],
    label: &str,
    values: &[&str],
    counts: impl Fn(&T) -> &[u64],
) {
    header(out, metric);
    for (labels, row) in rows {
        for (value, count) in values.iter().zip(counts(row)) {
            sample(out, metric.name, &format!("{labels},{label}=\"{value}\""), *count);
        }
    }
}

#[derive(Default)]
struct RouteSum {
    cache: [u64; CACHE_RESULTS.len()],
    retries: [u64; RETRY_REASONS.len()],
    retries_denied: [u64; RETRY_DENIALS.len()],
    fallbacks: u64,
    exclusions: [u64; Exclusion::ALL.len()],
    last_resorts: [u64; Standing::ALL.len()],
    redirects: u64,
    unpriced: u64,
    unknown_owners: u64,
    hedges: [u64; HEDGE_RESULTS.len()],
    policy: [u64; POLICY_RESULTS.len()],
}

fn render_routes(out: &mut String, banks: &[Arc<Bank>]) {
    let mut routes: BTreeMap<String, RouteSum> = BTreeMap::new();
    for (route, cells) in banks.iter().flat_map(|bank| bank.routes()) {
        let sum = routes.entry(route).or_default();
        add_all(&mut sum.cache, &cells.cache);
        add_all(&mut sum.retries, &cells.retries);
        add_all(&mut sum.retries_denied, &cells.retries_denied);
        sum.fallbacks += cells.fallbacks.get();
        add_all(&mut sum.exclusions, &cells.exclusions);
        add_all(&mut sum.last_resorts, &cells.last_resorts);
        sum.redirects += cells.redirects.get();
        sum.unpriced += cells.unpriced.get();
        sum.unknown_owners += cells.unknown_owners.get();
        add_all(&mut sum.hedges, &cells.hedges);
        add_all(&mut sum.policy, &cells.policy);
    }
    let label = |route: &String| format!("route=\"{}\"", escape(route));
    let rows: Vec<(String, RouteSum)> = routes.into_iter().map(|(route, sum)| (label(&route), sum)).collect();
    by_label(out, &RETRIES, &rows, "reason", &RETRY_REASONS, |sum| &sum.retries);
    by_label(out, &RETRIES_DENIED, &rows, "reason", &RETRY_DENIALS, |sum| &sum.retries_denied);
    for (metric, value) in [
        (&FALLBACKS, (|sum| sum.fallbacks) as fn(&RouteSum) -> u64),
        (&REDIRECTS, |sum| sum.redirects),
        (&UNPRICED, |sum| sum.unpriced),
        (&UNKNOWN_OWNERS, |sum| sum.unknown_owners),
    ] {
        header(out, metric);
        for (labels, sum) in &rows {
            sample(out, metric.name, labels, value(sum));
        }
    }
    let reasons = Exclusion::ALL.map(Exclusion::name);
    by_label(out, &EXCLUSIONS, &rows, "reason", &reasons, |sum| &sum.exclusions);
    let standings = Standing::ALL.map(Standing::name);
    by_label(out, &LAST_RESORTS, &rows, "standing", &standings, |sum| &sum.last_resorts);
    by_label(out, &POLICY, &rows, "result", &POLICY_RESULTS, |sum| &sum.policy);
    by_label(out, &HEDGES, &rows, "result", &HEDGE_RESULTS, |sum| &sum.hedges);
    let tiers: Vec<_> =
        rows.into_iter().map(|(labels, sum)| (format!("{labels},tier=\"exact\""), sum)).collect();
    by_label(out, &CACHE, &tiers, "result", &CACHE_RESULTS, |sum| &sum.cache);
}

fn in_usd<S>(out: &mut String, metrics: [&Metric; 3], rows: &[(String, S)], of: fn(&S) -> &Money<u64>) {
    let parts: [fn(&Money<u64>) -> u64; 3] = [|m| m.cost, |m| m.cache_saved, |m| m.cache_surcharge];
    for (metric, part) in metrics.into_iter().zip(parts) {
        header(out, metric);
        for (labels, sum) in rows {
            sample(out, metric.name, labels, usd(part(of(sum))));
        }
    }
}

#[derive(Default)]
struct KeySum {
    requests: [u64; STATUS_CLASSES.len()],
    tokens: [u64; TOKEN_TYPES.len()],
    money: Money<u64>,
}

fn render_keys(out: &mut String, banks: &[Arc<Bank>]) {
    let mut keys: BTreeMap<_, KeySum> = BTreeMap::new();
    for (labels, cells) in banks.iter().flat_map(|bank| bank.keys()) {
        let sum = keys.entry(labels).or_default();
        add_all(&mut sum.requests, &cells.requests);
        add_all(&mut sum.tokens, &cells.tokens);
        sum.money.add_counted(&cells.money);
    }
    let label =
        |KeyLabels { route, key }: &KeyLabels| format!("route=\"{}\",key=\"{}\"", escape(route), escape(key));
    let rows: Vec<(String, KeySum)> = keys.into_iter().map(|(labels, sum)| (label(&labels), sum)).collect();
    by_label(out, &KEY_REQUESTS, &rows, "status", &STATUS_CLASSES, |sum| &sum.requests);
    by_label(out, &KEY_TOKENS, &rows, "type", &TOKEN_TYPES, |sum| &sum.tokens);
    in_usd(out, [&KEY_COST, &KEY_SAVED, &KEY_SURCHARGE], &rows, |sum| &sum.money);
}

fn render_workers(out: &mut String, banks: &[Arc<Bank>]) {
    let total = |of: fn(&WorkerCells) -> &Cell64| -> u64 {
        banks.iter().fold(0u64, |sum, bank| sum.wrapping_add(of(&bank.worker).get()))
    };
    header(out, &OPERATIONS);
    for (at, operation) in Operation::ALL.into_iter().enumerate() {
        let count: u64 = banks.iter().filter_map(|b| b.worker.operations.get(at)).map(Cell64::get).sum();
        sample(out, OPERATIONS.name, &format!("operation=\"{}\"", operation.name()), count);
    }
    header(out, &REJECTIONS);
    for (at, code) in Code::ALL.into_iter().enumerate() {
        let count: u64 = banks.iter().filter_map(|b| b.worker.rejections.get(at)).map(Cell64::get).sum();
        sample(out, REJECTIONS.name, &format!("code=\"{}\"", code.row().code), count);
    }
    header(out, &CONNECTIONS_REFUSED);
    for (at, reason) in REFUSED.into_iter().enumerate() {
        let count: u64 =
            banks.iter().filter_map(|b| b.worker.connections_refused.get(at)).map(Cell64::get).sum();
        sample(out, CONNECTIONS_REFUSED.name, &format!("reason=\"{reason}\""), count);
    }
    header(out, &TRANSLATED);
    for (at, (part, result)) in TRANSLATIONS.into_iter().enumerate() {
        let count: u64 = banks.iter().filter_map(|b| b.worker.translations.get(at)).map(Cell64::get).sum();
        sample(out, TRANSLATED.name, &format!("part=\"{part}\",result=\"{result}\""), count);
    }
    header(out, &SHEDS);
    for (at, reason) in Shed::ALL.into_iter().enumerate() {
        let count: u64 = banks.iter().filter_map(|b| b.worker.sheds.get(at)).map(Cell64::get).sum();
        sample(out, SHEDS.name, &format!("reason=\"{}\"", reason.name()), count);
    }
    for (metric, of) in
        [(&OVERHEAD, (|w| &w.overhead) as fn(&WorkerCells) -> &Histogram), (&LOOP_LAG, |w| &w.loop_lag)]
    {
        let mut sum = Sum::default();
        for bank in banks {
            sum.add(of(&bank.worker));
        }
        header(out, metric);
        histogram(out, metric.name, "", &OVERHEAD_US, &sum);
    }
    for (metric, of) in [
        (&IN_FLIGHT, (|w| &w.in_flight) as fn(&WorkerCells) -> &Cell64),
        (&OPEN_STREAMS, |w| &w.open_streams),
        (&CONNECTIONS, |w| &w.connections),
        (&CONNECTIONS_OPENED, |w| &w.connections_opened),
        (&CONNECTIONS_HANDED_OVER, |w| &w.connections_handed_over),
        (&ACCEPT_PAUSES, |w| &w.accept_pauses),
        (&STALLED_STREAMS, |w| &w.stalled_streams),
        (&UPSTREAM_OPENED, |w| &w.upstream_connections_opened),
        (&CACHE_STORED, |w| &w.cache_stored),
        (&REASONING_LEFT_OUT, |w| &w.reasoning_left_out),
        (&LOG_DROPPED, |w| &w.log_dropped),
    ] {
        header(out, metric);
        sample(out, metric.name, "", total(of));
    }
}

fn header(out: &mut String, metric: &Metric) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# HELP {} {}\n# TYPE {} {}", metric.name, metric.help, metric.name, metric.kind);
}

/// Whole pico-USD in USD.
fn usd(pico: u64) -> String {
    let (whole, rest) = (pico / 1_000_000_000_000, pico % 1_000_000_000_000);
    format!("{whole}.{rest:012}")
}

fn sample(out: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = if labels.is_empty() {
        writeln!(out, "{name} {value}")
    } else {
        writeln!(out, "{name}{{{labels}}} {value}")
    };
}

fn histogram(out: &mut String, name: &str, labels: &str, bounds_us: &[u64; 14], sum: &Sum) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut cumulative = 0;
    for (at, count) in sum.buckets.iter().enumerate() {
        cumulative += count;
        let bound = bounds_us.get(at).map_or_else(|| "+Inf".to_owned(), |us| seconds(*us));
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {cumulative}");
    }
    let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = writeln!(out, "{name}_sum{braces} {}\n{name}_count{braces} {cumulative}", seconds(sum.sum_us));
}

/// Microseconds as decimal seconds, without a float's rounding.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_owned() }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_workers_are_summed_and_buckets_are_cumulative() {
        let banks = [Arc::new(Bank::default()), Arc::new(Bank::default())];
        let labels = TargetLabels { route: "r".into(), provider: "p\"".into(), model: "m".into() };
        for bank in &banks {
            let cells = bank.target(labels.clone());
            cells.requests[0].add(2);
            cells.duration.observe(&DURATION_US, 2_000);
        }
        let text = render(&banks, &ProcessGauges::default());
        assert!(text.contains(
            "llm_edge_requests_total{route=\"r\",provider=\"p\\\"\",model=\"m\",status=\"2xx\"} 4\n"
        ));
        assert!(text.contains("le=\"0.001\"} 0\n") && text.contains("le=\"0.005\"} 2\n"));
        assert!(text.contains(
            "llm_edge_request_duration_seconds_sum{route=\"r\",provider=\"p\\\"\",model=\"m\"} 0.004\n"
        ));
    }

    #[test]
    fn every_metric_of_the_table_has_its_header_in_a_scrape() {
        let text = render(&[Arc::new(Bank::default())], &ProcessGauges::default());
        for metric in METRICS {
            assert!(text.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind)), "{}", metric.name);
        }
    }
}
