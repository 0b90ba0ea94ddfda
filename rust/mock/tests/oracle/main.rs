//! The harness is tested by planted bugs: small proxies that are wrong in one way each, between the verifying
//! client and the oracle upstream. A faithful proxy passes; each of the others must be caught, by its name.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking, its helpers too"
)]

mod proxy;
mod translator;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use llm_edge_mock::oracle::ask::Vendor;
use llm_edge_mock::oracle::client::{Http1, Outcome, Peer};
use llm_edge_mock::oracle::run::{Report, Stage, play};
use llm_edge_mock::oracle::scenario::{Form, load};
use llm_edge_mock::oracle::tls::Identity;
use llm_edge_mock::oracle::upstream::Oracle;
use proxy::Bug;

async fn played(bug: Bug) -> Report {
    played_from("tests/oracle/scenarios", bug).await
}

async fn played_from(folder: &str, bug: Bug) -> Report {
    let oracle = Oracle::start(&Identity::new().unwrap(), 0).unwrap();
    let address = proxy::start(oracle.plain, bug).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let plays = load(&folder, Form::Short, &[], 7).unwrap();
    let peer = Peer { address, identity: None, key: None };
    let stage = Stage {
        peers: HashMap::from([("base".to_owned(), peer)]),
        log: Arc::clone(&oracle.log),
        seed: 7,
        clients: 8,
        by_meaning: false,
    };
    play(plays.scenarios, stage).await.unwrap()
}

/// Scenarios of a client whose upstream speaks another API.
const TRANSLATED: &str = "tests/oracle/translated";

/// The bug is caught, as a violation, in these words.
async fn caught(bug: Bug, words: &str) {
    let report = played(bug).await;
    assert!(report.total().violation > 0, "{bug:?} is no violation: {:?}", report.failures);
    let told = report.failures.iter().any(|failure| failure.contains(words));
    assert!(told, "{bug:?}: none of these says `{words}`: {:#?}", report.failures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faithful_proxy_passes() {
    let report = played(Bug::None).await;
    assert!(report.total().is_clean(), "{:#?}", report.failures);
    assert!(report.total().exact > 0 && report.total().explicit_error > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_after_the_first_byte_is_caught() {
    caught(Bug::RetriesAfterTheFirstByte, "executed 2 times").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_that_hides_its_second_execution_is_caught_by_what_it_sends() {
    caught(Bug::RepeatsFromTheStart, "came again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncation_dressed_up_with_a_terminal_event_is_caught() {
    caught(Bug::MakesUpTheTerminalEvent, "are lost").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncation_that_ends_properly_is_caught() {
    caught(Bug::EndsProperly, "without the terminal one").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_words_without_a_finish_reason_that_pass_for_a_whole_reply_are_caught() {
    let report = played(Bug::TakesTheEndForAFinishReason).await;
    // Both where the reason has a chunk of its own, and where it is missing from the last words.
    for words in ["after 12 of 13 events", "after 12 of 12 events"] {
        let told =
            |failure: &String| failure.contains("/no-finish-reason/gemini/") && failure.contains(words);
        assert!(report.failures.iter().any(told), "none says `{words}`: {:#?}", report.failures);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faithful_translation_passes() {
    let report = played_from(TRANSLATED, Bug::None).await;
    assert!(report.total().is_clean(), "{:#?}", report.failures);
    assert!(report.total().exact > 0 && report.total().explicit_error > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_translation_that_is_wrong_is_caught() {
    for (bug, words) in [
        (Bug::MakesUpTheTerminalEvent, "a proper end after"),
        (Bug::EndsProperly, "without the terminal event"),
        (Bug::LossyUtf8, "U+FFFD"),
        (Bug::DropsAnEvent, "another text"),
        (Bug::RepeatsAnEvent, "another text"),
        (Bug::SwapsTwoEvents, "another text"),
        (Bug::MergesTwoReplies, "content of another request"),
        (Bug::ChangesAWord, "another text"),
        (Bug::ExecutesTwice, "executed 2 times"),
        (Bug::DoesNotTranslate, "the upstream's log does not show"),
    ] {
        let report = played_from(TRANSLATED, bug).await;
        let told = report.failures.iter().any(|failure| failure.contains(words));
        assert!(told, "{bug:?}: none of these says `{words}`: {:#?}", report.failures);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lossy_utf8_for_each_piece_is_caught() {
    caught(Bug::LossyUtf8, "U+FFFD").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_event_is_caught() {
    caught(Bug::DropsAnEvent, "are lost").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_event_is_caught() {
    caught(Bug::RepeatsAnEvent, "came again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_in_another_order_are_caught() {
    caught(Bug::SwapsTwoEvents, "are lost").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_event_is_caught() {
    caught(Bug::MergesTwoReplies, "content of another request").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_word_is_caught() {
    caught(Bug::ChangesAWord, "was changed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_comments_are_caught() {
    caught(Bug::DropsComments, "bytes were changed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_sent_twice_is_caught() {
    caught(Bug::ExecutesTwice, "executed 2 times").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_sent_again_behind_its_reply_is_caught() {
    caught(Bug::ExecutesAgainLater, "executed again behind its reply").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusing_everything_is_caught() {
    let report = played(Bug::RefusesEverything).await;
    let total = report.total();
    assert_eq!(total.violation, 0, "{:#?}", report.failures);
    assert!(total.mismatch > 0 && total.unshown > 0, "{:#?}", report.failures);
    assert!(report.failures.iter().any(|failure| failure.contains("must be exact: status 502")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_that_never_reached_the_upstream_is_caught() {
    let report = played(Bug::TakesTheOrdersOut).await;
    assert!(report.total().unshown > 0, "{:#?}", report.failures);
    assert!(report.failures.iter().any(|failure| failure.contains("must be an explicit error: exact")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_was_not_the_upstreams_is_caught() {
    let report = played(Bug::TurnsErrorsInto500).await;
    assert!(report.total().mismatch > 0);
    assert!(report.failures.iter().any(|failure| failure.contains("status 500 is none of [529]")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oracle_and_its_client_agree_with_nothing_in_between() {
    let identity = Arc::new(Identity::new().unwrap());
    let oracle = Oracle::start(&identity, 0).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/direct");
    let plays = load(&folder, Form::Short, &[], 7).unwrap();
    let plain = Peer { address: oracle.plain, identity: None, key: None };
    let tls = Peer { address: oracle.tls, identity: Some(identity), key: None };
    let peers = HashMap::from([("base".to_owned(), plain), ("base+tls".to_owned(), tls)]);
    // One at a time: a connection that says GOAWAY refuses what comes at the same moment.
    let stage = Stage { peers, log: Arc::clone(&oracle.log), seed: 7, clients: 1, by_meaning: false };
    let report = play(plays.scenarios, stage).await.unwrap();
    assert!(report.total().is_clean(), "{:#?}", report.failures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_order_is_answered_with_the_known_ones() {
    let oracle = Oracle::start(&Identity::new().unwrap(), 0).unwrap();
    let mut client = Http1::new(Peer { address: oracle.plain, identity: None, key: None });
    let body = br#"{"model": "x", "messages": [{"role": "user", "content": "oracle do=explode"}]}"#;
    let Outcome::Reply(reply) = client.call("/v1/chat/completions", Vendor::OpenAi, body).await else {
        panic!()
    };
    let text = String::from_utf8(reply.body).unwrap();
    assert_eq!(reply.status, 400);
    assert!(text.contains("unknown fault order `explode`") && text.contains("`no-last-chunk`"), "{text}");
}

#[test]
fn a_scenario_file_that_says_something_unknown_is_refused() {
    let folder = std::env::temp_dir().join(format!("oracle-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let row = |what: &str| {
        format!(
            "family = \"x\"\ntitle = \"x\"\n[[scenario]]\nname = \"x\"\nclass = \"exact\"\nshort = 1\nlong = 1\n{what}"
        )
    };
    for (what, told) in [
        ("do = \"explode\"\ndialects = [\"chat\"]", "unknown fault order `explode`"),
        ("do = \"clean\"\ndialects = [\"latin\"]", "unknown dialect `latin`"),
        ("do = \"clean\"\ndialects = [\"chat\"]\ncolour = 1", "unknown field `colour`"),
        ("do = \"fin:{at}\"\ndialects = [\"chat\"]", "`along` go together"),
        ("do = \"clean\"\ndialects = [\"chat\"]\nto = [\"latin\"]", "unknown dialect `latin`"),
        ("do = \"clean\"\ndialects = [\"chat\"]\nto = [\"chat\"]", "no other dialect"),
    ] {
        std::fs::write(folder.join("x.toml"), row(what)).unwrap();
        let refused = load(&folder, Form::Short, &[], 1).unwrap_err().to_string();
        assert!(refused.contains("x.toml") && refused.contains(told), "{refused}");
    }
    std::fs::write(folder.join("x.toml"), row("do = \"clean\"\ndialects = [\"chat\"]")).unwrap();
    assert!(load(&folder, Form::Short, &[], 1).is_ok());
    let refused = load(&folder, Form::Short, &["retrys".to_owned()], 1).unwrap_err().to_string();
    assert!(refused.contains("no family waits for `retrys`"), "{refused}");
    std::fs::remove_dir_all(&folder).unwrap();
}
