//! The snapshots that Python writes are those that core reads: every golden file parses, and none does once
//! a field is added, left out or of another type, at whichever depth.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the finding"
)]

use std::path::{Path, PathBuf};

use llm_edge_core::snapshot::{ModelName, Scheme, Snapshot};
use llm_edge_core::surface::{Dialect, Operation};
use serde_json::Value;

/// Objects whose keys are names of the operator's, not fields.
const MAPS: [&str; 5] = ["operations", "operation_auth", "chat_members", "exact", "by_dialect"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/snapshots")
}

fn golden() -> Vec<(String, Value)> {
    let mut found: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() >= 12, "golden files are missing");
    found
}

fn parse(doc: &Value) -> Result<Snapshot, llm_edge_core::snapshot::SnapshotError> {
    Snapshot::parse(&serde_json::to_vec(doc).unwrap())
}

fn read(name: &str) -> Snapshot {
    let (_, doc) = golden().into_iter().find(|(found, _)| found == name).unwrap();
    parse(&doc).unwrap()
}

/// JSON pointers of all objects in `value`, the outermost first.
fn objects(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(pointer.to_owned());
            for (name, item) in fields {
                objects(item, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                objects(item, &format!("{pointer}/{at}"), found);
            }
        }
        _ => {}
    }
}

fn is_map(pointer: &str) -> bool {
    let last = pointer.rsplit('/').next();
    pointer.ends_with("/models/names") || last.is_some_and(|name| MAPS.contains(&name))
}

#[test]
fn every_golden_snapshot_parses() {
    for (name, doc) in golden() {
        let snapshot = parse(&doc).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(snapshot.fingerprint.len(), 32, "{name}");
        assert!(!snapshot.providers.is_empty(), "{name}");
    }
}

#[test]
fn a_field_that_is_not_known_is_refused_at_every_depth() {
    for (name, doc) in golden() {
        let mut pointers = Vec::new();
        objects(&doc, "", &mut pointers);
        for pointer in pointers {
            let mut changed = doc.clone();
            let object = changed.pointer_mut(&pointer).and_then(Value::as_object_mut).unwrap();
            object.insert("unknown_here".into(), Value::from("x"));
            assert!(parse(&changed).is_err(), "{name}: {pointer}/unknown_here was taken");
        }
    }
}

#[test]
fn a_field_that_is_missing_is_refused_at_every_depth() {
    for (name, doc) in golden() {
        let mut pointers = Vec::new();
        objects(&doc, "", &mut pointers);
        for pointer in pointers.into_iter().filter(|pointer| !is_map(pointer)) {
            let fields: Vec<_> =
                doc.pointer(&pointer).and_then(Value::as_object).unwrap().keys().cloned().collect();
            for field in fields {
                // serde takes a missing `Option` for `null`; Python always writes it.
                if [
                    "ca_pem",
                    "auth",
                    "sigv4",
                    "cache",
                    "health",
                    "replays_reasoning",
                    "tool_id_length",
                    "breaker",
                    "hedge",
                    "caller_credential",
                    "client_certificate",
                    "proxy",
                    "credential",
                    "policy",
                    "context_window",
                    "price",
                    "cached_input",
                    "cache_write",
                    "cache_write_1h",
                    "input_tokens_min",
                    "input_tokens_max",
                    "stream",
                    "hours",
                ]
                .contains(&field.as_str())
                {
                    continue;
                }
                let mut changed = doc.clone();
                changed.pointer_mut(&pointer).and_then(Value::as_object_mut).unwrap().remove(&field);
                assert!(parse(&changed).is_err(), "{name}: {pointer} was taken without `{field}`");
            }
        }
    }
}

#[test]
fn a_name_of_no_known_model_is_refused_with_its_path() {
    let (_, mut doc) = golden().into_iter().find(|(name, _)| name == "routing").unwrap();
    for at in [1_u64 << 40, 1 << 16, 99] {
        *doc.pointer_mut("/providers/0/models/names/small").unwrap() = Value::from(at);
        assert_eq!(parse(&doc).unwrap_err().path, "providers[0].models.names.small");
    }
}

#[test]
fn a_route_that_names_no_provider_is_refused_with_its_path() {
    let (_, mut doc) = golden().into_iter().find(|(name, _)| name == "weights").unwrap();
    *doc.pointer_mut("/routes/1/targets/1/provider").unwrap() = Value::from(99);
    assert_eq!(parse(&doc).unwrap_err().path, "routes[1].targets[1].provider");
}

#[test]
fn azure_deployment_paths_hold_the_place_of_the_model() {
    let snapshot = read("azure_deployments");
    let path = snapshot.providers[0].path(Operation::ChatCompletions).unwrap();
    assert_eq!(path.before, "/openai/deployments/");
    assert_eq!(path.after.as_deref(), Some("/chat/completions?api-version=2024-10-21"));
    assert_eq!(snapshot.providers[0].path(Operation::Responses).unwrap().after, None);
}

#[test]
fn origins_keep_addresses_without_brackets_and_path_prefixes() {
    let snapshot = read("compatible_path_prefix");
    let provider = &snapshot.providers[0];
    assert_eq!((provider.origin.scheme, provider.origin.host.as_str()), (Scheme::Http, "::1"));
    assert_eq!(provider.host_header, "[::1]:8000");
    assert_eq!(provider.path(Operation::ChatCompletions).unwrap().before, "/team/llm/v1/chat/completions");
}

#[test]
fn names_lead_where_the_configuration_says() {
    let snapshot = read("wildcards");
    let taken = |model: &str| {
        let route = snapshot.names.route(model, Some(Dialect::OpenaiChat)).unwrap();
        snapshot.routes[route].name.as_str()
    };
    assert_eq!(taken("team/long-x"), "long");
    assert_eq!(taken("team/x"), "team");
    assert_eq!(taken("openai/x"), "taken_over");
    assert_eq!(taken("anthropic/x"), "anthropic/*");
    assert_eq!(taken("gpt-x"), "long");
    assert_eq!(taken("else"), "rest");
    let team = snapshot.names.route("team/x", Some(Dialect::OpenaiChat)).unwrap();
    assert_eq!(snapshot.routes[team].targets[0].model, ModelName::Rest);
}

#[test]
fn a_route_that_passes_paths_on_may_be_without_models() {
    let snapshot = read("pass_through");
    assert!(snapshot.passes_through && !read("minimal").passes_through);
    let [images, rest, implied, bare] = &snapshot.routes[..] else { panic!("four routes") };
    assert_eq!(
        (&images.models[..], &images.pass_through[..]),
        (
            &["painter".to_owned(), "scribe*".to_owned()][..],
            &["images/*".to_owned(), "audio/speech".to_owned()][..],
        )
    );
    assert!(rest.models.is_empty() && rest.pass_through == ["*"]);
    assert!(implied.models == ["openai/*"] && implied.pass_through.is_empty());
    assert!(bare.models.is_empty() && bare.pass_through.is_empty());
    assert!(images.targets[0].serves(&snapshot, Operation::OpenaiPassThrough));
    assert!(!images.targets[0].serves(&snapshot, Operation::AnthropicPassThrough));
    assert_eq!(snapshot.names.route("painting", None), None);
}

#[test]
fn a_bare_name_takes_the_first_provider_of_its_dialect() {
    let snapshot = read("no_file");
    for (dialect, provider) in [(Dialect::OpenaiChat, "openai"), (Dialect::AnthropicMessages, "anthropic")] {
        let route = &snapshot.routes[snapshot.names.route("some-model", Some(dialect)).unwrap()];
        assert_eq!(snapshot.providers[route.targets[0].provider].name, provider);
        assert_eq!(route.targets[0].model, ModelName::Same);
    }
}
