//! What the upstream saw: who was executed how often, whether each ordered fault was done, and when its peer
//! went away.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::ask::{Ask, Dialect};

/// How a peer went away while it was owed a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It closed the connection (FIN).
    Fin,
    /// It reset the connection, or the stream.
    Rst,
}

/// One attempt: a request that arrived whole.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it had arrived.
    pub at: Instant,
    /// The API it came by.
    pub dialect: Dialect,
    /// [`fingerprint`] of the prompt that arrived.
    pub prompt: u64,
    /// `false` where it was refused unprocessed.
    pub executed: bool,
    /// Everything ordered was done: the reply went out as scripted, up to where it was to break off.
    pub performed: bool,
    /// Nothing more will happen to it.
    pub over: bool,
    /// When and how the peer went away before the reply's end.
    pub gone: Option<(Instant, Gone)>,
}

const SHARDS: u64 = 16;

/// FNV-1a of a prompt: what arrived can be told from what was asked.
pub fn fingerprint(prompt: &str) -> u64 {
    prompt.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The log; one for all listeners of an upstream.
#[derive(Debug)]
pub struct Log {
    began: Instant,
    shards: Vec<Mutex<HashMap<u64, Vec<Attempt>>>>,
}

impl Default for Log {
    fn default() -> Self {
        Self { began: Instant::now(), shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Log {
    fn with<T>(&self, id: u64, act: impl FnOnce(&mut HashMap<u64, Vec<Attempt>>) -> T) -> Option<T> {
        let shard = self.shards.get(usize::try_from(id % SHARDS).unwrap_or(0))?;
        let mut guard: MutexGuard<'_, _> = shard.lock().unwrap_or_else(PoisonError::into_inner);
        Some(act(&mut guard))
    }

    /// A request has arrived whole. Returns which attempt of its id it is, counted from 0.
    pub(super) fn begin(&self, ask: &Ask) -> usize {
        let attempt = Attempt {
            at: Instant::now(),
            dialect: ask.dialect,
            prompt: fingerprint(&ask.prompt()),
            executed: true,
            performed: false,
            over: false,
            gone: None,
        };
        self.with(ask.id, |entries| {
            let attempts = entries.entry(ask.id).or_default();
            attempts.push(attempt);
            attempts.len() - 1
        })
        .unwrap_or(0)
    }

    pub(super) fn note(&self, id: u64, index: usize, note: impl FnOnce(&mut Attempt)) {
        let _ = self.with(id, |entries| entries.get_mut(&id).and_then(|all| all.get_mut(index)).map(note));
    }

    /// The attempts of this id so far.
    pub fn attempts(&self, id: u64) -> Vec<Attempt> {
        self.with(id, |entries| entries.get(&id).cloned()).flatten().unwrap_or_default()
    }

    /// The same, and forgets them: what comes later is found by [`Log::rest`].
    pub fn take(&self, id: u64) -> Vec<Attempt> {
        self.with(id, |entries| entries.remove(&id)).flatten().unwrap_or_default()
    }

    /// Ids with attempts that nobody has taken.
    pub fn rest(&self) -> Vec<u64> {
        let ids = |shard: &Mutex<HashMap<u64, Vec<Attempt>>>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(ids).collect()
    }

    /// The attempts of this id as JSON, times in milliseconds since the log began.
    pub fn json(&self, id: u64) -> Value {
        let ms = |at: Instant| at.duration_since(self.began).as_secs_f64() * 1000.0;
        let attempts = self.attempts(id);
        let each = attempts.iter().map(|attempt| {
            json!({
                "at_ms": ms(attempt.at), "executed": attempt.executed, "performed": attempt.performed,
                "over": attempt.over, "gone_ms": attempt.gone.map(|(at, _)| ms(at)),
                "gone": attempt.gone.map(|(_, how)| if how == Gone::Fin { "fin" } else { "rst" }),
            })
        });
        json!({"id": id, "attempts": each.collect::<Vec<_>>()})
    }
}
