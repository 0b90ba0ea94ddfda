//! Paths: an operation is found under the spellings that are documented, byte for byte, and under no other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::surface::{Endpoint, Operation, Surface, endpoint, is_plain_path};

/// Every spelling of a path up to the model's name, where it holds one, and what follows that.
fn spellings(surface: Surface, operation: Operation) -> (Vec<String>, &'static str) {
    let name = match operation {
        Operation::ChatCompletions => "/chat/completions",
        Operation::Completions => "/completions",
        Operation::Responses => "/responses",
        Operation::Embeddings => "/embeddings",
        Operation::Rerank => "/rerank",
        Operation::Messages => "/messages",
        Operation::CountTokens => "/messages/count_tokens",
        Operation::ListModels => "/models",
        Operation::InputTokens => "/responses/input_tokens",
        Operation::CompactResponse => "/responses/compact",
        Operation::StoredResponse => "/responses/",
        Operation::ShowModel
        | Operation::GenerateContent
        | Operation::StreamGenerateContent
        | Operation::GeminiCountTokens
        | Operation::EmbedContent
        | Operation::BatchEmbedContents => "/models/",
        Operation::Converse
        | Operation::ConverseStream
        | Operation::CohereChat
        | Operation::OllamaChat
        | Operation::CohereEmbed
        | Operation::OllamaEmbed
        | Operation::BedrockCountTokens => panic!("no client asks for it"),
        Operation::OpenaiPassThrough | Operation::AnthropicPassThrough | Operation::GeminiPassThrough => {
            panic!("no path is its own")
        }
    };
    let prefixes: &[&str] = match surface {
        Surface::OpenAi if operation == Operation::Rerank => &["", "/v1", "/v2", "/openai", "/openai/v1"],
        Surface::OpenAi => &["", "/v1", "/openai", "/openai/v1"],
        Surface::Anthropic => &["/v1", "/anthropic/v1"],
        Surface::Gemini => &["/v1", "/v1beta", "/genai/v1beta", "/genai/v1"],
    };
    let behind = match operation {
        Operation::GenerateContent => ":generateContent",
        Operation::StreamGenerateContent => ":streamGenerateContent",
        Operation::GeminiCountTokens => ":countTokens",
        Operation::EmbedContent => ":embedContent",
        Operation::BatchEmbedContents => ":batchEmbedContents",
        _ => "",
    };
    (prefixes.iter().map(|prefix| format!("{prefix}{name}")).collect(), behind)
}

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == b' ');
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    for by_header in [Surface::OpenAi, Surface::Anthropic, Surface::Gemini] {
        let found = endpoint(method, path, || by_header);
        if let Endpoint::Api { surface, operation, model_id } = found {
            if let Some(named) = path.strip_prefix(b"/openai/deployments/") {
                let (paths, _) = spellings(surface, operation);
                let behind = paths.first().unwrap().as_bytes();
                assert_eq!(named.strip_suffix(behind), model_id);
                assert!(model_id.is_some_and(|id| !id.is_empty()) && method == b"POST");
                continue;
            }
            let (paths, behind) = spellings(surface, operation);
            if operation == Operation::StoredResponse {
                assert!([&b"GET"[..], b"POST", b"DELETE"].contains(&method));
            } else {
                assert_eq!(method, operation.method().as_bytes());
            }
            let named = path.strip_suffix(behind.as_bytes()).unwrap();
            let fixed = named.strip_suffix(model_id.unwrap_or_default()).unwrap();
            assert!(paths.iter().any(|known| known.as_bytes() == fixed), "{}", path.escape_ascii());
            let in_path = operation.names_model_in_path()
                || matches!(operation, Operation::ShowModel | Operation::StoredResponse);
            assert_eq!(model_id.is_some(), in_path);
            assert!(model_id.is_none_or(|id| !id.is_empty()));
        }
        if let Endpoint::Other { rest, .. } = found {
            assert!(is_plain_path(rest) && path.ends_with(rest));
        }
        if matches!(found, Endpoint::Livez | Endpoint::Readyz) {
            assert!([&b"/livez"[..], b"/healthz", b"/readyz"].contains(&path));
        }
    }
});
