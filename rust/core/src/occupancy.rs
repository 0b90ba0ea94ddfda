//! Who is in the house: connections, and the listeners that may still let somebody in.
//!
//! Invariants: never are more than `max` connections in; once the house is found deserted, everything that the
//! connections have done is seen, and nobody comes any more unless a listener is opened. For the latter a
//! connection must have entered before the listener that accepted it closes.
//! `tests/occupancy_model.rs` tries every interleaving.

use crate::sync::atomic::{AtomicU64, Ordering};

/// See the module.
#[derive(Debug, Default)]
pub struct Occupancy {
    listeners: AtomicU64,
    connections: AtomicU64,
}

impl Occupancy {
    /// A listener may let somebody in from now on.
    pub fn open_listener(&self) {
        self.listeners.fetch_add(1, Ordering::Relaxed);
    }

    /// It lets nobody in any more; all whom it has let in have entered.
    pub fn close_listener(&self) {
        self.listeners.fetch_sub(1, Ordering::Release);
    }

    /// Counts a connection in, unless `max` are in; who is in must [`Self::leave`].
    pub fn enter(&self, max: u64) -> bool {
        if self.connections.fetch_add(1, Ordering::Relaxed) < max {
            return true;
        }
        self.connections.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// Counts a connection out.
    pub fn leave(&self) {
        self.connections.fetch_sub(1, Ordering::Release);
    }

    /// Connections that are in.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Whether nobody is in and nobody can come.
    pub fn is_deserted(&self) -> bool {
        // In this order: a listener that has closed has counted in whom it accepted.
        self.listeners.load(Ordering::Acquire) == 0 && self.connections.load(Ordering::Acquire) == 0
    }
}
