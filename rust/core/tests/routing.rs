//! What a decision promises, over many routes, states and requests: the weights' shares, nobody twice before all were
//! tried, and a filter that nothing relaxes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the finding"
)]

use std::collections::BTreeSet;
use std::path::Path;

use llm_edge_core::routing::{
    Ask, Capabilities, Capability, Exclusion, Live, Needs, Picker, Present, Standing, identity,
};
use llm_edge_core::snapshot::{ModelFacts, Snapshot};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What a test says of a target.
#[derive(Debug, Clone)]
struct Target {
    weight: u32,
    lacks: Vec<Capability>,
    context_window: Option<u64>,
    input_price: Option<u64>,
    serves: bool,
    live: Live,
}

impl Default for Target {
    fn default() -> Self {
        let live = Live::default();
        Self { weight: 1, lacks: vec![], context_window: None, input_price: None, serves: true, live }
    }
}

/// A snapshot whose first route has these targets.
fn snapshot(strategy: &str, targets: &[Target]) -> Snapshot {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/decisions/round_robin.json");
    let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut doc = case["snapshot"].clone();
    doc["routes"][0]["strategy"] = json!(strategy);
    doc["routes"][0]["targets"] = targets
        .iter()
        .enumerate()
        .map(|(at, target)| {
            let rates =
                |input| json!({"input": input, "output": 0, "cached_input": null, "cache_write": null});
            let price = target.input_price.map(|input| json!({"base": rates(input), "tiers": []}));
            json!({
                "provider": 0, "model": {"fixed": format!("m{at}")}, "weight": target.weight,
                "facts": {"lacks": target.lacks, "context_window": target.context_window, "price": price},
            })
        })
        .collect();
    Snapshot::parse(&serde_json::to_vec(&doc).unwrap()).unwrap()
}

struct Said<'a>(&'a [Target]);

impl Present for Said<'_> {
    fn serves(&self, at: usize) -> bool {
        self.0[at].serves
    }

    fn live(&self, at: usize) -> Live {
        self.0[at].live
    }

    fn facts<'t>(&'t self, target: &'t llm_edge_core::snapshot::Target) -> &'t ModelFacts {
        &target.facts
    }
}

fn picker(snapshot: &Snapshot) -> Picker {
    Picker::new(&snapshot.routes[0], |target| identity(snapshot, target))
}

/// Numbers that are as good as chance, and the same each time.
fn chance(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[test]
fn shares_follow_the_weights_among_those_that_can() {
    let weights = [1, 2, 3, 10];
    let mut targets: Vec<_> = weights.iter().map(|w| Target { weight: *w, ..Target::default() }).collect();
    targets[1].lacks = vec![Capability::Vision];
    let needs = Needs { capabilities: Capabilities::NONE.with(Capability::Vision), input_tokens: 0 };
    let count = 28_000_u32;
    for strategy in ["round_robin", "weighted", "affinity"] {
        let snapshot = snapshot(strategy, &targets);
        let mut picker = picker(&snapshot);
        let mut seen = [0_u32; 4];
        for random in chance(1).take(count as usize) {
            let ask = Ask { needs, affinity: random, ..Ask::default() };
            seen[picker.decide(&snapshot.routes[0], &ask, &Said(&targets), random).unwrap().target] += 1;
        }
        for (at, expected) in [2000, 0, 6000, 20_000].into_iter().enumerate() {
            // Five standard deviations of the binomial distribution.
            let share = f64::from(expected) / f64::from(count);
            let bound = 5.0 * (f64::from(count) * share * (1.0 - share)).sqrt();
            let off = f64::from(seen[at].abs_diff(expected));
            assert!(off <= bound, "{strategy}: target {at} got {} of {expected}", seen[at]);
        }
    }
}

#[test]
fn whoever_is_slowed_down_is_left_by_those_who_can_choose() {
    let mut targets = vec![Target::default(); 3];
    for target in &mut targets {
        target.live.first_token_us = 100_000;
    }
    targets[2].live.first_token_us = 1_000_000;
    let snapshot = snapshot("latency", &targets);
    let mut picker = picker(&snapshot);
    for random in chance(2).take(1000) {
        let decision = picker.decide(&snapshot.routes[0], &Ask::default(), &Said(&targets), random).unwrap();
        assert_ne!(decision.target, 2);
    }
}

#[test]
fn the_order_is_the_request_s_own_whatever_was_decided_since() {
    let windows =
        [100, 1000, 1000].map(|window| Target { context_window: Some(window), ..Target::default() });
    let snapshot = snapshot("ordered", &windows);
    let (route, mut picker) = (&snapshot.routes[0], picker(&snapshot));
    let ask = |input_tokens| Ask { needs: Needs { input_tokens, ..Needs::default() }, ..Ask::default() };
    let first = picker.decide(route, &ask(500), &Said(&windows), 0).unwrap().target;
    picker.decide(route, &ask(5000), &Said(&windows), 0).unwrap();
    assert_eq!(picker.order(route, &ask(500), &Said(&windows), first), [1, 2]);
}

fn a_target() -> impl Strategy<Value = Target> {
    let capability = prop::sample::subsequence(Capability::ALL.to_vec(), 0..3);
    let window = prop::option::of(0_u64..2000);
    let price = prop::option::of(0_u64..1000);
    let live = (any::<[bool; 2]>(), 0_u32..20, 0_u32..1_000_000, 0_u16..=1000).prop_map(
        |([is_resting, is_open], in_flight, first_token_us, cached_permille)| Live {
            is_resting,
            is_open,
            in_flight,
            first_token_us,
            cached_permille,
        },
    );
    (1_u32..100, capability, window, price, prop::bool::weighted(0.9), live).prop_map(
        |(weight, lacks, context_window, input_price, serves, live)| Target {
            weight,
            lacks,
            context_window,
            input_price,
            serves,
            live,
        },
    )
}

fn a_strategy() -> impl Strategy<Value = &'static str> {
    prop::sample::select(llm_edge_core::snapshot::Strategy::ALL.map(|(name, _)| name).to_vec())
}

proptest! {
    #[test]
    fn nobody_is_asked_who_cannot_and_nobody_twice(
        strategy in a_strategy(),
        targets in prop::collection::vec(a_target(), 1..12),
        needs in prop::sample::subsequence(Capability::ALL.to_vec(), 0..3),
        input_tokens in 0_u64..3000,
        random in any::<u64>(),
    ) {
        let snapshot = snapshot(strategy, &targets);
        let route = &snapshot.routes[0];
        let capabilities: Capabilities = needs.iter().copied().collect();
        let ask = Ask { needs: Needs { capabilities, input_tokens }, output_tokens: 10, affinity: random };
        let can = |target: &Target| target.serves && !needs.iter().any(|need| target.lacks.contains(need));
        let takes = |target: &Target| can(target) && target.context_window.is_none_or(|w| input_tokens <= w);
        let mut picker = picker(&snapshot);
        match picker.decide(route, &ask, &Said(&targets), random) {
            Err(reason) => {
                prop_assert!(!targets.iter().any(can));
                prop_assert!(!matches!(reason, Exclusion::ContextWindow));
            }
            Ok(decision) => {
                let order = picker.order(route, &ask, &Said(&targets), decision.target);
                prop_assert_eq!(order[0], decision.target);
                let asked: BTreeSet<_> = order.iter().copied().collect();
                prop_assert_eq!(asked.len(), order.len(), "somebody twice");
                // As long as somebody takes the prompt, nobody is asked for whom it seems too long.
                let may = |target: &Target| if targets.iter().any(takes) { takes(target) } else { can(target) };
                let expected: BTreeSet<_> = (0..targets.len()).filter(|at| may(&targets[*at])).collect();
                prop_assert_eq!(asked, expected);
                // Who is likely to fail comes after whoever is not.
                let standings: Vec<_> = order.iter().map(|at| picker.standing(*at)).collect();
                prop_assert!(standings.is_sorted(), "{:?}", standings);
                prop_assert_eq!(decision.standing, standings[0]);
                prop_assert!(decision.standing < Standing::Excluded);
            }
        }
    }

    #[test]
    fn the_cheapest_and_the_least_busy_are_found(
        targets in prop::collection::vec(a_target(), 1..12),
        random in any::<u64>(),
    ) {
        let mut targets = targets;
        for target in &mut targets {
            *target = Target {
                lacks: vec![],
                context_window: None,
                serves: true,
                live: Live { is_open: false, is_resting: false, cached_permille: 0, ..target.live },
                ..target.clone()
            };
        }
        let ask = Ask { needs: Needs { input_tokens: 100, ..Needs::default() }, ..Ask::default() };
        let cost = |target: &Target| target.input_price.unwrap_or(u64::MAX);
        let of = |strategy: &str| {
            let snapshot = snapshot(strategy, &targets);
            picker(&snapshot).decide(&snapshot.routes[0], &ask, &Said(&targets), random).unwrap().target
        };
        let cheapest = targets.iter().map(cost).min();
        prop_assert_eq!(Some(cost(&targets[of("cost")])), cheapest);
        let load = |target: &Target| (u64::from(target.live.in_flight) + 1) * (1 << 20) / u64::from(target.weight);
        let least = targets.iter().map(load).min();
        prop_assert_eq!(Some(load(&targets[of("least_in_flight")])), least);
    }
}
