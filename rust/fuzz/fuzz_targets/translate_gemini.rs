//! Readers of `gemini`, and the writers of the other dialects behind them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::dialect::Dialect;

#[path = "../translate.rs"]
mod translate;

fuzz_target!(|bytes: &[u8]| {
    for other in [Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::AnthropicMessages] {
        translate::check(Dialect::Gemini, other, bytes);
        translate::check(other, Dialect::Gemini, bytes);
    }
});
