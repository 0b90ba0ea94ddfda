//! Deadlines without a timer per request: each connection owns one slot, one sweep per worker looks at all.
//!
//! A task waits for one thing at a time, so one slot per connection is enough: it is armed anew for each
//! wait. A deadline may be late by up to two ticks; it is never early. Arming reads no clock: the sweep keeps
//! a coarse one.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use llm_edge_core::rejection::{Code, Rejection};
use tokio::sync::Notify;

use crate::fail_points::fail_point;
use crate::worker::Worker;

/// Time between two sweeps.
const TICK: Duration = Duration::from_millis(25);

/// Slots that are kept for the next who need one.
const SPARE_MAX: usize = 64;

/// Why a wait ended without what it waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// The deadline passed.
    Elapsed,
    /// The worker is shutting down and this connection must end now.
    Closing,
}

impl Lapse {
    /// What the client is told: `message` says which of an upstream's deadlines passed.
    pub(crate) fn rejection(self, message: &str) -> Rejection {
        match self {
            Self::Elapsed => Rejection::new(Code::UpstreamTimeout, message),
            Self::Closing => Rejection::new(Code::Draining, "the gateway is shutting down").retry_after_s(1),
        }
    }
}

/// All slots of one worker, and its coarse clock.
pub(crate) struct Deadlines {
    origin: Instant,
    now_ms: Cell<u64>,
    slots: RefCell<Vec<Rc<Slot>>>,
    /// Of nobody, as they were made.
    spare: RefCell<Vec<Rc<Slot>>>,
    wake_sweep: Notify,
}

#[derive(Default)]
struct Slot {
    index: Cell<usize>,
    due_ms: Cell<u64>,
    lapse: Cell<Option<Lapse>>,
    /// Since when its connection has no request in hand.
    idle_since_ms: Cell<Option<u64>>,
    waker: RefCell<Option<Waker>>,
}

const NEVER: u64 = u64::MAX;

impl Deadlines {
    /// Nobody waits yet. Milliseconds are counted from `origin`, the same for all workers.
    pub(crate) fn new(origin: Instant) -> Rc<Self> {
        Rc::new(Self {
            origin,
            now_ms: Cell::new(0),
            slots: RefCell::new(Vec::new()),
            spare: RefCell::new(Vec::new()),
            wake_sweep: Notify::new(),
        })
    }

    /// Milliseconds since the worker started, up to one tick old.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    /// A slot for one connection.
    pub(crate) fn timer(self: &Rc<Self>) -> Timer {
        let mut slots = self.slots.borrow_mut();
        if slots.is_empty() {
            // The sweep sleeps while nobody waits, so its clock may be old.
            self.look_at_clock();
            self.wake_sweep.notify_one();
        }
        let slot = self.spare.borrow_mut().pop().unwrap_or_default();
        slot.index.set(slots.len());
        slot.due_ms.set(NEVER);
        slots.push(Rc::clone(&slot));
        Timer { slot, deadlines: Rc::clone(self) }
    }

    /// Runs for as long as the worker: the one timer of the thread.
    pub(crate) async fn sweep(&self, worker: &Worker) {
        loop {
            if self.slots.borrow().is_empty() {
                worker.pressure.rest(worker);
                self.wake_sweep.notified().await;
            }
            worker.pressure.pace(worker, TICK).await;
            fail_point!("loop.sweep");
            self.look_at_clock();
            let now = self.now_ms.get();
            for slot in self.slots.borrow().iter() {
                if slot.due_ms.get() <= now {
                    slot.fire(Lapse::Elapsed);
                }
            }
        }
    }

    fn keep(&self, slot: Rc<Slot>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_MAX {
            slot.lapse.set(None);
            slot.idle_since_ms.set(None);
            slot.waker.replace(None);
            spare.push(slot);
        }
    }

    /// Brings the coarse clock up to date.
    pub(crate) fn look_at_clock(&self) {
        let elapsed = self.origin.elapsed().as_millis();
        self.now_ms.set(u64::try_from(elapsed).unwrap_or(NEVER));
    }

    /// Ends the wait of every connection that has had no request in hand for `idle_ms`.
    pub(crate) fn close_idle(&self, idle_ms: u64) {
        let now = self.now_ms.get();
        let idle =
            |slot: &Slot| slot.idle_since_ms.get().is_some_and(|since| now.saturating_sub(since) >= idle_ms);
        self.slots.borrow().iter().filter(|slot| idle(slot)).for_each(|slot| slot.fire(Lapse::Closing));
    }

    /// Ends every wait.
    pub(crate) fn close_all(&self) {
        self.slots.borrow().iter().for_each(|slot| slot.fire(Lapse::Closing));
    }
}

impl Slot {
    fn fire(&self, lapse: Lapse) {
        self.due_ms.set(NEVER);
        self.lapse.set(Some(lapse));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// One connection's slot.
pub(crate) struct Timer {
    slot: Rc<Slot>,
    deadlines: Rc<Deadlines>,
}

impl Timer {
    /// The next wait lapses after `ms` milliseconds; 0 stands for never.
    pub(crate) fn arm(&self, ms: u32) {
        self.arm_before(ms, NEVER);
    }

    /// The next wait lapses after `ms` milliseconds (0: never), but not after `latest_ms` on the coarse clock.
    pub(crate) fn arm_before(&self, ms: u32, latest_ms: u64) {
        // One tick more: the coarse clock may be that old, and early is worse than late.
        let due = if ms == 0 { NEVER } else { self.deadlines.now_ms() + u64::from(ms) + 25 };
        self.slot.due_ms.set(due.min(latest_ms));
        if self.slot.lapse.get() == Some(Lapse::Elapsed) {
            self.slot.lapse.set(None);
        }
    }

    /// Says that the connection waits for a request, so that a drain may end it.
    pub(crate) fn set_idle(&self, idle: bool) {
        self.slot.idle_since_ms.set(idle.then_some(self.deadlines.now_ms()));
    }

    /// Waits for `future`, but not past the deadline.
    pub(crate) async fn limit<F: Future>(&self, future: F) -> Result<F::Output, Lapse> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll_lapse(cx).map(Err),
        })
        .await
    }

    fn poll_lapse(&self, cx: &Context<'_>) -> Poll<Lapse> {
        if let Some(lapse) = self.slot.lapse.get() {
            return Poll::Ready(lapse);
        }
        let mut waker = self.slot.waker.borrow_mut();
        match &mut *waker {
            Some(known) if known.will_wake(cx.waker()) => {}
            other => *other = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut slots = self.deadlines.slots.borrow_mut();
        let index = self.slot.index.get();
        if index < slots.len() {
            let slot = slots.swap_remove(index);
            if let Some(moved) = slots.get(index) {
                moved.index.set(index);
            }
            self.deadlines.keep(slot);
        }
    }
}
