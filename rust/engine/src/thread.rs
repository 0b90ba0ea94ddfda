//! One worker's thread: its runtime, the loops that run on it, and the orders it takes.

use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use rustls::ServerConfig;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::background::{self, notices, probes};
use crate::doors::balance::{Handed, Peers};
use crate::doors::listener::{self, Listening};
use crate::shared::Shared;
use crate::telemetry::bank::Bank;
use crate::telemetry::request_log::LogQueue;
use crate::worker::{Order, Worker};

/// Tasks that have their turns until the worker looks for new connections and for what has arrived: what a
/// refusal waits for while the queue is long.
const TURNS: u32 = 31;

/// What a worker's thread is made of.
pub(crate) struct Thread {
    pub(crate) seed: u64,
    pub(crate) shared: Arc<Shared>,
    pub(crate) bank: Arc<Bank>,
    pub(crate) log: LogQueue,
    pub(crate) socket: Listening,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) peers: Peers,
    /// Connections that other workers give to this one.
    pub(crate) handed: UnboundedReceiver<Handed>,
    pub(crate) orders: UnboundedReceiver<Order>,
}

impl Thread {
    /// Runs until it is told to stop; tells first whether it could begin.
    pub(crate) fn run(self, started: &mpsc::Sender<Result<Handle, String>>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(TURNS)
            .build_local(tokio::runtime::LocalOptions::default());
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(e) => return drop(started.send(Err(e.to_string()))),
        };
        let Self { seed, shared, bank, log, socket, tls, peers, handed, mut orders } = self;
        let worker = match Worker::new(shared, bank, log, seed) {
            Ok(worker) => worker,
            Err(e) => return drop(started.send(Err(e))),
        };
        drop(started.send(Ok(runtime.handle().clone())));
        runtime.block_on(async {
            background::keep(&worker, |worker| async move { worker.deadlines.sweep(&worker).await });
            background::keep(&worker, |worker| async move { worker.retire_idle().await });
            let index = peers.own;
            background::keep(&worker, move |worker| async move { notices::run(&worker, index).await });
            // One worker asks for all.
            if peers.own == 0 {
                background::keep(&worker, |worker| async move { probes::run(&worker).await });
            }
            let tls_of_handed = tls.clone();
            let taking_over = listener::take_over(Rc::clone(&worker), handed, tls_of_handed);
            drop(tokio::task::spawn_local(taking_over));
            // Not a task: what `block_on` polls itself has its turn before the tasks that wait for theirs, so
            // that a new connection waits for none of them.
            let accepting = Box::pin(accept(&worker, socket, tls, peers));
            let obeying = Box::pin(obey(&worker, &mut orders));
            tokio::select! {
                biased;
                never = worker.turns.give() => match never {},
                never = accepting => match never {},
                () = obeying => {}
            }
            worker.turns.end();
        });
        runtime.shutdown_background();
    }
}

async fn accept(
    worker: &Rc<Worker>,
    socket: Listening,
    tls: Option<Arc<ServerConfig>>,
    peers: Peers,
) -> Infallible {
    worker.shared.occupancy.open_listener();
    // The socket was listening already: registering it with the event queue is all that could fail here.
    drop(listener::accept(Rc::clone(worker), socket, tls, peers).await);
    worker.shared.occupancy.close_listener();
    pending().await
}

/// Takes orders until the last one.
async fn obey(worker: &Rc<Worker>, orders: &mut UnboundedReceiver<Order>) {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Drain => {
                worker.drain.notify_waiters();
                let worker = Rc::clone(worker);
                drop(tokio::task::spawn_local(async move { worker.close_idle().await }));
            }
            Order::Cut => worker.deadlines.close_all(),
            Order::Stop => return,
        }
    }
}
