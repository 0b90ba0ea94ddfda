//! Readers of `openai_responses` with the writers of the other dialects behind them, and the other way round.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::dialect::Dialect;

#[path = "../translate.rs"]
mod translate;

fuzz_target!(|bytes: &[u8]| {
    for other in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
        translate::check(Dialect::OpenaiResponses, other, bytes);
        translate::check(other, Dialect::OpenaiResponses, bytes);
    }
});
