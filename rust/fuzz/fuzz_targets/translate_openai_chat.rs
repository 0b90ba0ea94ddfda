//! Readers of `openai_chat`, and the writers of the other dialect behind them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::dialect::Dialect;

#[path = "../translate.rs"]
mod translate;

fuzz_target!(|bytes: &[u8]| translate::check(Dialect::OpenaiChat, Dialect::AnthropicMessages, bytes));
