//! The swap of a configuration under every interleaving of a few threads (loom).
//!
//! Its source is compiled here with loom's lock and atomics in the place of the standard library's.

#[expect(unreachable_pub, reason = "compiled for its interleavings")]
#[path = "../src/versioned.rs"]
mod versioned;

/// What the source names as its own crate's.
pub(crate) mod sync {
    pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
    pub(crate) use std::sync::PoisonError;
}

use loom::sync::Arc;
use loom::thread;
use versioned::Versioned;

/// A worker between two requests: looks at the number, and takes the value when it has changed.
fn look(shared: &Versioned<u64>, mine: &mut Option<(u64, u64)>) {
    let seen = shared.version();
    if mine.is_none_or(|(version, _)| version != seen) {
        let before = mine.map_or(0, |(version, _)| version);
        *mine = shared.get();
        let (version, value) = mine.unwrap_or_default();
        assert_eq!(value, version * 10, "a number and a value of different snapshots");
        assert!(version >= seen && version > before, "older than what was seen");
    }
}

#[test]
fn a_worker_never_has_a_mixed_or_an_older_snapshot() {
    loom::model(|| {
        let shared = Arc::new(Versioned::default());
        assert_eq!(shared.put(10), 1);
        let writer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                assert_eq!(shared.put(20), 2);
                assert_eq!(shared.put(30), 3);
            })
        };
        let reader = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut mine = None;
                for _ in 0..3 {
                    look(&shared, &mut mine);
                }
            })
        };
        let mut mine = None;
        look(&shared, &mut mine);
        writer.join().unwrap();
        reader.join().unwrap();
        look(&shared, &mut mine);
        assert_eq!(mine, Some((3, 30)), "the last one put is in force");
    });
}

#[test]
fn two_that_put_at_once_get_numbers_of_their_own() {
    loom::model(|| {
        let shared = Arc::new(Versioned::default());
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.put(1))
        };
        let mine = shared.put(2);
        let other = other.join().unwrap();
        assert_eq!(mine + other, 3);
        assert_eq!(shared.get(), Some((2, if mine == 2 { 2 } else { 1 })));
        assert_eq!(shared.version(), 2);
    });
}
