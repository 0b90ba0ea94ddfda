//! How many connections each client address has open, and what was refused.
//!
//! Invariant: the table holds an address only while one of its connections is open, so it is never larger
//! than the number of open connections. It is touched when a connection opens and closes, never by a request.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use llm_edge_core::date;

use crate::telemetry::bank::Cell64;

/// Why a connection was closed at once, as the label `reason` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// `limits.connections_max` are open.
    Connections,
    /// `limits.connections_per_client_max` of this address are open.
    PerClient,
    /// There are no descriptors for it and an upstream.
    Descriptors,
}

/// The values of the label `reason`, in the order of [`Refused`].
pub(crate) const REFUSED: [&str; 3] = ["connections_max", "connections_per_client_max", "descriptors"];

/// Locks of the table: workers that accept at the same time seldom wait for one another.
const SHARDS: usize = 16;

type Shard = Mutex<HashMap<IpAddr, u32>>;

/// See the module.
#[derive(Default)]
pub(crate) struct Clients {
    shards: [Shard; SHARDS],
    hasher: RandomState,
}

impl Clients {
    /// Counts a connection of `peer`, unless it has `max` open already.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr, max: u64) -> Option<ClientCount> {
        let address = network(peer);
        let mut shard = self.shard(address);
        let open = shard.entry(address).or_insert(0);
        // An address that is new has none open, and `max` is never 0: no empty entry is left behind.
        if u64::from(*open) >= max {
            return None;
        }
        *open += 1;
        drop(shard);
        Some(ClientCount { clients: Arc::clone(self), address })
    }

    fn shard(&self, address: IpAddr) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        let at = usize::try_from(self.hasher.hash_one(address) % SHARDS as u64);
        let shard = self.shards.get(at.unwrap_or_default()).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One counted connection; dropping it gives its place back.
pub(crate) struct ClientCount {
    clients: Arc<Clients>,
    address: IpAddr,
}

impl Drop for ClientCount {
    fn drop(&mut self) {
        let mut shard = self.clients.shard(self.address);
        if let Entry::Occupied(mut open) = shard.entry(self.address) {
            match open.get() {
                0 | 1 => drop(open.remove()),
                _ => *open.get_mut() -= 1,
            }
        }
        // A flood from many addresses leaves a large table behind.
        if shard.is_empty() && shard.capacity() > 1024 {
            shard.shrink_to_fit();
        }
    }
}

/// What counts as one client: an IPv4 address, or the /64 of which an IPv6 host may use any address.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// A log line when connections were refused since the last look.
pub(crate) struct RefusalLog {
    seen: [u64; REFUSED.len()],
}

impl RefusalLog {
    /// What was counted before is no news.
    pub(crate) fn since(counts: &[Cell64; REFUSED.len()]) -> Self {
        Self { seen: counts.each_ref().map(Cell64::get) }
    }

    /// The line, or nothing to say.
    pub(crate) fn look(&mut self, counts: &[Cell64; REFUSED.len()]) -> Option<String> {
        let now = counts.each_ref().map(Cell64::get);
        let seen = std::mem::replace(&mut self.seen, now);
        if seen == now {
            return None;
        }
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = serde_json::json!({
            "ts": date::rfc3339_micros(at.as_secs(), at.subsec_micros()),
            "level": "warning",
            "event": "connections_refused",
        });
        for ((reason, now), seen) in REFUSED.iter().zip(now).zip(seen) {
            if let Some(line) = line.as_object_mut() {
                line.insert((*reason).to_owned(), now.wrapping_sub(seen).into());
            }
        }
        Some(line.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_the_others_theirs() {
        let clients = Arc::new(Clients::default());
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = clients.admit(one, 2).unwrap();
        let second = clients.admit(one, 2).unwrap();
        assert!(clients.admit(one, 2).is_none());
        assert!(clients.admit(other, 2).is_some());
        drop(first);
        assert!(clients.admit(one, 2).is_some());
        drop(second);
        assert!(clients.shards.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }

    #[test]
    fn a_host_cannot_leave_its_share_by_changing_its_ipv6_address() {
        let clients = Arc::new(Clients::default());
        let _held = clients.admit("2001:db8::1".parse().unwrap(), 1).unwrap();
        assert!(clients.admit("2001:db8::2:3".parse().unwrap(), 1).is_none());
        assert!(clients.admit("2001:db8:0:1::1".parse().unwrap(), 1).is_some());
        let _mapped = clients.admit("::ffff:10.0.0.1".parse().unwrap(), 1).unwrap();
        assert!(clients.admit("10.0.0.1".parse().unwrap(), 1).is_none());
    }
}
