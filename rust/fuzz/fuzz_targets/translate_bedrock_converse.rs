//! The reader of `bedrock_converse` and the writers behind it, and its writer behind the readers of its clients'
//! dialects. A stream is given as lines: the type of an event, a blank, its payload.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::dialect::Dialect;
use llm_edge_core::translate::between;

#[path = "../event_stream.rs"]
mod encoder;
#[path = "../translate.rs"]
mod translate;

fn header(name: &str, value: &[u8]) -> Vec<u8> {
    let mut header = vec![u8::try_from(name.len()).unwrap_or_default()];
    header.extend_from_slice(name.as_bytes());
    header.push(7);
    header.extend(u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
    header.extend_from_slice(value);
    header
}

fn message(line: &[u8]) -> Vec<u8> {
    let mut words = line.splitn(2, |byte| *byte == b' ');
    let kind = words.next().unwrap_or_default();
    let kind = &kind[..kind.len().min(1000)];
    let (place, family): (_, &[u8]) = if kind.ends_with(b"Exception") {
        (":exception-type", b"exception")
    } else {
        (":event-type", b"event")
    };
    let headers = [header(place, kind), header(":message-type", family)].concat();
    encoder::encoded(&headers, words.next().unwrap_or_default())
}

fuzz_target!(|bytes: &[u8]| {
    let stream: Vec<u8> = bytes.split(|byte| *byte == b'\n').flat_map(message).collect();
    for surface in translate::SURFACES {
        let pair = between(surface, Dialect::BedrockConverse).expect("each has its half");
        for model in ["anthropic.claude", "amazon.nova", "meta.llama"] {
            translate::check_request(pair, model, bytes);
        }
        translate::check_reply(pair, bytes);
        translate::check_stream(pair, bytes);
        translate::check_stream(pair, &stream);
    }
});
