//! `bench-driver decide DECISIONS`: what it costs to choose among 100 targets, by each strategy, as a worker does: what is
//! known of each is read from shared memory for every decision.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use llm_edge_bench::Failure;
use llm_edge_core::routing::{Ask, Live, Needs, Pace, Picker, Present, Standing, identity};
use llm_edge_core::snapshot::{ModelFacts, Snapshot, Strategy, Target};
use serde_json::{Map, Value, json};

use crate::allocations;
use crate::scenario;

/// Names the run, which is no scenario: nothing is asked of the engine.
pub(crate) const NAME: &str = "decide";

const TARGETS: usize = 100;

/// What workers share of a target.
#[derive(Default)]
struct Shared {
    in_flight: AtomicU32,
    pace: AtomicU64,
    cached: AtomicU64,
    rests_until_ms: AtomicU64,
}

struct Moment<'a> {
    targets: &'a [Shared],
    now_ms: u64,
}

impl Present for Moment<'_> {
    fn serves(&self, at: usize) -> bool {
        at < self.targets.len()
    }

    fn live(&self, at: usize) -> Live {
        let Some(shared) = self.targets.get(at) else { return Live::default() };
        Live {
            is_resting: shared.rests_until_ms.load(Relaxed) > self.now_ms,
            is_open: false,
            in_flight: shared.in_flight.load(Relaxed),
            first_token_us: Pace::unpack(shared.pace.load(Relaxed)).now(self.now_ms),
            cached_permille: u16::try_from(shared.cached.load(Relaxed)).unwrap_or_default(),
        }
    }

    fn facts<'t>(&'t self, target: &'t Target) -> &'t ModelFacts {
        &target.facts
    }

    fn standing(&self, at: usize) -> Standing {
        let rests =
            self.targets.get(at).is_some_and(|shared| shared.rests_until_ms.load(Relaxed) > self.now_ms);
        if rests { Standing::Resting } else { Standing::Ready }
    }
}

/// Decides so often by each strategy; tells nanoseconds and allocations of one decision.
pub(crate) fn run(decisions: u32) -> Result<Value, Failure> {
    let mut told = Map::new();
    for (name, _) in Strategy::ALL {
        let snapshot = Snapshot::parse(&serde_json::to_vec(&snapshot(name))?)?;
        let Some(route) = snapshot.routes.first() else { return Err("there is no route".into()) };
        let mut picker = Picker::new(route, |target| identity(&snapshot, target));
        let targets: Vec<Shared> = (0..TARGETS).map(|_| Shared::default()).collect();
        for (at, target) in (0_u32..).zip(&targets) {
            target.in_flight.store(at % 7, Relaxed);
            target.pace.store(Pace::default().observed(1000, 100_000 + at * 1000).pack(), Relaxed);
        }
        let ask = |affinity| Ask {
            needs: Needs { input_tokens: 1000, ..Needs::default() },
            output_tokens: 256,
            affinity,
        };
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let before = allocations::count();
        let begun = Instant::now();
        for step in 0..u64::from(decisions) {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(step);
            let moment = Moment { targets: &targets, now_ms: 2000 + step / 1000 };
            let decision = picker.decide(route, &ask(random), &moment, random);
            let Ok(decision) = black_box(decision) else { return Err("nobody can do it".into()) };
            if let Some(target) = targets.get(decision.target) {
                target.in_flight.store(u32::try_from(step % 5).unwrap_or_default(), Relaxed);
            }
        }
        let ns = begun.elapsed().as_secs_f64() * 1e9 / f64::from(decisions);
        let made = allocations::count() - before;
        told.insert(name.to_owned(), json!({"ns": ns, "allocations": made}));
    }
    Ok(Value::Object(told))
}

/// One route with the targets; each model has a price and a window of its own.
fn snapshot(strategy: &str) -> Value {
    let mut doc = scenario::snapshot(1);
    let rates =
        |at: usize| json!({"input": 1000 + at, "output": 4000, "cached_input": 100, "cache_write": null});
    let target = |at: usize| {
        json!({
            "provider": 0, "model": {"fixed": format!("m{at}")}, "weight": 1 + at % 3,
            "facts": {
                "lacks": if at.is_multiple_of(2) { json!(["audio"]) } else { json!([]) },
                "context_window": 100_000,
                "price": {"base": rates(at), "tiers": []},
            },
        })
    };
    if let Some(route) = doc.pointer_mut("/routes/0") {
        route["strategy"] = json!(strategy);
        route["targets"] = (0..TARGETS).map(target).collect();
    }
    doc
}
