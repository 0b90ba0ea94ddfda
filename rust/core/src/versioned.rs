//! A value that is swapped whole, and the number that tells its readers when to look again.
//!
//! A reader keeps what it has taken and compares numbers; only when they differ does it come for the value.
//! Invariants: a number and a value that are taken together were put together; who has seen a number gets that
//! one's value or a later one; numbers only grow. `tests/versioned_model.rs` tries every interleaving.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// See the module.
#[derive(Debug)]
pub struct Versioned<T> {
    version: AtomicU64,
    current: Mutex<Option<(u64, T)>>,
}

impl<T> Default for Versioned<T> {
    fn default() -> Self {
        Self { version: AtomicU64::new(0), current: Mutex::new(None) }
    }
}

impl<T: Clone> Versioned<T> {
    /// The number of the value in force; 0 while there is none. Costs one load.
    #[inline]
    pub fn version(&self) -> u64 {
        // The lock orders everything else: who takes it after this load finds the value of this number.
        self.version.load(Ordering::Relaxed)
    }

    /// The value in force and its number; `None` before the first.
    pub fn get(&self) -> Option<(u64, T)> {
        self.lock().clone()
    }

    /// Puts a value into force; returns its number, 1 for the first.
    pub fn put(&self, value: T) -> u64 {
        let mut current = self.lock();
        let version = current.as_ref().map_or(0, |(version, _)| *version) + 1;
        *current = Some((version, value));
        self.version.store(version, Ordering::Relaxed);
        version
    }

    fn lock(&self) -> MutexGuard<'_, Option<(u64, T)>> {
        // Nothing is left half done by a thread that panics here.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
