//! Counters of one worker: plain adds, no lock, no read-modify-write; a scrape reads them from its own thread
//! and sums over workers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use llm_edge_core::rejection::Code;
use llm_edge_core::routing::{Exclusion, Standing};
use llm_edge_core::surface::Operation;

use crate::clients::REFUSED;
use crate::pressure::Shed;

/// A counter with one writer: load and store instead of a locked add.
#[derive(Default, Debug)]
pub(crate) struct Cell64(AtomicU64);

impl Cell64 {
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn sub(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(n), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Bounds of the duration histograms, in microseconds: an LLM's reply takes from milliseconds to minutes.
pub(crate) const DURATION_US: [u64; 14] = [
    1_000,
    5_000,
    25_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    600_000_000,
];
/// Bounds of the overhead histogram, in microseconds.
pub(crate) const OVERHEAD_US: [u64; 14] =
    [10, 25, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000];
/// Bounds of the time between two pieces of a stream, in microseconds: a token takes a model some milliseconds, a
/// thought minutes.
pub(crate) const INTER_CHUNK_US: [u64; 14] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    10_000_000,
    30_000_000,
    120_000_000,
];

/// What was translated, and whether something of it could not be carried over: labels of the counters.
pub(crate) const TRANSLATIONS: [(&str, &str); 4] =
    [("request", "whole"), ("request", "lossy"), ("reply", "whole"), ("reply", "lossy")];

/// Counts per bucket (not cumulative; the last one is what lies above all bounds) and the sum.
#[derive(Default, Debug)]
pub(crate) struct Histogram {
    pub(crate) buckets: [Cell64; 15],
    pub(crate) sum_us: Cell64,
}

impl Histogram {
    pub(crate) fn observe(&self, bounds_us: &[u64; 14], us: u64) {
        let at = bounds_us.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.add(1);
        }
        self.sum_us.add(us);
    }
}

/// Classes of outcome, as the label `status` has them.
pub(crate) const STATUS_CLASSES: [&str; 7] = ["2xx", "3xx", "4xx", "5xx", "cut", "cancelled", "error_event"];

/// Kinds of tokens, as the label `type` has them.
pub(crate) const TOKEN_TYPES: [&str; 5] = ["input", "output", "cached_input", "cache_write", "reasoning"];

/// How an attempt on an upstream ended, as the label `result` has it.
pub(crate) const ATTEMPT_RESULTS: [&str; 8] =
    ["reply", "unreachable", "closed", "timeout", "invalid", "refused", "error_event", "cancelled"];

/// Why a request was tried again, as the label `reason` has it.
pub(crate) const RETRY_REASONS: [&str; 3] = ["unsent", "refused", "error_event"];

/// Why it was not, though it might have been, as the label `reason` has it.
pub(crate) const RETRY_DENIALS: [&str; 4] = ["attempts", "budget", "deadline", "nowhere"];

/// What became of a second attempt beside a slow first one, as the label `result` has it; `capped` is one that
/// the budget did not allow.
pub(crate) const HEDGE_RESULTS: [&str; 3] = ["won", "lost", "capped"];

/// What came of asking a policy, as the label `result` has it.
pub(crate) const POLICY_RESULTS: [&str; 5] = ["ranked", "late", "failed", "busy", "unknown_target"];

/// What a cache look-up gave, as the label `result` has it.
pub(crate) const CACHE_RESULTS: [&str; 3] = ["hit", "miss", "bypass"];

/// Counters with the labels route, provider and model.
#[derive(Default, Debug)]
pub(crate) struct TargetCells {
    pub(crate) requests: [Cell64; STATUS_CLASSES.len()],
    pub(crate) attempts: [Cell64; ATTEMPT_RESULTS.len()],
    pub(crate) tokens: [Cell64; TOKEN_TYPES.len()],
    pub(crate) search_units: Cell64,
    pub(crate) money: Money<Cell64>,
    /// Replies with usage of which no price is known.
    pub(crate) unpriced: Cell64,
    pub(crate) without_usage: Cell64,
    /// Times a credential was put to rest.
    pub(crate) cooldowns: Cell64,
    pub(crate) duration: Histogram,
    pub(crate) first_byte: Histogram,
    pub(crate) inter_chunk: Histogram,
}

/// What replies have cost, in pico-USD.
#[derive(Default, Debug)]
pub(crate) struct Money<N> {
    pub(crate) cost: N,
    /// How much more those would have cost without the providers' prompt caches that have become cheaper by them.
    pub(crate) cache_saved: N,
    /// How much less those that have become dearer: what is written costs more until it is read.
    pub(crate) cache_surcharge: N,
}

impl Money<Cell64> {
    pub(crate) fn add(&self, more: &Money<u64>) {
        self.cost.add(more.cost);
        self.cache_saved.add(more.cache_saved);
        self.cache_surcharge.add(more.cache_surcharge);
    }
}

impl Money<u64> {
    /// Adds what was counted; 18 million dollars are the most it can hold.
    pub(crate) fn add_counted(&mut self, counted: &Money<Cell64>) {
        self.cost = self.cost.wrapping_add(counted.cost.get());
        self.cache_saved = self.cache_saved.wrapping_add(counted.cache_saved.get());
        self.cache_surcharge = self.cache_surcharge.wrapping_add(counted.cache_surcharge.get());
    }
}

/// Counters with the label route.
#[derive(Default, Debug)]
pub(crate) struct RouteCells {
    pub(crate) cache: [Cell64; CACHE_RESULTS.len()],
    pub(crate) retries: [Cell64; RETRY_REASONS.len()],
    pub(crate) retries_denied: [Cell64; RETRY_DENIALS.len()],
    /// Requests that another route's target answered.
    pub(crate) fallbacks: Cell64,
    /// Targets that were left out of a decision, by [`Exclusion::index`].
    pub(crate) exclusions: [Cell64; Exclusion::ALL.len()],
    /// Requests whose first choice did not stand as well as a target can.
    pub(crate) last_resorts: [Cell64; Standing::ALL.len()],
    /// Requests that a rule led from here to another route.
    pub(crate) redirects: Cell64,
    /// Requests routed by cost to a target of which no price is known.
    pub(crate) unpriced: Cell64,
    /// Requests that go on with what nobody is known to have given.
    pub(crate) unknown_owners: Cell64,
    pub(crate) hedges: [Cell64; HEDGE_RESULTS.len()],
    pub(crate) policy: [Cell64; POLICY_RESULTS.len()],
}

/// Counters without a label, or with a fixed set.
#[derive(Default, Debug)]
pub(crate) struct WorkerCells {
    pub(crate) operations: [Cell64; Operation::ALL.len()],
    pub(crate) rejections: [Cell64; Code::ALL.len()],
    pub(crate) sheds: [Cell64; Shed::ALL.len()],
    pub(crate) overhead: Histogram,
    pub(crate) loop_lag: Histogram,
    pub(crate) in_flight: Cell64,
    pub(crate) open_streams: Cell64,
    pub(crate) connections: Cell64,
    pub(crate) connections_opened: Cell64,
    pub(crate) connections_refused: [Cell64; REFUSED.len()],
    pub(crate) connections_handed_over: Cell64,
    pub(crate) accept_pauses: Cell64,
    pub(crate) stalled_streams: Cell64,
    pub(crate) upstream_connections_opened: Cell64,
    pub(crate) cache_stored: Cell64,
    pub(crate) reasoning_left_out: Cell64,
    pub(crate) translations: [Cell64; TRANSLATIONS.len()],
    pub(crate) log_dropped: Cell64,
}

/// Counters with the labels route and key, where the operator asks for them.
#[derive(Default, Debug)]
pub(crate) struct KeyCells {
    pub(crate) requests: [Cell64; STATUS_CLASSES.len()],
    pub(crate) tokens: [Cell64; TOKEN_TYPES.len()],
    pub(crate) money: Money<Cell64>,
}

/// Whose requests to which route a [`KeyCells`] counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyLabels {
    pub(crate) route: String,
    /// The key's name.
    pub(crate) key: String,
}

/// Which target a [`TargetCells`] counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TargetLabels {
    pub(crate) route: String,
    pub(crate) provider: String,
    pub(crate) model: String,
}

/// Most targets, and most routes, that are counted although no snapshot in use has them any more.
const RETIRED_MAX: usize = 100;

/// All counters of one worker. Cells are found by label when a snapshot is loaded. Those of targets that are gone
/// stay, so that a reload loses no count, up to [`RETIRED_MAX`] of them: a configuration that changes names all day
/// must not grow every scrape.
#[derive(Default, Debug)]
pub(crate) struct Bank {
    pub(crate) worker: WorkerCells,
    targets: Mutex<Vec<(TargetLabels, Arc<TargetCells>)>>,
    routes: Mutex<Vec<(String, Arc<RouteCells>)>>,
    keys: Mutex<Vec<(KeyLabels, Arc<KeyCells>)>>,
}

impl Bank {
    /// The cells of a target, made at first use.
    pub(crate) fn target(&self, labels: TargetLabels) -> Arc<TargetCells> {
        find_or_add(&self.targets, labels)
    }

    /// The cells of a route, made at first use.
    pub(crate) fn route(&self, route: String) -> Arc<RouteCells> {
        find_or_add(&self.routes, route)
    }

    /// The cells of a caller on a route, made at first use.
    pub(crate) fn key(&self, labels: KeyLabels) -> Arc<KeyCells> {
        find_or_add(&self.keys, labels)
    }

    pub(crate) fn keys(&self) -> Vec<(KeyLabels, Arc<KeyCells>)> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn targets(&self) -> Vec<(TargetLabels, Arc<TargetCells>)> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn routes(&self) -> Vec<(String, Arc<RouteCells>)> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn find_or_add<L: PartialEq, C: Default>(list: &Mutex<Vec<(L, Arc<C>)>>, labels: L) -> Arc<C> {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, cells)) = list.iter().find(|(known, _)| *known == labels) {
        return Arc::clone(cells);
    }
    // The first ones have been there longest.
    let is_retired = |(_, cells): &(L, Arc<C>)| Arc::strong_count(cells) == 1;
    let mut excess = list.iter().filter(|entry| is_retired(entry)).count().saturating_sub(RETIRED_MAX);
    list.retain(|entry| {
        let goes = excess > 0 && is_retired(entry);
        excess -= usize::from(goes);
        !goes
    });
    let cells = Arc::new(C::default());
    list.push((labels, Arc::clone(&cells)));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_loses_no_count_and_gone_targets_are_kept_up_to_a_bound() {
        let bank = Bank::default();
        let labels = |at: usize| TargetLabels {
            route: "r".to_owned(),
            provider: "p".to_owned(),
            model: at.to_string(),
        };
        let in_use = bank.target(labels(0));
        bank.target(labels(1)).cooldowns.add(7);
        assert_eq!(bank.target(labels(1)).cooldowns.get(), 7);
        for at in 2..10 * RETIRED_MAX {
            bank.target(labels(at));
        }
        let kept = bank.targets();
        assert_eq!(kept.len(), 2 + RETIRED_MAX);
        assert!(Arc::ptr_eq(&kept[0].1, &in_use));
        assert_eq!(kept[1].0, labels(9 * RETIRED_MAX - 1));
        drop(kept);
        assert_eq!(bank.target(labels(1)).cooldowns.get(), 0);
    }
}
