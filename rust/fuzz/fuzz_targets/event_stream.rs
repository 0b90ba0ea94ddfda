//! Amazon's event streams: the messages are those that went in, and how the stream is cut shows neither in them
//! nor in the fault.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::event_stream::{EventStream, EventStreamError};

#[path = "../event_stream.rs"]
mod encoder;

type Told = (Vec<(String, Vec<u8>)>, Result<(), EventStreamError>);

fn told(stream: &[u8], sizes: &[u8]) -> Told {
    let (mut decoder, mut messages, mut rest) = (EventStream::new(), Vec::new(), stream);
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = usize::from(*sizes.next().unwrap_or(&255)).clamp(1, rest.len());
        let (piece, after) = rest.split_at(size);
        let pushed = decoder.push(piece, |message| {
            messages.push((message.event_type.to_owned(), message.payload.to_vec()));
        });
        if pushed.is_err() {
            return (messages, pushed);
        }
        rest = after;
    }
    (messages, Ok(()))
}

fuzz_target!(|input: (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>, &[u8])| {
    let (sizes, messages, tail) = input;
    // Headers as they come, a payload behind a header that is right, and what may be anything.
    let mut stream = Vec::new();
    for (headers, payload) in &messages {
        stream.extend(encoder::encoded(b"\x0b:event-type\x07\x00\x01a", payload));
        stream.extend(encoder::encoded(headers, payload));
    }
    let whole = told(&stream, &[]);
    assert_eq!(told(&stream, &sizes), whole);
    assert_eq!(told(&stream, &[1]), whole);
    if whole.1.is_ok() {
        let payloads = messages.iter().flat_map(|(_, payload)| [payload, payload]);
        assert!(whole.0.iter().map(|(_, payload)| payload).eq(payloads));
    }
    for (at, (_, payload)) in whole.0.iter().enumerate() {
        assert_eq!(*payload, messages[at / 2].1);
    }
    stream.extend_from_slice(tail);
    assert_eq!(told(&stream, &sizes), told(&stream, &[1]));
    let mut broken = stream;
    if let Some(place) = sizes.first().and_then(|place| broken.get_mut(usize::from(*place))) {
        *place ^= 1;
        assert_eq!(told(&broken, &sizes), told(&broken, &[1]));
    }
});
