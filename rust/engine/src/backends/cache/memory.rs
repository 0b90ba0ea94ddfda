//! The exact cache, in process: complete replies, bounded in bytes, each with its time to live.
//!
//! One cache for all workers, so that a reply that one has paid for serves them all; its shards' locks are
//! held for a look-up only. Eviction is S3-FIFO-like (the `quick_cache` crate), weighted by bytes.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use twox_hash::XxHash3_64;

use crate::stamp::Stamp;

/// A reply as it is kept: what goes to the client, byte for byte.
pub(crate) struct Stored {
    pub(crate) status: u16,
    /// Header fields, each ended by CRLF, without framing and without the request's ids.
    pub(crate) fields: Vec<u8>,
    /// The payload.
    pub(crate) body: Vec<u8>,
    pub(crate) since: Stamp,
    pub(crate) ttl: Duration,
}

impl Stored {
    /// Time left to live at `now`; `None` when it is over.
    pub(crate) fn left(&self, now: Stamp) -> Option<Duration> {
        self.ttl.checked_sub(now.since(self.since)).filter(|left| !left.is_zero())
    }
}

#[derive(Clone)]
struct Bytes;

/// What an entry costs besides its bytes: pointers, bookkeeping.
const ENTRY_BYTES: u64 = 192;

impl Weighter<Box<[u8]>, Arc<Stored>> for Bytes {
    fn weight(&self, key: &Box<[u8]>, stored: &Arc<Stored>) -> u64 {
        ENTRY_BYTES + key.len() as u64 + stored.fields.len() as u64 + stored.body.len() as u64
    }
}

type Inner = Cache<Box<[u8]>, Arc<Stored>, Bytes, ByKey>;

/// Places keys by seeded xxh3: where a key lies decides nothing, its bytes are compared.
#[derive(Clone)]
struct ByKey(u64);

impl BuildHasher for ByKey {
    type Hasher = OneKey;

    fn build_hasher(&self) -> OneKey {
        OneKey(self.0)
    }
}

struct OneKey(u64);

impl Hasher for OneKey {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = XxHash3_64::oneshot_with_seed(self.0, bytes);
    }

    // The length stands in the key already.
    fn write_usize(&mut self, _: usize) {}
}

/// See the module.
pub(crate) struct ExactCache {
    inner: ArcSwap<Inner>,
    /// Makes the hashes of long keys unguessable outside this process.
    pub(crate) secret: [u8; 32],
    seed: u64,
}

impl ExactCache {
    /// An empty cache of no size; [`Self::resize`] gives it room.
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        let seed = secret.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk)).rotate_left(17);
        Self { inner: ArcSwap::from_pointee(Self::room(0, seed)), secret, seed }
    }

    fn room(bytes_max: u64, seed: u64) -> Inner {
        // A guess at the size of a reply, for the first allocation only.
        let items = usize::try_from(bytes_max / 4096).unwrap_or(usize::MAX).clamp(16, 65_536);
        Cache::with(items, bytes_max, Bytes, ByKey(seed), DefaultLifecycle::default())
    }

    /// Gives the cache a new bound; what is held is kept only if the bound stays the same.
    pub(crate) fn resize(&self, bytes_max: u64) {
        if self.inner.load().capacity() != bytes_max {
            self.inner.store(Arc::new(Self::room(bytes_max, self.seed)));
        }
    }

    /// The live reply under this key.
    pub(crate) fn find(&self, key: &[u8], now: Stamp) -> Option<Arc<Stored>> {
        let cache = self.inner.load();
        let stored = cache.get(key)?;
        if stored.left(now).is_none() {
            cache.remove(key);
            return None;
        }
        Some(stored)
    }

    /// Keeps a reply.
    pub(crate) fn store(&self, key: Box<[u8]>, stored: Stored) {
        self.inner.load().insert(key, Arc::new(stored));
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.inner.load().weight()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(bytes: usize, ttl_ms: u64) -> Stored {
        Stored {
            status: 200,
            fields: Vec::new(),
            body: vec![b'x'; bytes],
            since: Stamp::now(),
            ttl: Duration::from_millis(ttl_ms),
        }
    }

    #[test]
    fn a_reply_is_served_until_its_time_is_over() {
        let cache = ExactCache::new([1; 32]);
        cache.resize(1 << 20);
        cache.store([1; 32].into(), stored(10, 1000));
        let now = Stamp::now();
        assert!(cache.find(&[1; 32], now).is_some());
        assert!(cache.find(&[1; 32], now.after(1001)).is_none());
    }

    #[test]
    fn the_bound_in_bytes_is_kept() {
        let cache = ExactCache::new([1; 32]);
        cache.resize(100_000);
        for n in 0..=255u8 {
            cache.store([n; 32].into(), stored(2_000, 1000));
        }
        assert!(cache.bytes() <= 100_000 && cache.bytes() > 20_000, "{}", cache.bytes());
    }
}
