//! What a target is busy with and how it does, for the strategies that go by that. Shared by all workers: one that has
//! seen a target slow down tells the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use llm_edge_core::routing::{Live, Pace};
use llm_edge_core::tap::Usage;

use crate::exchange::State;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Load {
    in_flight: AtomicU32,
    /// [`Pace`] of whole replies and of streams: a whole one is there with its last token.
    paces: [AtomicU64; 2],
    /// Of the prompts' tokens, how many of 2^32 its prompt cache had, on average.
    cached: AtomicU64,
}

/// A failure counts as a first token that came so many times later than usual, for who fails at once must not look
/// fast.
const FAILURE_FACTOR: u32 = 4;
/// And never as more than this.
const FAILURE_US_MAX: u32 = 60_000_000;
/// What each reply's share counts in the average, as a power of two.
const CACHED_SHIFT: u32 = 4;

impl Load {
    /// What a decision goes by.
    pub(crate) fn live(&self, stream: bool, now_ms: u64) -> Live {
        let permille = self.cached.load(Relaxed).saturating_mul(1000) >> 32;
        Live {
            in_flight: self.in_flight.load(Relaxed),
            first_token_us: Pace::unpack(self.pace(stream).load(Relaxed)).now(now_ms),
            cached_permille: u16::try_from(permille).unwrap_or(1000).min(1000),
            ..Live::default()
        }
    }

    fn pace(&self, stream: bool) -> &AtomicU64 {
        let [whole, streams] = &self.paces;
        if stream { streams } else { whole }
    }

    // Two that are told at once may lose one of them: an average bears that.
    fn observe(&self, stream: bool, now_ms: u64, us: u32) {
        let cell = self.pace(stream);
        let pace = Pace::unpack(cell.load(Relaxed));
        cell.store(pace.observed(now_ms, us).pack(), Relaxed);
    }

    fn failed(&self, stream: bool, now_ms: u64, us: u32) {
        let usual = Pace::unpack(self.pace(stream).load(Relaxed)).now(now_ms);
        let late = usual.saturating_mul(FAILURE_FACTOR).min(FAILURE_US_MAX);
        self.observe(stream, now_ms, late.max(us));
    }

    fn used(&self, usage: &Usage) {
        if usage.input_tokens == 0 {
            return;
        }
        let share = (usage.cached_input_tokens.min(usage.input_tokens) << 32) / usage.input_tokens;
        let before = self.cached.load(Relaxed);
        let after = before - (before >> CACHED_SHIFT) + (share >> CACHED_SHIFT);
        self.cached.store(after, Relaxed);
    }
}

/// A request that a target works on, counted for as long as it lives.
pub(crate) struct Busy {
    load: Arc<Load>,
    since: Instant,
    stream: bool,
    /// How long it took to its first token was told.
    told: bool,
}

impl Busy {
    /// From now on.
    pub(crate) fn with(load: &Arc<Load>, stream: bool) -> Self {
        load.in_flight.fetch_add(1, Relaxed);
        Self { load: Arc::clone(load), since: Instant::now(), stream, told: false }
    }

    fn us(&self) -> u32 {
        u32::try_from(self.since.elapsed().as_micros()).unwrap_or(u32::MAX)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.load.in_flight.fetch_sub(1, Relaxed);
    }
}

impl State {
    /// The target's reply has begun: of a whole one, that is its first token.
    #[inline]
    pub(crate) fn target_began(&mut self) {
        if self.busy.as_ref().is_some_and(|busy| !busy.stream) {
            self.first_token();
        }
    }

    /// A stream has said something.
    #[cold]
    pub(crate) fn first_token(&mut self) {
        let now_ms = self.worker.deadlines.now_ms();
        if let Some(busy) = self.busy.as_mut().filter(|busy| !busy.told) {
            busy.told = true;
            busy.load.observe(busy.stream, now_ms, busy.us());
        }
    }

    /// The target failed.
    #[cold]
    pub(crate) fn target_failed(&mut self) {
        let now_ms = self.worker.deadlines.now_ms();
        if let Some(busy) = self.busy.as_mut().filter(|busy| !busy.told) {
            busy.told = true;
            busy.load.failed(busy.stream, now_ms, busy.us());
        }
    }

    /// What its reply used.
    pub(crate) fn target_used(&self, usage: &Usage) {
        if let Some(busy) = &self.busy {
            busy.load.used(usage);
        }
    }

    /// Whether somebody waits to hear of a stream's first token.
    #[inline]
    pub(crate) fn awaits_first_token(&self) -> bool {
        self.busy.as_ref().is_some_and(|busy| busy.stream && !busy.told)
    }
}
