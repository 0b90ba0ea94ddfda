//! A circuit breaker: a target that keeps failing is left alone for a while, then asked by a few.
//!
//! One atomic word holds the whole state, so that all workers share a breaker without a lock. Invariants: while
//! half-open exactly `probes` requests are let through, however many ask at once; what a request reports after
//! the state has moved on changes nothing. On a target that does not fail a request costs one load to be let
//! through and one to report.
//!
//! ```text
//!            failures >= max, and their share >= percent
//!   closed ───────────────────────────────────────────────▶ open
//!     ▲                                                     │ open_ms
//!     └──────────── all probes succeeded ──── half-open ◀───┘
//!                                             │   ▲
//!                                             └───┘ one failed: open again
//! ```

use serde::Deserialize;

use crate::sync::atomic::{AtomicU64, Ordering};

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Failures within the window that open it, at least.
    pub failures: u16,
    /// Their share of all that ended in the window, at least, in percent.
    pub failure_percent: u16,
    /// Length of the window, which begins with a failure, in milliseconds.
    pub window_ms: u32,
    /// How long it stays open, in milliseconds.
    pub open_ms: u32,
    /// Requests that must succeed before it closes.
    pub probes: u16,
}

/// What a breaker does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Lets everything through.
    Closed,
    /// Lets nothing through.
    Open,
    /// Lets probes through.
    HalfOpen,
}

/// Leave to send one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Like any other.
    Free,
    /// A probe; its outcome must be reported, or its place given back with [`Breaker::give_back`].
    Probe {
        /// Which half-open phase it belongs to.
        phase: u32,
    },
}

/// What a report changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that anyone should hear of.
    None,
    /// It has opened.
    Opened,
    /// It has closed.
    Closed,
}

/// The word, unpacked. `at` counts in units of 16 ms: 32 bits last for two years.
///
/// Closed: `at` is the window's start, `a` its failures, `b` its successes. Open: `at` is when it ends.
/// Half-open: `at` is the phase, `a` the probes let through, `b` those that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    state: State,
    at: u32,
    a: u16,
    b: u16,
}

const UNIT_MS: u64 = 16;
const COUNT_MAX: u16 = 0x7fff;

impl Word {
    const CLOSED: u64 = 0;

    fn unpack(bits: u64) -> Self {
        let part = |shift: u32| u16::try_from((bits >> shift) & u64::from(COUNT_MAX)).unwrap_or(0);
        Self {
            state: match bits & 3 {
                0 => State::Closed,
                1 => State::Open,
                _ => State::HalfOpen,
            },
            a: part(2),
            b: part(17),
            at: u32::try_from(bits >> 32).unwrap_or(0),
        }
    }

    fn pack(self) -> u64 {
        let state = match self.state {
            State::Closed => 0,
            State::Open => 1,
            State::HalfOpen => 2,
        };
        state
            | u64::from(self.a.min(COUNT_MAX)) << 2
            | u64::from(self.b.min(COUNT_MAX)) << 17
            | u64::from(self.at) << 32
    }
}

fn units(ms: u64) -> u32 {
    u32::try_from((ms / UNIT_MS) & u64::from(u32::MAX)).unwrap_or(0)
}

/// See the module. Times are milliseconds on one clock for all that share the breaker.
#[derive(Debug)]
pub struct Breaker(AtomicU64);

impl Default for Breaker {
    fn default() -> Self {
        Self(AtomicU64::new(Word::CLOSED))
    }
}

impl Breaker {
    /// What it does now.
    pub fn state(&self) -> State {
        Word::unpack(self.0.load(Ordering::Relaxed)).state
    }

    /// Whether it would let a request through, without taking a place.
    pub fn would_admit(&self, policy: &Policy, now_ms: u64) -> bool {
        let word = Word::unpack(self.0.load(Ordering::Relaxed));
        match word.state {
            State::Closed => true,
            State::Open => units(now_ms) >= word.at,
            State::HalfOpen => word.a < policy.probes,
        }
    }

    /// Leave to send a request.
    ///
    /// # Errors
    /// The milliseconds until it is worth asking again.
    pub fn admit(&self, policy: &Policy, now_ms: u64) -> Result<Pass, u64> {
        let now = units(now_ms);
        let mut bits = self.0.load(Ordering::Acquire);
        loop {
            let word = Word::unpack(bits);
            let next = match word.state {
                State::Closed => return Ok(Pass::Free),
                State::Open if now < word.at => return Err(u64::from(word.at - now) * UNIT_MS),
                State::Open => Word { state: State::HalfOpen, at: word.at, a: 1, b: 0 },
                State::HalfOpen if word.a < policy.probes => Word { a: word.a + 1, ..word },
                State::HalfOpen => return Err(u64::from(policy.open_ms)),
            };
            match self.0.compare_exchange_weak(bits, next.pack(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(Pass::Probe { phase: next.at }),
                Err(seen) => bits = seen,
            }
        }
    }

    /// The request that had `pass` was answered.
    pub fn succeeded(&self, policy: &Policy, pass: Pass, now_ms: u64) -> Change {
        self.change(|word| match (word.state, pass) {
            // Nothing has failed lately: nothing to weigh.
            (State::Closed, Pass::Free) if word.a == 0 => None,
            (State::Closed, Pass::Free) if Self::window_is_over(policy, word, now_ms) => {
                Some((Word { a: 0, b: 0, ..word }, Change::None))
            }
            (State::Closed, Pass::Free) => {
                Some((Word { b: word.b.saturating_add(1).min(COUNT_MAX), ..word }, Change::None))
            }
            (State::HalfOpen, Pass::Probe { phase }) if phase == word.at => {
                let b = word.b.saturating_add(1);
                if b >= policy.probes {
                    Some((Word { state: State::Closed, at: 0, a: 0, b: 0 }, Change::Closed))
                } else {
                    Some((Word { b, ..word }, Change::None))
                }
            }
            _ => None,
        })
    }

    /// The request that had `pass` failed, and the upstream is to blame.
    pub fn failed(&self, policy: &Policy, pass: Pass, now_ms: u64) -> Change {
        let open = || Word {
            state: State::Open,
            // Never the phase before it, or a late probe of that one would be taken for one of the next.
            at: units(now_ms.saturating_add(u64::from(policy.open_ms))).max(1),
            a: 0,
            b: 0,
        };
        self.change(|word| match (word.state, pass) {
            (State::Closed, _) => {
                let word = if word.a == 0 || Self::window_is_over(policy, word, now_ms) {
                    Word { state: State::Closed, at: units(now_ms), a: 1, b: 0 }
                } else {
                    Word { a: word.a.saturating_add(1).min(COUNT_MAX), ..word }
                };
                let total = u32::from(word.a) + u32::from(word.b);
                let share = u32::from(word.a) * 100 >= u32::from(policy.failure_percent) * total;
                if word.a >= policy.failures && share {
                    Some((open(), Change::Opened))
                } else {
                    Some((word, Change::None))
                }
            }
            (State::HalfOpen, Pass::Probe { phase }) if phase == word.at => {
                let next = open();
                Some((Word { at: next.at.max(word.at.saturating_add(1)), ..next }, Change::Opened))
            }
            _ => None,
        })
    }

    /// The probe that had `pass` ended without an outcome (its client left): another may go.
    pub fn give_back(&self, pass: Pass) {
        self.change(|word| match (word.state, pass) {
            (State::HalfOpen, Pass::Probe { phase }) if phase == word.at => {
                Some((Word { a: word.a.saturating_sub(1), ..word }, Change::None))
            }
            _ => None,
        });
    }

    fn window_is_over(policy: &Policy, word: Word, now_ms: u64) -> bool {
        units(now_ms).saturating_sub(word.at) >= units(u64::from(policy.window_ms)).max(1)
    }

    fn change(&self, step: impl Fn(Word) -> Option<(Word, Change)>) -> Change {
        let mut bits = self.0.load(Ordering::Acquire);
        while let Some((next, change)) = step(Word::unpack(bits)) {
            match self.0.compare_exchange_weak(bits, next.pack(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return change,
                Err(seen) => bits = seen,
            }
        }
        Change::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_keeps_what_it_is_given() {
        for state in [State::Closed, State::Open, State::HalfOpen] {
            for (at, a, b) in [(0, 0, 0), (u32::MAX, COUNT_MAX, COUNT_MAX), (1, 2, 3)] {
                let word = Word { state, at, a, b };
                assert_eq!(Word::unpack(word.pack()), word);
            }
        }
    }
}
