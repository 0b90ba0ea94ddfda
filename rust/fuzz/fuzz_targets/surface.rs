//! Paths: an operation is found under the spellings that are documented, byte for byte, and under no other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::surface::{Endpoint, Operation, Surface, endpoint};

/// Every spelling, with the method; ids of models follow the last two kinds.
fn spellings(surface: Surface, operation: Operation) -> (&'static str, Vec<String>) {
    let name = match operation {
        Operation::ChatCompletions => "/chat/completions",
        Operation::Completions => "/completions",
        Operation::Responses => "/responses",
        Operation::Embeddings => "/embeddings",
        Operation::Messages => "/messages",
        Operation::CountTokens => "/messages/count_tokens",
        Operation::ListModels => "/models",
        Operation::ShowModel => "/models/",
    };
    let prefixes: &[&str] = match surface {
        Surface::OpenAi => &["", "/v1", "/openai", "/openai/v1"],
        Surface::Anthropic => &["/v1", "/anthropic/v1"],
    };
    let method = match operation {
        Operation::ListModels | Operation::ShowModel => "GET",
        _ => "POST",
    };
    (method, prefixes.iter().map(|prefix| format!("{prefix}{name}")).collect())
}

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == b' ');
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    for anthropic_version in [false, true] {
        let found = endpoint(method, path, anthropic_version);
        if let Endpoint::Api { surface, operation, model_id } = found {
            let (expected, paths) = spellings(surface, operation);
            assert_eq!(method, expected.as_bytes());
            let fixed = path.strip_suffix(model_id.unwrap_or_default()).unwrap();
            assert!(paths.iter().any(|known| known.as_bytes() == fixed), "{}", path.escape_ascii());
            assert_eq!(model_id.is_some(), operation == Operation::ShowModel);
            assert!(model_id.is_none_or(|id| !id.is_empty()));
        }
        if matches!(found, Endpoint::Livez | Endpoint::Readyz) {
            assert!([&b"/livez"[..], b"/healthz", b"/readyz"].contains(&path));
        }
    }
});
