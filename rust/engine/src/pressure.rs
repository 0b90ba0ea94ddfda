//! Overload: when more comes than can be served well, a growing share of new requests is refused, early.
//!
//! Three pressures, each with a named limit, 0 for none: requests in hand (`limits.in_flight_max`), resident
//! memory (`limits.memory_bytes_max`), and the queue (`limits.queue_ms_max`): how long a task of this worker
//! that has become ready waits for its turn. The first two refuse nothing below seven eighths of their limit
//! and everything above it, in proportion between.
//!
//! The queue is measured by a task that asks for its turn and looks at the clock when it has it. A stall (a
//! processor taken away, one huge request) fills the queue too, but it runs empty again at once; only a queue
//! that stands at the limit for [`STANDING_MS`] means that more comes than goes (the rule of `CoDel`, RFC 8289
//! §3.2). From then on the queue is measured at every turn, and requests are refused in proportion to it, none at
//! a quarter of the limit and all at three quarters, until for [`CALM_MS`] none had to be. So the queue stands
//! at about half of the limit, however large the load is; a limit alone would let it swing around itself.
//!
//! Invariant: while nothing presses, a request pays for one comparison.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use llm_edge_core::snapshot::Limits;

use crate::telemetry::bank::OVERHEAD_US;
use crate::worker::Worker;

/// How long the queue must stand at its limit before requests are refused for it: a thousand streams
/// that begin at the same moment need a tenth to a quarter of a second of a worker.
const STANDING_MS: u64 = 500;
/// How long nothing must have been refused for the queue until it is no longer measured at every turn.
const CALM_MS: u64 = 2_000;
/// What a timer may be late by itself: it counts whole milliseconds.
const TIMER_STEP: Duration = Duration::from_millis(1);
/// With no more than this in hand on a worker, a long wait is the length of its tasks, not their number.
const QUEUED_MIN: u64 = 8;
/// Refused requests that get a line in the request log, per worker and second; all of them are counted.
const LOG_LINES_MAX: u32 = 10;
/// All of them; shares are counted in parts of this.
const ALL: u64 = 1 << 16;

/// What a request was refused for, as the label `reason` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shed {
    InFlight,
    Memory,
    Queue,
}

impl Shed {
    pub(crate) const ALL: [Self; 3] = [Self::InFlight, Self::Memory, Self::Queue];

    /// The word in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Memory => "memory",
            Self::Queue => "queue",
        }
    }

    /// What the client is told.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::InFlight => "the gateway has too many requests in hand (`limits.in_flight_max`)",
            Self::Memory => "the gateway is short of memory (`limits.memory_bytes_max`)",
            Self::Queue => "the gateway gets more requests than it can serve (`limits.queue_ms_max`)",
        }
    }
}

/// What presses on one worker. See the module.
pub(crate) struct Pressure {
    /// With more requests than this in hand, the next one is looked at closely.
    look_above: Cell<u64>,
    in_flight_max: Cell<u64>,
    /// Of the other workers, up to one tick old.
    in_flight_elsewhere: Cell<u64>,
    in_flight_published: Cell<u64>,
    memory_share: Cell<u64>,
    queue_share: Cell<u64>,
    /// Since when the queue stands at its limit.
    standing_since: Cell<Option<Instant>>,
    /// Until when the queue is measured at every turn.
    alert_until: Cell<Option<Instant>>,
    /// What is left of the shares of requests that were let in: spreads refusals evenly.
    debt: Cell<u64>,
    log_second: Cell<u64>,
    log_lines: Cell<u32>,
}

impl Default for Pressure {
    fn default() -> Self {
        Self {
            look_above: Cell::new(u64::MAX),
            in_flight_max: Cell::new(0),
            in_flight_elsewhere: Cell::new(0),
            in_flight_published: Cell::new(0),
            memory_share: Cell::new(0),
            queue_share: Cell::new(0),
            standing_since: Cell::new(None),
            alert_until: Cell::new(None),
            debt: Cell::new(0),
            log_second: Cell::new(0),
            log_lines: Cell::new(0),
        }
    }
}

impl Pressure {
    /// Whether a request must be refused, and for what; `in_flight` counts this worker's, it included.
    #[inline]
    pub(crate) fn sheds(&self, in_flight: u64) -> Option<Shed> {
        if in_flight <= self.look_above.get() { None } else { self.look_closely(in_flight) }
    }

    #[cold]
    fn look_closely(&self, in_flight: u64) -> Option<Shed> {
        let all = in_flight.saturating_add(self.in_flight_elsewhere.get()).saturating_sub(1);
        let in_flight_share = share(all, near(self.in_flight_max.get()), self.in_flight_max.get());
        let (most, reason) = [
            (in_flight_share, Shed::InFlight),
            (self.memory_share.get(), Shed::Memory),
            (if in_flight > QUEUED_MIN { self.queue_share.get() } else { 0 }, Shed::Queue),
        ]
        .into_iter()
        .max_by_key(|(share, _)| *share)?;
        let debt = self.debt.get() + most;
        self.debt.set(debt % ALL);
        (debt >= ALL).then_some(reason)
    }

    /// Whether the queue presses, or has a moment ago.
    pub(crate) fn is_queue_alert(&self) -> bool {
        self.alert_until.get().is_some()
    }

    /// Whether a refused request gets its line in the log, `now_ms` on the coarse clock.
    pub(crate) fn may_log(&self, now_ms: u64) -> bool {
        let second = now_ms / 1000;
        if self.log_second.replace(second) != second {
            self.log_lines.set(0);
        }
        let lines = self.log_lines.get();
        self.log_lines.set(lines.saturating_add(1));
        lines < LOG_LINES_MAX
    }

    /// Lets `tick` pass, measuring the queue meanwhile: once, or at every turn while it presses.
    pub(crate) async fn pace(&self, worker: &Worker, tick: Duration) {
        let begun = Instant::now();
        let mut lag = Duration::ZERO;
        if self.alert_until.get().is_none() {
            tokio::time::sleep(tick).await;
            lag = begun.elapsed().saturating_sub(tick + TIMER_STEP);
        }
        let queue_ms_max = worker.loaded().snapshot.limits.queue_ms_max;
        loop {
            let asked = Instant::now();
            tokio::task::yield_now().await;
            let now = Instant::now();
            let waited = now - asked;
            lag = lag.max(waited);
            self.measured(waited, now, Duration::from_millis(queue_ms_max.into()));
            if now - begun >= tick {
                break;
            }
            if waited < TIMER_STEP {
                // Nobody waits: asking again at once would only keep the thread from sleeping.
                tokio::time::sleep(TIMER_STEP).await;
            }
        }
        let us = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
        worker.bank.worker.loop_lag.observe(&OVERHEAD_US, us);
        self.look(worker);
    }

    /// Before the worker has nothing to do: its queue is empty, and the others need not count on what it had
    /// in hand.
    pub(crate) fn rest(&self, worker: &Worker) {
        self.queue_share.set(0);
        self.look(worker);
    }

    /// Exchanges what is in hand with the other workers and takes over the limits in force.
    pub(crate) fn look(&self, worker: &Worker) {
        self.take_over(worker, &worker.loaded().snapshot.limits);
    }

    /// One measurement of the queue.
    fn measured(&self, waited: Duration, now: Instant, max: Duration) {
        if max.is_zero() {
            self.queue_share.set(0);
            self.alert_until.set(None);
            return;
        }
        let Some(alert_until) = self.alert_until.get() else {
            if waited < max {
                self.standing_since.set(None);
                return;
            }
            let since = self.standing_since.get().unwrap_or(now);
            self.standing_since.set(Some(since));
            if now - since >= Duration::from_millis(STANDING_MS) {
                self.standing_since.set(None);
                self.alert_until.set(Some(now + Duration::from_millis(CALM_MS)));
            }
            return;
        };
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let refused = share(micros(waited), micros(max) / 4, micros(max) / 4 * 3);
        self.queue_share.set(refused);
        self.set_look_above();
        if refused > 0 {
            self.alert_until.set(Some(now + Duration::from_millis(CALM_MS)));
        } else if now >= alert_until {
            self.alert_until.set(None);
        }
    }

    fn take_over(&self, worker: &Worker, limits: &Limits) {
        let shared = &worker.shared;
        let mine = worker.bank.worker.in_flight.get();
        let before = self.in_flight_published.replace(mine);
        let difference = mine.wrapping_sub(before);
        let all = shared.in_flight.fetch_add(difference, Ordering::Relaxed).wrapping_add(difference);
        self.in_flight_elsewhere.set(all.saturating_sub(mine));
        self.in_flight_max.set(limits.in_flight_max.into());
        let (resident, max) = (shared.resident_bytes.load(Ordering::Relaxed), limits.memory_bytes_max);
        self.memory_share.set(share(resident, near(max), max));
        self.set_look_above();
    }

    fn set_look_above(&self) {
        let pressed = self.memory_share.get() > 0 || self.queue_share.get() > 0;
        self.look_above.set(match self.in_flight_max.get() {
            _ if pressed => 0,
            0 => u64::MAX,
            max => near(max).saturating_sub(self.in_flight_elsewhere.get()),
        });
    }
}

/// Where a limit begins to be felt.
pub(crate) fn near(max: u64) -> u64 {
    max - max / 8
}

/// The share refused at `value`: none up to `low`, all from `max` on; none where there is no limit.
fn share(value: u64, low: u64, max: u64) -> u64 {
    if max == 0 || value <= low {
        return 0;
    }
    let (above, width) = (value - low, max.saturating_sub(low).max(1));
    if above >= width { ALL } else { above.saturating_mul(ALL) / width }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_of_a_thousand(pressure: &Pressure, in_flight: u64) -> usize {
        (0..1000).filter(|_| pressure.sheds(in_flight).is_some()).count()
    }

    #[test]
    fn requests_in_hand_are_refused_in_proportion_up_to_the_limit() {
        let pressure = Pressure::default();
        pressure.in_flight_max.set(80);
        pressure.in_flight_elsewhere.set(40);
        pressure.set_look_above();
        assert_eq!(refused_of_a_thousand(&pressure, 30), 0);
        assert_eq!(refused_of_a_thousand(&pressure, 36), 500);
        assert_eq!(refused_of_a_thousand(&pressure, 41), 1000);
        assert_eq!(pressure.sheds(41), Some(Shed::InFlight));
    }

    #[test]
    fn a_stall_refuses_nothing_and_a_standing_queue_does() {
        let pressure = Pressure::default();
        let (max, start) = (Duration::from_millis(10), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        for ms in [0, 250, 450] {
            pressure.measured(Duration::from_millis(60), at(ms), max);
        }
        pressure.measured(Duration::ZERO, at(499), max);
        pressure.measured(Duration::from_millis(60), at(510), max);
        assert_eq!(refused_of_a_thousand(&pressure, 9), 0);
        pressure.measured(Duration::from_millis(10), at(1011), max);
        pressure.measured(Duration::from_millis(5), at(1020), max);
        assert_eq!(refused_of_a_thousand(&pressure, 9), 500);
        assert_eq!(pressure.sheds(9).or(pressure.sheds(9)), Some(Shed::Queue));
        pressure.measured(Duration::from_micros(7500), at(1021), max);
        assert_eq!(refused_of_a_thousand(&pressure, 9), 1000);
        assert_eq!(refused_of_a_thousand(&pressure, 8), 0, "few requests that are long");
    }

    #[test]
    fn the_alert_ends_two_seconds_after_the_last_refusal() {
        let pressure = Pressure::default();
        let (max, start) = (Duration::from_millis(10), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        for ms in [0, 500, 520] {
            pressure.measured(max, at(ms), max);
        }
        pressure.measured(Duration::ZERO, at(2500), max);
        assert!(pressure.alert_until.get().is_some());
        assert_eq!(refused_of_a_thousand(&pressure, 9), 0);
        pressure.measured(Duration::ZERO, at(2521), max);
        assert!(pressure.alert_until.get().is_none());
    }

    #[test]
    fn ten_refusals_of_a_second_are_written_down() {
        let pressure = Pressure::default();
        assert_eq!((0..500).filter(|_| pressure.may_log(1_000)).count(), 10);
        assert_eq!((0..500).filter(|_| pressure.may_log(2_100)).count(), 10);
    }

    #[test]
    fn no_limit_refuses_nothing() {
        let pressure = Pressure::default();
        pressure.measured(Duration::from_secs(1), Instant::now(), Duration::ZERO);
        pressure.set_look_above();
        assert_eq!(refused_of_a_thousand(&pressure, u64::MAX), 0);
    }
}
