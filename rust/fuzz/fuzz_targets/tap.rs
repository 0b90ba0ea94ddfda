//! Reply tap: the outcome does not depend on how the reply was cut, and a used tap is as good as a new one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::surface::Dialect;
use llm_edge_core::tap::{Payload, Tap};

fuzz_target!(|input: (u8, Vec<u8>, &[u8])| {
    let (which, sizes, reply) = input;
    let dialect = Dialect::ALL[usize::from(which / 2) % Dialect::ALL.len()];
    let payload = if which % 2 == 0 { Payload::Sse } else { Payload::Json };
    let mut tap = Tap::new(payload, dialect);
    tap.push(reply);
    let whole = tap.finish();
    tap.reset(payload, dialect);
    let (mut sizes, mut rest) = (sizes.into_iter().cycle(), reply);
    while !rest.is_empty() {
        let size = usize::from(sizes.next().unwrap_or(255)).clamp(1, rest.len());
        let (piece, after) = rest.split_at(size);
        tap.push(piece);
        rest = after;
    }
    assert_eq!(tap.finish(), whole);
});
