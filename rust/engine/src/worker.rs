//! One worker: a thread with its own runtime, listener, upstream pools, buffers and counters.
//!
//! Nothing here is shared with another worker but what [`Shared`] holds; nothing here is `Send`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use llm_edge_core::http1::RequestHead;
use llm_edge_core::principal::Principal;
use llm_edge_core::snapshot;
use tokio::sync::{Notify, Semaphore};

use crate::backends::upstream::Origin;
use crate::buffers::Buffers;
use crate::clients::{RefusalLog, Refused};
use crate::deadlines::Deadlines;
use crate::descriptors;
use crate::doors::turns::Turns;
use crate::fail_points::fail_point;
use crate::loaded::Loaded;
use crate::pressure::Pressure;
use crate::shared::{Seat, Shared};
use crate::telemetry::bank::Bank;
use crate::telemetry::request_log::LogQueue;

/// What tells a worker to change course; sent from the engine's thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Accept no more, finish what is in hand.
    Drain,
    /// End every connection now, explicitly.
    Cut,
    /// Leave.
    Stop,
}

/// Spare request heads kept.
const HEADS_MAX: usize = 64;

/// See the module.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bank: Arc<Bank>,
    pub(crate) log: LogQueue,
    pub(crate) buffers: Buffers,
    pub(crate) deadlines: Rc<Deadlines>,
    pub(crate) pressure: Pressure,
    pub(crate) turns: Turns,
    /// One count of tokens at a time.
    pub(crate) counting: Arc<Semaphore>,
    pub(crate) anonymous: Arc<Principal>,
    heads: RefCell<Vec<RequestHead>>,
    loaded: RefCell<Rc<Loaded>>,
    origins: RefCell<HashMap<snapshot::Origin, Rc<Origin>>>,
    random: Cell<u64>,
    request_count: Cell<u64>,
    /// Told when the worker begins to drain.
    pub(crate) drain: Notify,
}

impl Worker {
    /// A worker with the snapshot in force.
    ///
    /// # Errors
    /// When there is no snapshot, or its certificates cannot be used.
    pub(crate) fn new(
        shared: Arc<Shared>,
        bank: Arc<Bank>,
        log: LogQueue,
        seed: u64,
    ) -> Result<Rc<Self>, String> {
        let (epoch, snapshot) =
            shared.published.get().ok_or("there is no snapshot yet: call `apply` first")?;
        let nothing = Loaded::unbuilt(Arc::clone(&snapshot));
        let started = shared.started;
        let worker = Rc::new(Self {
            shared,
            bank,
            log,
            buffers: Buffers::default(),
            deadlines: Deadlines::new(started),
            pressure: Pressure::default(),
            turns: Turns::default(),
            counting: Arc::new(Semaphore::new(1)),
            anonymous: Principal::anonymous(),
            heads: RefCell::default(),
            loaded: RefCell::new(Rc::new(nothing)),
            origins: RefCell::new(HashMap::new()),
            random: Cell::new(seed | 1),
            request_count: Cell::new(0),
            drain: Notify::new(),
        });
        let loaded = Loaded::build(&worker, epoch, snapshot)?;
        worker.loaded.replace(Rc::new(loaded));
        Ok(worker)
    }

    /// The snapshot in force, made ready. Costs one comparison while nothing has changed.
    pub(crate) fn loaded(&self) -> Rc<Loaded> {
        let loaded = Rc::clone(&*self.loaded.borrow());
        if loaded.epoch == self.shared.published.version() {
            return loaded;
        }
        self.reload(loaded)
    }

    #[cold]
    fn reload(&self, old: Rc<Loaded>) -> Rc<Loaded> {
        let Some((epoch, snapshot)) = self.shared.published.get() else { return old };
        // The engine has built the same origins before it published: this cannot fail here, and if it
        // did, the old snapshot would go on serving.
        let Ok(new) = Loaded::build(self, epoch, snapshot) else { return old };
        let new = Rc::new(new);
        self.loaded.replace(Rc::clone(&new));
        new
    }

    /// This worker's connections to an upstream; they outlive a reload.
    ///
    /// # Errors
    /// When the origin's certificates or name cannot be used.
    pub(crate) fn origin(
        &self,
        origin: &snapshot::Origin,
        limits: &snapshot::Limits,
    ) -> Result<Rc<Origin>, String> {
        if let Some(known) = self.origins.borrow().get(origin) {
            known.set_limits(limits);
            return Ok(Rc::clone(known));
        }
        let made = Rc::new(Origin::new(origin, limits, &self.deadlines, &self.shared)?);
        self.origins.borrow_mut().insert(origin.clone(), Rc::clone(&made));
        Ok(made)
    }

    /// An empty request head, with room for fields.
    pub(crate) fn take_head(&self) -> RequestHead {
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a request head back.
    pub(crate) fn give_head(&self, mut head: RequestHead) {
        let mut heads = self.heads.borrow_mut();
        if head.fields.capacity() > 0 && heads.len() < HEADS_MAX {
            head.reset();
            heads.push(head);
        }
    }

    /// A pseudo-random number (xorshift64*): for spreading load, not for secrets.
    pub(crate) fn random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Counts a request or a reply that was translated, and whether something of it was lost.
    pub(crate) fn count_translated(&self, is_request: bool, is_lossy: bool) {
        let at = usize::from(!is_request) * 2 + usize::from(is_lossy);
        if let Some(cell) = self.bank.worker.translations.get(at) {
            cell.add(1);
        }
    }

    /// Numbers requests, for sampling.
    pub(crate) fn next_request(&self) -> u64 {
        let n = self.request_count.get().wrapping_add(1);
        self.request_count.set(n);
        n
    }

    /// Counts a new client connection from `peer` to the worker of that load, unless too many are open.
    pub(crate) fn admit_connection(&self, load: &Arc<AtomicU64>, peer: Option<IpAddr>) -> Option<Seat> {
        let (all_max, per_client_max) = {
            let loaded = self.loaded.borrow();
            let limits = &loaded.snapshot.limits;
            (u64::from(limits.connections_max), u64::from(limits.connections_per_client_max))
        };
        let fit = descriptors::client_connections_max();
        let max = all_max.min(fit);
        let per_client_max = if per_client_max == 0 { max - max / 4 } else { per_client_max };
        match Seat::take(&self.shared, load, max, peer, per_client_max) {
            Ok(seat) => Some(seat),
            Err(reason) => {
                let by_descriptors = reason == Refused::Connections && fit < all_max;
                let reason = if by_descriptors { Refused::Descriptors } else { reason };
                if let Some(cell) = self.bank.worker.connections_refused.get(reason as usize) {
                    cell.add(1);
                }
                None
            }
        }
    }

    /// Counts a client connection that this worker will serve.
    pub(crate) fn count_connection(self: &Rc<Self>, seat: Seat) -> ConnectionCount {
        // Without clients nobody looks at what presses.
        self.pressure.look(self);
        let cells = &self.bank.worker;
        cells.connections.add(1);
        cells.connections_opened.add(1);
        ConnectionCount { worker: Rc::clone(self), _seat: seat }
    }

    /// Ends the connections that have no request in hand, once a drain has begun. One that was used a moment
    /// ago will be used again, and a request that crosses its end on the way is lost to its client: such a
    /// connection gets the time for another one, whose reply says that it was the last.
    pub(crate) async fn close_idle(&self) {
        const LATELY_MS: u64 = 1_000;
        // What had arrived before the drain gets to its connection first.
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.deadlines.close_idle(LATELY_MS);
        tokio::time::sleep(Duration::from_millis(LATELY_MS)).await;
        self.deadlines.close_idle(0);
    }

    /// Retires idle upstream connections and says what was refused, once a second for as long as the worker
    /// lives.
    pub(crate) async fn retire_idle(&self) {
        let mut refusals = RefusalLog::since(&self.bank.worker.connections_refused);
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            fail_point!("loop.retire");
            descriptors::look();
            if let Some(line) = refusals.look(&self.bank.worker.connections_refused) {
                self.log.push(line.as_bytes(), &self.bank.worker.log_dropped);
            }
            // Without clients nobody sweeps, and the coarse clock stands still.
            self.deadlines.look_at_clock();
            drop(self.loaded());
            for origin in self.origins.borrow().values() {
                origin.retire(self.deadlines.now_ms());
            }
            // Origins of past snapshots go when nobody uses them any more.
            self.origins.borrow_mut().retain(|_, origin| Rc::strong_count(origin) > 1);
        }
    }
}

/// One client connection, counted for as long as it lives.
pub(crate) struct ConnectionCount {
    worker: Rc<Worker>,
    _seat: Seat,
}

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        self.worker.bank.worker.connections.sub(1);
        // Outside of a request: the runtime ends this connection's task and no other.
        if std::thread::panicking() {
            self.worker.shared.panics.count();
        }
    }
}
