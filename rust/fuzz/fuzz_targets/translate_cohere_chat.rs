//! Readers of `cohere_chat` and its writer of requests, with every dialect that clients speak on the other side.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::dialect::Dialect;

#[path = "../translate.rs"]
#[allow(dead_code, reason = "the dialect is not one of clients")]
mod translate;

fuzz_target!(|bytes: &[u8]| {
    for surface in [Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::AnthropicMessages] {
        translate::check_requests(surface, Dialect::CohereChat, bytes);
        translate::check_replies(surface, Dialect::CohereChat, bytes);
    }
});
