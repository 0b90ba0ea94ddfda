//! Who gave what only its giver understands: ids of kept responses, reasoning that it encrypted.
//!
//! One memory for all workers, bounded: what was given longest ago is forgotten first, and with the process all of it.
//! Whoever goes on with something forgotten is routed like anybody else.

use std::sync::atomic::{AtomicBool, Ordering};

use quick_cache::sync::Cache;

/// See the module.
pub(crate) struct Owners {
    by_keepsake: Cache<u64, Owner>,
    any: AtomicBool,
}

/// An account: a provider and one of its credentials, by what they are known by in every snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) provider: u64,
    /// 0 where the provider has none.
    pub(crate) credential: u64,
}

/// Some 60 bytes each.
const OWNED_MAX: usize = 200_000;

impl Default for Owners {
    fn default() -> Self {
        Self { by_keepsake: Cache::new(OWNED_MAX), any: AtomicBool::new(false) }
    }
}

impl Owners {
    /// Remembers who gave it.
    pub(crate) fn gave(&self, keepsake: u64, owner: Owner) {
        self.by_keepsake.insert(keepsake, owner);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Whether nothing was given yet.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    /// Who gave it, if that is known.
    pub(crate) fn of(&self, keepsake: u64) -> Option<Owner> {
        self.by_keepsake.get(&keepsake)
    }
}
