//! Draining under every interleaving of a few threads (loom), up to four preemptions.
//!
//! The source that counts is compiled here with loom's atomics in the place of the standard library's.

#[expect(unreachable_pub, reason = "compiled for its interleavings")]
#[path = "../src/occupancy.rs"]
mod occupancy;

pub(crate) use loom::sync;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use occupancy::Occupancy;

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(check);
}

#[test]
fn a_drain_that_ends_has_served_everybody() {
    model(|| {
        let house = Arc::new(Occupancy::default());
        let served = Arc::new(AtomicU32::new(0));
        for _ in 0..2 {
            house.open_listener();
        }
        // One serves whom it lets in; the other hands its own over to a third thread.
        let serving = {
            let (house, served) = (Arc::clone(&house), Arc::clone(&served));
            thread::spawn(move || {
                assert!(house.enter(8));
                house.close_listener();
                served.fetch_add(1, Ordering::Relaxed);
                house.leave();
            })
        };
        let handing = {
            let (house, served) = (Arc::clone(&house), Arc::clone(&served));
            thread::spawn(move || {
                assert!(house.enter(8));
                let taker = {
                    let house = Arc::clone(&house);
                    thread::spawn(move || {
                        served.fetch_add(1, Ordering::Relaxed);
                        house.leave();
                    })
                };
                house.close_listener();
                taker.join().unwrap();
            })
        };
        if house.is_deserted() {
            assert_eq!(served.load(Ordering::Relaxed), 2, "somebody was left behind");
        }
        serving.join().unwrap();
        handing.join().unwrap();
        assert!(house.is_deserted());
        assert_eq!(house.connections(), 0);
    });
}

#[test]
fn never_are_more_in_than_may_be() {
    model(|| {
        let house = Arc::new(Occupancy::default());
        let inside = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (house, inside) = (Arc::clone(&house), Arc::clone(&inside));
                thread::spawn(move || {
                    if house.enter(1) {
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                        inside.fetch_sub(1, Ordering::Relaxed);
                        house.leave();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(house.connections(), 0);
    });
}
