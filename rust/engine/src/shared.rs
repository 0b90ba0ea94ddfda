//! What all workers see: read-mostly pointers and a few counters that must be process-wide.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use llm_edge_core::directory::Directory;
use llm_edge_core::principal::virtual_key::Pepper;
use llm_edge_core::snapshot::Snapshot;

use crate::backends::cache::memory::ExactCache;

/// See the module.
pub(crate) struct Shared {
    /// The snapshot in force; `epoch` says when to look again.
    pub(crate) published: ArcSwapOption<Published>,
    /// Number of the snapshot in force, 1 for the first.
    pub(crate) epoch: AtomicU64,
    /// Who may call.
    pub(crate) directory: ArcSwap<Directory>,
    /// Grows with each change of the directory, so that a remembered look-up can be told to be old.
    pub(crate) directory_version: AtomicU64,
    pub(crate) pepper: Pepper,
    pub(crate) credentials: Credentials,
    pub(crate) cache: ExactCache,
    /// No new work: connections close after their reply.
    pub(crate) draining: AtomicBool,
    /// What `/readyz` says.
    pub(crate) ready: AtomicBool,
    pub(crate) connections: AtomicU64,
    /// Listening sockets that are open.
    pub(crate) listeners: AtomicU64,
    pub(crate) buffered_bytes: AtomicU64,
    /// Requests in hand, as the workers last told.
    pub(crate) in_flight: AtomicU64,
    /// Resident memory, while a limit asks for it.
    pub(crate) resident_bytes: AtomicU64,
}

/// A snapshot and its number.
pub(crate) struct Published {
    pub(crate) epoch: u64,
    pub(crate) snapshot: Arc<Snapshot>,
}

impl Shared {
    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Counts `bytes` of a request body as held; the guard gives them back.
    pub(crate) fn hold_bytes(self: &Arc<Self>, bytes: u64, max: u64) -> Option<HeldBytes> {
        let before = self.buffered_bytes.fetch_add(bytes, Ordering::Relaxed);
        let held = HeldBytes { shared: Arc::clone(self), bytes };
        (before.saturating_add(bytes) <= max).then_some(held)
    }
}

/// Bytes of a request body that count against `limits.buffered_bytes_max`.
pub(crate) struct HeldBytes {
    shared: Arc<Shared>,
    bytes: u64,
}

impl HeldBytes {
    /// Number of bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.shared.buffered_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The value of one provider credential; swapped when it is renewed. `Debug` never shows it.
#[derive(Default)]
pub(crate) struct Credential(ArcSwapOption<Vec<u8>>);

impl Credential {
    /// Appends the value to a request head; false when the slot is empty.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> bool {
        match &*self.0.load() {
            Some(value) => {
                out.extend_from_slice(value);
                true
            }
            None => false,
        }
    }
}

/// All credential slots by name.
#[derive(Default)]
pub(crate) struct Credentials(Mutex<HashMap<String, Arc<Credential>>>);

impl Credentials {
    /// The slot of this name, made empty at first use.
    pub(crate) fn slot(&self, name: &str) -> Arc<Credential> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(name.to_owned()).or_default())
    }

    /// Puts a value into a slot.
    ///
    /// # Errors
    /// When the value holds a character that a header field cannot carry; it is not repeated in the message.
    pub(crate) fn set(&self, name: &str, value: &str) -> Result<(), String> {
        if value.is_empty() || !value.bytes().all(|b| (0x21..0x7f).contains(&b) || b == b' ') {
            return Err(format!(
                "credential `{name}`: is empty or holds a control or non-ASCII character (a line break at the end of a secret file?)"
            ));
        }
        self.slot(name).0.store(Some(Arc::new(value.as_bytes().to_vec())));
        Ok(())
    }
}
