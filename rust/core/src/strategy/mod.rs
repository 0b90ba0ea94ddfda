//! How a target is picked among those of a route. One file per strategy; this is the registry.
//!
//! State lives with its holder (one per worker, so that workers share nothing); randomness is an argument.

pub mod round_robin;
pub mod weighted;

use crate::snapshot::{Route, Strategy};

impl Strategy {
    /// Every strategy, with the name the configuration uses.
    pub const ALL: [(&'static str, Self); 3] =
        [("round_robin", Self::RoundRobin), ("weighted", Self::Weighted), ("ordered", Self::Ordered)];
}

/// The state one worker keeps for one route.
#[derive(Debug)]
pub struct Picker {
    strategy: Strategy,
    weights: Vec<u32>,
    smooth: round_robin::Smooth,
}

impl Picker {
    /// State for a route nobody has used yet.
    pub fn new(route: &Route) -> Self {
        let weights: Vec<u32> = route.targets.iter().map(|t| t.weight).collect();
        Self { strategy: route.strategy, smooth: round_robin::Smooth::new(weights.len()), weights }
    }

    /// The index of the target to try first; the others follow in declaration order, wrapping round.
    pub fn pick(&mut self, random: u64) -> usize {
        if self.weights.len() < 2 {
            return 0;
        }
        match self.strategy {
            Strategy::RoundRobin => self.smooth.pick(&self.weights),
            Strategy::Weighted => weighted::pick(&self.weights, random),
            Strategy::Ordered => 0,
        }
    }
}
