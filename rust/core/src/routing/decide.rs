//! The decision: filter, rank, pick. Allocates nothing.

use serde::{Deserialize, Serialize};

use super::{Capability, Needs, Tokens};
use crate::snapshot::{ModelFacts, Route, Strategy, Target};
use crate::strategy::{rendezvous, round_robin::Smooth, weighted};

/// What is asked for, as far as it decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    /// What the request needs.
    pub needs: Needs,
    /// Tokens that are expected to be generated.
    pub output_tokens: u64,
    /// What belongs together has the same number here.
    pub affinity: u64,
}

/// What is known of a target at the moment.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Live {
    /// Every credential rests, or its probes fail.
    pub is_resting: bool,
    /// Its breaker lets nothing through.
    pub is_open: bool,
    /// Requests that it is busy with.
    pub in_flight: u32,
    /// How long it takes to its first token, in microseconds; 0: nobody knows.
    pub first_token_us: u32,
    /// Of the prompts' tokens, how many of 1,000 its prompt cache had.
    pub cached_permille: u16,
}

/// What a decision asks of the outside.
pub trait Present {
    /// Whether a target serves what is asked for.
    fn serves(&self, at: usize) -> bool;
    /// What is known of it.
    fn live(&self, at: usize) -> Live;
    /// What is known of its model.
    fn facts<'a>(&'a self, target: &'a Target) -> &'a ModelFacts;
    /// Of that, whether it is likely to answer: all that most strategies ask of each target.
    fn standing(&self, at: usize) -> Standing {
        self.live(at).standing()
    }
}

/// Why a target cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// It does not serve the operation, not even in other words.
    Operation,
    /// Its model cannot do this.
    Lacks(Capability),
    /// Its model does not take a prompt that long.
    ContextWindow,
}

/// Whether, and before whom, a target is asked: the lower, the sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// As any other.
    Ready,
    /// Its credentials rest, or its probes fail: asked last.
    Resting,
    /// Its breaker is open: asked once that lets somebody through.
    Open,
    /// The prompt seems too long for it, as it does for all others: asked because an estimate is no reason to
    /// refuse.
    TooLong,
    /// Not at all.
    Excluded,
}

impl Standing {
    /// Every one, in order.
    pub const ALL: [Self; 5] = [Self::Ready, Self::Resting, Self::Open, Self::TooLong, Self::Excluded];

    /// The word in metrics and explanations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Resting => "resting",
            Self::Open => "open",
            Self::TooLong => "too_long",
            Self::Excluded => "excluded",
        }
    }
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Index of the target that is asked first.
    pub target: usize,
    /// How it stands.
    pub standing: Standing,
    /// Targets that were left out.
    pub excluded: u32,
}

/// The state one worker keeps for one route.
#[derive(Debug)]
pub struct Picker {
    strategy: Strategy,
    weights: Box<[u32]>,
    identities: Box<[u64]>,
    smooth: Smooth,
    /// Of the decision at hand.
    standings: Box<[Standing]>,
    ranks: Box<[u64]>,
}

impl Picker {
    /// State for a route nobody has used yet; `identity` tells a name of a target by which it is known wherever it
    /// is used.
    pub fn new(route: &Route, identity: impl Fn(&Target) -> String) -> Self {
        let count = route.targets.len();
        Self {
            strategy: route.strategy,
            weights: route.targets.iter().map(|target| target.weight).collect(),
            identities: route.targets.iter().map(|t| rendezvous::identity(&identity(t))).collect(),
            smooth: Smooth::new(count),
            standings: vec![Standing::Excluded; count].into(),
            ranks: vec![0; count].into(),
        }
    }

    /// Picks the target to ask first.
    ///
    /// # Errors
    /// No target can do it: why the first one cannot that comes nearest to it.
    pub fn decide(
        &mut self,
        route: &Route,
        ask: &Ask,
        present: &impl Present,
        random: u64,
    ) -> Result<Decision, Exclusion> {
        let mut best = Standing::Excluded;
        let mut excluded = 0;
        let mut nearest = Exclusion::Operation;
        for (at, target) in route.targets.iter().enumerate() {
            let exclusion = exclusion(present.facts(target), ask, present.serves(at));
            if let Some(reason @ Exclusion::Lacks(_)) = exclusion {
                nearest = reason;
            }
            let standing = standing(exclusion, || present.standing(at));
            excluded += u32::from(standing >= Standing::TooLong);
            best = best.min(standing);
            if let Some(slot) = self.standings.get_mut(at) {
                *slot = standing;
            }
        }
        if best == Standing::Excluded {
            return Err(nearest);
        }
        let rank = |at: usize, target: &Target| {
            rank_of(route.strategy, target.weight, present.facts(target), ask, present.live(at))
        };
        let target = self.pick(route, best, ask.affinity, rank, random);
        Ok(Decision { target, standing: best, excluded })
    }

    /// Among those that stand so.
    fn pick(
        &mut self,
        route: &Route,
        best: Standing,
        affinity: u64,
        rank: impl Fn(usize, &Target) -> u64,
        random: u64,
    ) -> usize {
        let Self { strategy, weights, identities, smooth, standings, ranks } = self;
        let is_best = |at: usize| standings.get(at) == Some(&best);
        match strategy {
            Strategy::RoundRobin => smooth.pick(weights, is_best),
            Strategy::Weighted => weighted::pick(weights, random, is_best),
            Strategy::Ordered => standings.iter().position(|standing| *standing == best).unwrap_or(0),
            Strategy::Affinity => {
                let scored = identities.iter().zip(weights.iter()).enumerate().filter(|(at, _)| is_best(*at));
                let scored = scored.map(|(at, (id, weight))| (at, rendezvous::score(affinity, *id, *weight)));
                scored.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at)
            }
            // The better of two: the best of all would get everybody until it says how it bears that.
            Strategy::Latency => {
                let count = standings.iter().filter(|standing| **standing == best).count();
                let nth = |n: usize| (0..standings.len()).filter(|at| is_best(*at)).nth(n).unwrap_or(0);
                let (one, other) = two_of(count, random);
                let (one, other) = (nth(one), nth(other));
                let rank = |at: usize| route.targets.get(at).map(|target| rank(at, target));
                if rank(other) < rank(one) { other } else { one }
            }
            Strategy::LeastInFlight | Strategy::Cost => {
                let mut least = u64::MAX;
                for (at, (slot, target)) in ranks.iter_mut().zip(&route.targets).enumerate() {
                    if is_best(at) {
                        *slot = rank(at, target);
                        least = least.min(*slot);
                    }
                }
                smooth.pick(weights, |at| is_best(at) && ranks.get(at) == Some(&least))
            }
        }
    }

    /// How a target stood in the latest decision.
    pub fn standing(&self, at: usize) -> Standing {
        self.standings.get(at).copied().unwrap_or(Standing::Excluded)
    }

    /// Every target that may be asked, in the order in which that is done, once [`Self::decide`] has said which is
    /// the first; other requests may have been decided since. Only for when that one has failed: it allocates.
    pub fn order(&self, route: &Route, ask: &Ask, present: &impl Present, first: usize) -> Vec<usize> {
        let count = route.targets.len();
        let key = |at: usize, target: &Target| {
            let live = present.live(at);
            let facts = present.facts(target);
            let standing = standing(exclusion(facts, ask, present.serves(at)), || live.standing());
            let rank = match self.strategy {
                Strategy::RoundRobin | Strategy::Weighted => 0,
                Strategy::Ordered => at as u64,
                Strategy::Affinity => {
                    let identity = self.identities.get(at).copied().unwrap_or_default();
                    // Scores are positive, and positive floats are ordered as their bits are.
                    u64::MAX - rendezvous::score(ask.affinity, identity, target.weight).to_bits()
                }
                Strategy::LeastInFlight | Strategy::Latency | Strategy::Cost => {
                    rank_of(self.strategy, target.weight, facts, ask, live)
                }
            };
            (standing, rank, (at + count - first) % count.max(1))
        };
        let mut keyed: Vec<_> = route.targets.iter().enumerate().map(|(at, t)| (key(at, t), at)).collect();
        // What is too long for one is not tried there as long as others take it.
        let is_taken = keyed.iter().any(|((standing, ..), _)| *standing < Standing::TooLong);
        let last = if is_taken { Standing::Open } else { Standing::TooLong };
        keyed.retain(|((standing, ..), at)| *standing <= last && *at != first);
        keyed.sort_unstable();
        std::iter::once(first).chain(keyed.into_iter().map(|(_, at)| at)).collect()
    }
}

/// How a target stands: as it is likely to answer, if nothing speaks against it.
#[inline]
fn standing(exclusion: Option<Exclusion>, likely: impl FnOnce() -> Standing) -> Standing {
    match exclusion {
        None => likely(),
        Some(Exclusion::ContextWindow) => Standing::TooLong,
        Some(Exclusion::Operation | Exclusion::Lacks(_)) => Standing::Excluded,
    }
}

/// Why a target, of whose model this is known, cannot be asked, if it cannot.
pub fn exclusion(facts: &ModelFacts, ask: &Ask, serves: bool) -> Option<Exclusion> {
    if !serves {
        return Some(Exclusion::Operation);
    }
    let missing = ask.needs.capabilities.and(facts.lacks);
    if !missing.is_empty() {
        return missing.iter().next().map(Exclusion::Lacks);
    }
    let is_too_long = facts.context_window.is_some_and(|window| ask.needs.input_tokens > window);
    is_too_long.then_some(Exclusion::ContextWindow)
}

/// The lower, the better; what is equal is as good.
#[inline]
pub(super) fn rank_of(strategy: Strategy, weight: u32, facts: &ModelFacts, ask: &Ask, live: Live) -> u64 {
    let weight = u64::from(weight.max(1));
    let loaded = u64::from(live.in_flight) + 1;
    match strategy {
        Strategy::LeastInFlight => (loaded << 20) / weight,
        // Who is not known yet is asked once before others are asked again.
        Strategy::Latency if live.first_token_us == 0 => u64::from(live.in_flight) * UNKNOWN_US,
        Strategy::Latency => u64::from(live.first_token_us) * loaded / weight,
        Strategy::Cost => cost(facts, ask, live).unwrap_or(u64::MAX),
        Strategy::RoundRobin | Strategy::Weighted | Strategy::Ordered | Strategy::Affinity => 0,
    }
}

/// What each request is taken to last that a target works on of which nothing is known.
const UNKNOWN_US: u64 = 1_000_000;

/// What the request is expected to cost there, in pico-USD; `None` where the price is not known.
pub(super) fn cost(facts: &ModelFacts, ask: &Ask, live: Live) -> Option<u64> {
    let input = ask.needs.input_tokens;
    let cached_input = input.saturating_mul(u64::from(live.cached_permille)) / 1000;
    let tokens = Tokens { input, cached_input, output: ask.output_tokens, ..Tokens::default() };
    facts.price.as_ref().map(|price| price.of(tokens))
}

impl Live {
    fn standing(self) -> Standing {
        if self.is_open {
            Standing::Open
        } else if self.is_resting {
            Standing::Resting
        } else {
            Standing::Ready
        }
    }
}

/// Two different ones of `count`; the same twice where there is one.
fn two_of(count: usize, random: u64) -> (usize, usize) {
    if count < 2 {
        return (0, 0);
    }
    let below = |half: u64, count: usize| usize::try_from((half * count as u64) >> 32).unwrap_or_default();
    let one = below(random >> 32, count);
    let other = below(random & 0xffff_ffff, count - 1);
    (one, if other >= one { other + 1 } else { other })
}

impl Exclusion {
    /// Every one, by [`Self::index`].
    pub const ALL: [Self; 7] = [
        Self::Operation,
        Self::Lacks(Capability::Tools),
        Self::Lacks(Capability::Vision),
        Self::Lacks(Capability::JsonSchema),
        Self::Lacks(Capability::Reasoning),
        Self::Lacks(Capability::Audio),
        Self::ContextWindow,
    ];

    /// Where it stands in tables.
    pub const fn index(self) -> usize {
        match self {
            Self::Operation => 0,
            Self::Lacks(capability) => 1 + capability as usize,
            Self::ContextWindow => 6,
        }
    }

    /// The word in metrics and explanations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Lacks(capability) => capability.name(),
            Self::ContextWindow => "context_window",
        }
    }
}
