//! When something happened.
//!
//! A request is stamped at each turn of its way, and what lies between is reckoned when it is settled.
//! [`std::time::Instant`] keeps seconds and nanoseconds apart, and checks every difference; one number does neither.
#![expect(unsafe_code, reason = "clock_gettime has no safe binding in std")]

use std::num::NonZeroU64;
use std::time::Duration;

/// A point in time by the monotonic clock, to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(NonZeroU64);

impl Stamp {
    pub(crate) fn now() -> Self {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a local of the type that the call fills.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        // Since the machine started: positive, and room for 584 years.
        let ns = now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned();
        Self(NonZeroU64::MIN.saturating_add(ns))
    }

    /// Nanoseconds from `earlier` to this; 0 where that is the later one.
    pub(crate) fn ns_since(self, earlier: Self) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }

    /// The same in whole microseconds.
    pub(crate) fn us_since(self, earlier: Self) -> u64 {
        self.ns_since(earlier) / 1000
    }

    /// The same as a duration.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.ns_since(earlier))
    }

    /// How long ago it was.
    pub(crate) fn elapsed(self) -> Duration {
        Self::now().since(self)
    }

    #[cfg(test)]
    pub(crate) fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms * 1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_between_two_stamps_is_that_of_the_clock() {
        let (stamp, instant) = (Stamp::now(), std::time::Instant::now());
        std::thread::sleep(Duration::from_millis(20));
        let (since, elapsed) = (Stamp::now().since(stamp), instant.elapsed());
        assert!(since >= Duration::from_millis(20), "{since:?}");
        assert!(since.abs_diff(elapsed) < Duration::from_millis(20), "{since:?} {elapsed:?}");
        assert_eq!(stamp.since(Stamp::now()), Duration::ZERO);
        let later = stamp.after(3);
        assert_eq!((later.us_since(stamp), later.ns_since(stamp)), (3000, 3_000_000));
    }
}
