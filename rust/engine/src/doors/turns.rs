//! Whose turn it is: connections are tasks, but while the queue presses, those without a request in hand have
//! their turns before the others.
//!
//! A task that becomes ready waits behind all that are ready: by then a no is as late as a yes would have been.
//! So while requests are refused for the queue, connections without a request in hand are tasks of a set of
//! their own, which the worker polls before the runtime's: what they send is read, and what is refused is told
//! so at once. With a request that is let in a connection becomes a task of the runtime again.
//!
//! Invariant: between two rounds of one kind there is a bounded round of the other.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::task::{LocalSet, spawn_local};

use crate::worker::Worker;

/// The set of those that come first.
#[derive(Default)]
pub(crate) struct Turns(RefCell<Option<Rc<LocalSet>>>);

impl Turns {
    /// Gives the connections of the set their turns. To be polled by the runtime itself: between two polls it
    /// has asked the kernel what there is to read.
    pub(crate) async fn give(&self) -> Infallible {
        let set = Rc::new(LocalSet::new());
        self.0.replace(Some(Rc::clone(&set)));
        set.run_until(pending()).await
    }

    /// Ends the connections of the set: they hold the worker, which holds the set.
    pub(crate) fn end(&self) {
        drop(self.0.take());
    }
}

/// Serves a connection until it ends.
pub(super) fn begin(worker: &Rc<Worker>, serve: impl Future<Output = ()> + 'static) {
    Connection { worker: Rc::clone(worker), serve: Box::pin(serve), in_hand: 0 }.go_on();
}

/// A connection, wherever it has its turns.
struct Connection {
    worker: Rc<Worker>,
    serve: Pin<Box<dyn Future<Output = ()>>>,
    /// Its requests in hand, as far as they began and ended in its own turns.
    in_hand: u64,
}

impl Connection {
    /// Goes on where it belongs now.
    fn go_on(self) {
        let set = self.set_of_first();
        let turn = Turn { connection: Some(self), is_first: set.is_some() };
        drop(match set {
            Some(set) => set.spawn_local(turn),
            None => spawn_local(turn),
        });
    }

    /// The set of those that come first, if it is one of them.
    fn set_of_first(&self) -> Option<Rc<LocalSet>> {
        if self.in_hand > 0 || !self.worker.pressure.is_queue_alert() {
            return None;
        }
        self.worker.turns.0.borrow().clone()
    }
}

/// Where a connection has its turns; ready when it has ended, or goes on elsewhere.
struct Turn {
    connection: Option<Connection>,
    is_first: bool,
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let is_first = self.is_first;
        let Some(connection) = self.connection.as_mut() else { return Poll::Ready(()) };
        let in_flight = &connection.worker.bank.worker.in_flight;
        let before = in_flight.get();
        let ended = connection.serve.as_mut().poll(cx);
        // Nobody else had a turn meanwhile: the difference is this connection's.
        connection.in_hand = connection.in_hand.wrapping_add(in_flight.get()).wrapping_sub(before);
        let moves = if is_first { connection.in_hand > 0 } else { connection.set_of_first().is_some() };
        if ended.is_ready() || !moves {
            return ended;
        }
        if let Some(connection) = self.connection.take() {
            connection.go_on();
        }
        Poll::Ready(())
    }
}
