//! Readers of `cohere_chat` and its writer of requests, with every dialect that clients speak on the other side.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::dialect::Dialect;
use llm_edge_core::translate::between;

#[path = "../translate.rs"]
mod translate;

fuzz_target!(|bytes: &[u8]| {
    for surface in translate::SURFACES {
        let pair = between(surface, Dialect::CohereChat).expect("each has its half");
        translate::check_request(pair, "m", bytes);
        translate::check_reply(pair, bytes);
        translate::check_stream(pair, bytes);
    }
});
