//! When a second attempt is worth starting beside the first: after a fixed delay, or when a request is slower
//! than 95 of 100 were.

use serde::Deserialize;

/// How a route hedges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Milliseconds without a first byte before the second attempt; 0 stands for the 95th percentile.
    pub delay_ms: u32,
    /// Second attempts, in percent of the requests.
    pub spend_percent: u32,
}

/// Requests that must have been seen before a percentile is believed.
const SEEN_MIN: u32 = 20;

/// A running estimate of the 95th percentile of a span, without keeping the spans: a slower one pushes it up by
/// nineteen steps, a faster one pulls it down by one, so that it rests where one in twenty is slower. Steps are
/// in proportion to the estimate, which therefore follows a change within some dozen requests.
#[derive(Debug, Default)]
pub struct Slow {
    us: u64,
    seen: u32,
}

impl Slow {
    /// A request's first byte took this long, in microseconds.
    pub fn observe(&mut self, us: u64) {
        self.seen = self.seen.saturating_add(1);
        if self.seen == 1 {
            self.us = us;
            return;
        }
        let step = self.us / 400 + 1;
        self.us = if us > self.us {
            self.us.saturating_add(step.saturating_mul(19)).min(us.max(self.us))
        } else {
            self.us.saturating_sub(step).max(us)
        };
    }

    /// The estimate in milliseconds, rounded up; `None` until enough was seen.
    pub fn ms(&self) -> Option<u32> {
        (self.seen >= SEEN_MIN).then(|| u32::try_from(self.us.div_ceil(1000)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_comes_to_rest_near_the_95th_percentile() {
        let mut slow = Slow::default();
        let mut random = 7u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Evenly spread from 0 to 100 ms.
            slow.observe((random >> 33) % 100_000);
        }
        let ms = slow.ms().unwrap();
        assert!((85..=99).contains(&ms), "{ms}");
    }

    #[test]
    fn it_says_nothing_before_it_has_seen_enough() {
        let mut slow = Slow::default();
        for _ in 1..SEEN_MIN {
            slow.observe(1_000);
            assert_eq!(slow.ms(), None);
        }
        slow.observe(1_000);
        assert_eq!(slow.ms(), Some(1));
    }
}
