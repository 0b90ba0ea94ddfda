//! The breaker under every interleaving of a few threads (loom), up to four preemptions.
//!
//! Its source is compiled here with loom's atomics in the place of the standard library's.

#[expect(dead_code, unreachable_pub, reason = "compiled for its interleavings, not for all it offers")]
#[path = "../src/breaker.rs"]
mod breaker;

use breaker::{Breaker, Pass, Policy, State};
pub(crate) use loom::sync;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(check);
}

const POLICY: Policy = Policy { failures: 2, failure_percent: 1, window_ms: 1_000, open_ms: 100, probes: 1 };

fn open() -> Arc<Breaker> {
    let breaker = Arc::new(Breaker::default());
    breaker.failed(&POLICY, Pass::Free, 0);
    breaker.failed(&POLICY, Pass::Free, 0);
    assert_eq!(breaker.state(), State::Open);
    breaker
}

#[test]
fn half_open_lets_exactly_its_probes_through() {
    model(|| {
        let breaker = open();
        let passed = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (breaker, passed) = (Arc::clone(&breaker), Arc::clone(&passed));
                thread::spawn(move || {
                    if breaker.admit(&POLICY, 200).is_ok() {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(passed.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn no_report_is_lost() {
    model(|| {
        let breaker = Arc::new(Breaker::default());
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let breaker = Arc::clone(&breaker);
                thread::spawn(move || {
                    breaker.failed(&POLICY, Pass::Free, 0);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(breaker.state(), State::Open);
    });
}

#[test]
fn a_late_report_of_an_earlier_phase_changes_nothing() {
    model(|| {
        let breaker = open();
        let late = breaker.admit(&POLICY, 200).unwrap();
        breaker.failed(&POLICY, late, 200);
        let again = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || breaker.admit(&POLICY, 400))
        };
        breaker.succeeded(&POLICY, late, 400);
        let pass = again.join().unwrap();
        // The one report that counts is the new probe's.
        assert!(pass.is_ok());
        assert_eq!(breaker.state(), State::HalfOpen);
    });
}

#[test]
fn a_place_that_is_given_back_is_taken_once() {
    model(|| {
        let breaker = open();
        let probe = breaker.admit(&POLICY, 200).unwrap();
        let passed = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (breaker, passed) = (Arc::clone(&breaker), Arc::clone(&passed));
                thread::spawn(move || {
                    if breaker.admit(&POLICY, 200).is_ok() {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        breaker.give_back(probe);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(passed.load(Ordering::Relaxed) <= 1);
        assert!(breaker.admit(&POLICY, 200).is_ok() == (passed.load(Ordering::Relaxed) == 0));
    });
}
