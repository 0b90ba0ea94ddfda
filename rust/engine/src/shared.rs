//! What all workers see: read-mostly pointers and a few counters that must be process-wide.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, ArcSwapOption};
use llm_edge_core::breaker::Breaker;
use llm_edge_core::directory::Directory;
use llm_edge_core::occupancy::Occupancy;
use llm_edge_core::principal::virtual_key::Pepper;
use llm_edge_core::sigv4::{self, Key, Scope};
use llm_edge_core::snapshot::Snapshot;
use llm_edge_core::versioned::Versioned;
use rustls::pki_types::PrivateKeyDer;

use crate::backends::cache::memory::ExactCache;
use crate::backends::owners::Owners;
use crate::backends::policies::Policies;
use crate::backends::upstream::{self, Resolver};
use crate::clients::{ClientCount, Clients, Refused};
use crate::load::Load;
use crate::panics::Panics;
use crate::telemetry::bank::TargetLabels;

/// See the module.
pub(crate) struct Shared {
    /// The snapshot in force; its number is its epoch.
    pub(crate) published: Versioned<Arc<Snapshot>>,
    /// Who may call.
    pub(crate) directory: ArcSwap<Directory>,
    /// Grows with each change of the directory, so that a remembered look-up can be told to be old.
    pub(crate) directory_version: AtomicU64,
    pub(crate) pepper: Pepper,
    pub(crate) credentials: Credentials,
    pub(crate) breakers: ByTarget<SharedBreaker>,
    pub(crate) loads: ByTarget<Load>,
    pub(crate) healths: Healths,
    /// Where every worker's clock begins.
    pub(crate) started: Instant,
    pub(crate) cache: ExactCache,
    pub(crate) owners: Owners,
    pub(crate) policies: Policies,
    pub(crate) resolver: Resolver,
    pub(crate) panics: Panics,
    /// No new work: connections close after their reply.
    pub(crate) draining: AtomicBool,
    /// What `/readyz` says.
    pub(crate) ready: AtomicBool,
    /// Client connections, and listening sockets that are open.
    pub(crate) occupancy: Occupancy,
    pub(crate) clients: Arc<Clients>,
    pub(crate) buffered_bytes: AtomicU64,
    /// Requests in hand, as the workers last told.
    pub(crate) in_flight: AtomicU64,
    /// Resident memory, while a limit asks for it.
    pub(crate) resident_bytes: AtomicU64,
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

/// One client connection, counted for as long as it lives, on whichever worker.
pub(crate) struct Seat {
    shared: Arc<Shared>,
    load: Arc<AtomicU64>,
    /// Its place among those of its address, where it has one.
    client: Option<ClientCount>,
}

impl Seat {
    /// Counts a connection to the worker of that load.
    ///
    /// # Errors
    /// `max` are open in the process, or `perclient_max` of that address.
    pub(crate) fn take(
        shared: &Arc<Shared>,
        load: &Arc<AtomicU64>,
        max: u64,
        peer: Option<IpAddr>,
        perclient_max: u64,
    ) -> Result<Self, Refused> {
        if !shared.occupancy.enter(max) {
            return Err(Refused::Connections);
        }
        load.fetch_add(1, Ordering::Relaxed);
        let mut seat = Self { shared: Arc::clone(shared), load: Arc::clone(load), client: None };
        if let Some(peer) = peer {
            seat.client = Some(shared.clients.admit(peer, perclient_max).ok_or(Refused::PerClient)?);
        }
        Ok(seat)
    }

    /// Counts it to another worker.
    pub(crate) fn move_to(&mut self, load: &Arc<AtomicU64>) {
        self.load.fetch_sub(1, Ordering::Relaxed);
        load.fetch_add(1, Ordering::Relaxed);
        self.load = Arc::clone(load);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
        self.shared.occupancy.leave();
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
pub(crate) struct Credential {
    value: ArcSwapOption<Vec<u8>>,
    /// Why there is none any more, for whoever asks.
    lost: ArcSwapOption<String>,
    /// It was refused and rests until then, on the clock that all workers share.
    rests_until_ms: AtomicU64,
}

impl Credential {
    /// Whether it was refused lately.
    pub(crate) fn rests(&self, now_ms: u64) -> bool {
        self.rests_until_ms.load(Ordering::Relaxed) > now_ms
    }

    /// Lets it rest until then; a longer rest stays.
    pub(crate) fn rest_until(&self, until_ms: u64) {
        self.rests_until_ms.fetch_max(until_ms, Ordering::Relaxed);
    }

    /// Appends the value to a request head; false when the slot is empty.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> bool {
        match &*self.value.load() {
            Some(value) => {
                out.extend_from_slice(value);
                true
            }
            None => false,
        }
    }

    /// Signs a head for this moment, the last thing that is done to it; false when there is no key.
    #[cold]
    pub(crate) fn sign(&self, head: &mut Vec<u8>, body: &[&[u8]], scope: &Scope) -> bool {
        let text = self.value.load();
        let Some(key) = text.as_ref().and_then(|text| Key::parse(text)) else { return false };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        sigv4::sign(head, body, &key, scope, now.as_secs());
        true
    }

    /// The private key it is.
    pub(crate) fn private_key(&self) -> Option<PrivateKeyDer<'static>> {
        let pem = self.value.load();
        pem.as_ref().and_then(|pem| upstream::private_key(pem).ok())
    }

    /// Why it is not there, if that was said.
    pub(crate) fn lost(&self) -> Option<Arc<String>> {
        self.lost.load_full()
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
        let slot = self.slot(name);
        slot.value.store(Some(Arc::new(value.as_bytes().to_vec())));
        slot.lost.store(None);
        // What another value was refused for says nothing of this one.
        slot.rests_until_ms.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Puts a private key, in PEM form, into a slot.
    ///
    /// # Errors
    /// When it is none; it is not repeated in the message.
    pub(crate) fn set_private_key(&self, name: &str, pem: &str) -> Result<(), String> {
        upstream::private_key(pem.as_bytes()).map_err(|e| format!("private key `{name}`: {e}"))?;
        self.slot(name).value.store(Some(Arc::new(pem.as_bytes().to_vec())));
        Ok(())
    }

    /// Empties a slot whose value is good no more; `reason` is what requests that need it are told.
    pub(crate) fn lose(&self, name: &str, reason: &str) {
        let slot = self.slot(name);
        slot.lost.store(Some(Arc::new(reason.to_owned())));
        slot.value.store(None);
    }
}

/// One target's breaker.
#[derive(Debug, Default)]
pub(crate) struct SharedBreaker {
    pub(crate) breaker: Breaker,
    /// How often it opened.
    pub(crate) opened: AtomicU64,
}

/// What all workers and all snapshots that have a target share of it.
#[derive(Default)]
pub(crate) struct ByTarget<T>(Mutex<HashMap<TargetLabels, Arc<T>>>);

impl<T: Default> ByTarget<T> {
    /// What is shared of this target, made at first use.
    pub(crate) fn of(&self, labels: &TargetLabels) -> Arc<T> {
        let mut targets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = targets.get(labels) {
            return Arc::clone(shared);
        }
        // Of targets that no snapshot in use has, nothing has to be remembered.
        targets.retain(|_, shared| Arc::strong_count(shared) > 1);
        Arc::clone(targets.entry(labels.clone()).or_default())
    }

    /// All of them, in the order of their labels.
    pub(crate) fn all(&self) -> Vec<(TargetLabels, Arc<T>)> {
        let targets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = targets.iter().map(|(l, shared)| (l.clone(), Arc::clone(shared))).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

/// What the probes of a provider have found. Up until they say otherwise.
#[derive(Debug, Default)]
pub(crate) struct Health(AtomicBool);

impl Health {
    /// Whether it did not answer its last probes.
    pub(crate) fn is_down(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Says so; returns whether that is news.
    pub(crate) fn set_down(&self, down: bool) -> bool {
        self.0.swap(down, Ordering::Relaxed) != down
    }
}

/// The health of every provider that is probed, by name.
#[derive(Default)]
pub(crate) struct Healths(Mutex<BTreeMap<String, Arc<Health>>>);

impl Healths {
    /// The health of this provider, up at first use.
    pub(crate) fn of(&self, provider: &str) -> Arc<Health> {
        let mut healths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(healths.entry(provider.to_owned()).or_default())
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(String, bool)> {
        let healths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        healths.iter().map(|(provider, health)| (provider.clone(), health.is_down())).collect()
    }
}
