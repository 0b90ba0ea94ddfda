//! Event streams: the events are those of the standard's algorithm, however the stream is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::sse::SseScanner;

type Events = Vec<(Vec<u8>, Vec<u8>)>;

/// WHATWG HTML §9.2.6 over a list of lines.
fn reference(stream: &[u8]) -> Events {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut lines = Vec::new();
    let mut rest = stream;
    while let Some(end) = rest.iter().position(|b| matches!(b, b'\n' | b'\r')) {
        lines.push(&rest[..end]);
        let after = if rest[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
        rest = &rest[after..];
    }
    let mut events = Events::new();
    let (mut name, mut data) = (Vec::new(), Vec::new());
    for line in lines {
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"" if line.is_empty() => {
                let (name, mut data) = (std::mem::take(&mut name), std::mem::take(&mut data));
                if data.pop().is_some() {
                    events.push((name, data));
                }
            }
            b"event" => name = value.to_vec(),
            b"data" => data.extend(value.iter().chain(b"\n")),
            _ => {}
        }
    }
    events
}

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (sizes, stream) = input;
    let (mut scanner, mut events, mut rest) = (SseScanner::new(), Events::new(), stream);
    let mut sizes = sizes.into_iter().cycle();
    while !rest.is_empty() {
        let size = usize::from(sizes.next().unwrap_or(255)).clamp(1, rest.len());
        let (piece, after) = rest.split_at(size);
        scanner.push(piece, |event| events.push((event.name.to_vec(), event.data.to_vec())));
        rest = after;
    }
    assert_eq!(events, reference(stream));
});
