//! Token estimates: nothing fails, whatever the body is, and no body has more tokens than its length can account for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::surface::Dialect;
use llm_edge_core::tokens::{Table, count, request};

/// Most tokens for a byte: a picture has a flat number, however short the object that says there is one.
const TOKENS_PER_BYTE_MAX: u64 = 128;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (which, whose, body) = input;
    let dialect = Dialect::ALL[usize::from(which) % Dialect::ALL.len()];
    let table = Table::ALL[usize::from(whose) % Table::ALL.len()];
    let found = request(body, dialect, table);
    assert!(found.input <= TOKENS_PER_BYTE_MAX * body.len() as u64 + 512);
    if let Ok(text) = std::str::from_utf8(body) {
        // No token is shorter than a byte.
        let (tokens, _) = count(text, table);
        assert!(tokens <= (text.len() as u64 * table.per_mille()).div_ceil(1000));
        assert_eq!(tokens == 0, text.is_empty());
    }
});
