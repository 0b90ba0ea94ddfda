//! How long a target takes to its first token: a moving average that rises at once and falls with time.
//!
//! What is slower than the average counts at once, so that a target in trouble is left before it has collected
//! requests; what is faster counts little by little. Nobody asks a slow target any more, so its average falls by
//! itself until it is worth a try, which then tells.
//! Source: the peak-EWMA load balancer of Twitter's Finagle (`PeakEwma.scala`).

/// Within which the average falls to its half, in milliseconds: a target that was ten times slower than others and has
/// recovered is asked again after 3.3 times as long.
const HALVES_MS: u32 = 2000;

/// See the module. One word, so that workers share it without a lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// When it was last changed, on the clock that all workers share, in milliseconds.
    at_ms: u32,
    /// The average then, in microseconds; 0: nothing is known.
    us: u32,
}

impl Pace {
    /// Out of one word.
    #[inline]
    pub fn unpack(word: u64) -> Self {
        Self { at_ms: low_half(word >> 32), us: low_half(word) }
    }

    /// Into one word.
    #[inline]
    pub fn pack(self) -> u64 {
        u64::from(self.at_ms) << 32 | u64::from(self.us)
    }

    /// The average at `now_ms`, in microseconds; 0: nothing is known.
    #[inline]
    pub fn now(self, now_ms: u64) -> u32 {
        part(self.us, self.weight(now_ms))
    }

    /// After a first token that came in `us` microseconds.
    #[must_use]
    pub fn observed(self, now_ms: u64, us: u32) -> Self {
        let us = us.max(1);
        let rises = self.us == 0 || us >= self.now(now_ms);
        let weight = self.weight(now_ms);
        // From what it was, not from what it has fallen to: that is for those whom nobody asks.
        let us = if rises { us } else { part(self.us, weight) + part(us, WHOLE - weight) };
        Self { at_ms: low_half(now_ms), us: us.max(1) }
    }

    /// What is left of the average, of [`WHOLE`]: halved for each half-life, straight in between.
    fn weight(self, now_ms: u64) -> u32 {
        let passed = low_half(now_ms).wrapping_sub(self.at_ms);
        let (halvings, rest) = (passed / HALVES_MS, passed % HALVES_MS);
        (WHOLE - WHOLE / 2 * rest / HALVES_MS).checked_shr(halvings).unwrap_or(0)
    }
}

const WHOLE: u32 = 1 << 16;

fn part(us: u32, weight: u32) -> u32 {
    low_half((u64::from(us) * u64::from(weight)) >> 16)
}

fn low_half(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slower_counts_at_once_and_what_is_faster_little_by_little() {
        let pace = Pace::default().observed(1000, 100);
        assert_eq!(pace.now(1000), 100);
        let slow = pace.observed(1001, 1000);
        assert_eq!(slow.now(1001), 1000);
        let better = slow.observed(1002, 100);
        assert!((990..1000).contains(&better.now(1002)), "{better:?}");
    }

    #[test]
    fn a_slow_one_that_nobody_asks_is_worth_a_try_after_some_seconds() {
        let slow = Pace::default().observed(0, 100_000);
        assert!(slow.now(6_500) > 10_000 && slow.now(7_000) < 10_000);
    }

    #[test]
    fn one_word_holds_it_and_the_clock_may_wrap() {
        let pace = Pace::default().observed(u64::from(u32::MAX), 70_000);
        assert_eq!(Pace::unpack(pace.pack()), pace);
        assert!((69_000..70_000).contains(&pace.now(u64::from(u32::MAX) + 20)));
    }
}
