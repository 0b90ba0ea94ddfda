//! How a target is picked among those of a route. One file per strategy that does more than look for the least; this is
//! the registry.
//!
//! State lives with its holder (one per worker, so that workers share nothing); randomness is an argument.

pub mod rendezvous;
pub mod round_robin;
pub mod weighted;

use crate::snapshot::Strategy;

impl Strategy {
    /// Every strategy, with the name the configuration uses.
    pub const ALL: [(&'static str, Self); 7] = [
        ("round_robin", Self::RoundRobin),
        ("weighted", Self::Weighted),
        ("ordered", Self::Ordered),
        ("least_in_flight", Self::LeastInFlight),
        ("latency", Self::Latency),
        ("cost", Self::Cost),
        ("affinity", Self::Affinity),
    ];

    /// Whether it looks at what targets are busy with, how fast they are, or what their prompt caches have.
    pub const fn goes_by_load(self) -> bool {
        matches!(self, Self::LeastInFlight | Self::Latency | Self::Cost)
    }
}
