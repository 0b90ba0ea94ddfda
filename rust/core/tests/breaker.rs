//! What a breaker does, report by report.

use llm_edge_core::breaker::{Breaker, Change, Pass, Policy, State};

const POLICY: Policy =
    Policy { failures: 3, failure_percent: 50, window_ms: 1_000, open_ms: 5_000, probes: 2 };

fn opened() -> Breaker {
    let breaker = Breaker::default();
    for _ in 0..2 {
        assert_eq!(breaker.failed(&POLICY, Pass::Free, 0), Change::None);
    }
    assert_eq!(breaker.failed(&POLICY, Pass::Free, 16), Change::Opened);
    breaker
}

#[test]
fn it_opens_lets_the_probes_through_and_closes_when_they_succeed() {
    let breaker = opened();
    assert!(breaker.admit(&POLICY, 4_000).is_err_and(|ms| (1_000..=1_032).contains(&ms)));
    let first = breaker.admit(&POLICY, 5_100).unwrap();
    let second = breaker.admit(&POLICY, 5_100).unwrap();
    assert_eq!(breaker.admit(&POLICY, 5_100), Err(5_000));
    assert_eq!(breaker.succeeded(&POLICY, first, 5_200), Change::None);
    assert_eq!(breaker.succeeded(&POLICY, second, 5_200), Change::Closed);
    assert_eq!(breaker.admit(&POLICY, 5_200), Ok(Pass::Free));
}

#[test]
fn one_failed_probe_opens_it_again_and_the_other_one_changes_nothing() {
    let breaker = opened();
    let first = breaker.admit(&POLICY, 5_100).unwrap();
    let second = breaker.admit(&POLICY, 5_100).unwrap();
    assert_eq!(breaker.failed(&POLICY, first, 5_200), Change::Opened);
    assert_eq!(breaker.succeeded(&POLICY, second, 5_300), Change::None);
    assert_eq!(breaker.state(), State::Open);
    let probe = breaker.admit(&POLICY, 10_300).unwrap();
    assert_eq!(breaker.succeeded(&POLICY, second, 10_300), Change::None);
    assert_ne!(probe, second);
}

#[test]
fn the_place_of_a_probe_without_outcome_is_taken_by_another() {
    let breaker = opened();
    let first = breaker.admit(&POLICY, 5_100).unwrap();
    let _second = breaker.admit(&POLICY, 5_100).unwrap();
    breaker.give_back(first);
    assert!(breaker.admit(&POLICY, 5_100).is_ok());
    assert!(breaker.admit(&POLICY, 5_100).is_err());
}

#[test]
fn requests_in_flight_when_it_opened_change_nothing() {
    let breaker = opened();
    assert_eq!(breaker.failed(&POLICY, Pass::Free, 100), Change::None);
    assert_eq!(breaker.succeeded(&POLICY, Pass::Free, 100), Change::None);
    assert_eq!(breaker.state(), State::Open);
    let probe = breaker.admit(&POLICY, 5_100).unwrap();
    assert_eq!(breaker.failed(&POLICY, Pass::Free, 5_100), Change::None);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.give_back(probe);
}

#[test]
fn failures_count_only_within_their_window_and_above_their_share() {
    let breaker = Breaker::default();
    for at in [0, 1_100, 2_200, 3_300] {
        assert_eq!(breaker.failed(&POLICY, Pass::Free, at), Change::None);
    }
    // A third of the traffic fails, however often: less than half.
    let breaker = Breaker::default();
    for _ in 0..50 {
        for _ in 0..2 {
            breaker.succeeded(&POLICY, Pass::Free, 0);
        }
        assert_eq!(breaker.failed(&POLICY, Pass::Free, 0), Change::None);
        breaker.succeeded(&POLICY, Pass::Free, 0);
        breaker.succeeded(&POLICY, Pass::Free, 0);
    }
}
