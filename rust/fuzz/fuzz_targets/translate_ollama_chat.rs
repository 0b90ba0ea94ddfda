//! The reader of `ollama_chat` and the writers behind it, and its writer behind the readers of its clients'
//! dialects.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::dialect::Dialect;
use llm_edge_core::translate::between;

#[path = "../translate.rs"]
mod translate;

fuzz_target!(|bytes: &[u8]| {
    for surface in translate::SURFACES {
        let pair = between(surface, Dialect::OllamaChat).expect("each has its half");
        for model in ["gpt-oss", "qwen3"] {
            translate::check_request(pair, model, bytes);
        }
        translate::check_reply(pair, bytes);
        translate::check_stream(pair, bytes);
    }
});
