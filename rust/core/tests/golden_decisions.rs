//! The decisions that Python has written down are those that core makes: every golden case gives its table.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the finding"
)]

use std::path::Path;

use llm_edge_core::routing::{Question, explain};
use llm_edge_core::snapshot::Snapshot;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Case {
    snapshot: Box<RawValue>,
    /// JSON.
    question: String,
    explanation: Value,
}

#[test]
fn every_decision_is_as_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/decisions");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let case: Case = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let snapshot = Snapshot::parse(case.snapshot.get().as_bytes()).unwrap();
        let question: Question<'_> = serde_json::from_str(&case.question).unwrap();
        let found = explain(&snapshot, &question).unwrap();
        assert_eq!(serde_json::to_value(found).unwrap(), case.explanation, "{}", path.display());
        count += 1;
    }
    assert!(count >= 20, "golden files are missing");
}
