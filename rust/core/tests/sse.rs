//! The scanner of server-sent events against the algorithm of the standard, however a stream is cut.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "in a test a panic is the finding"
)]

use llm_edge_core::sse::{LINE_BYTES_MAX, SseScanner};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

type Events = Vec<(Vec<u8>, Vec<u8>)>;

/// WHATWG HTML §9.2.6, step by step: the event type and the data of each event that is dispatched.
fn reference(stream: &[u8]) -> Events {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let (mut events, mut line) = (Events::new(), Vec::new());
    let (mut event_type, mut data) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < stream.len() {
        match stream[at] {
            b'\r' if stream.get(at + 1) == Some(&b'\n') => at += 1,
            b'\r' | b'\n' => {}
            other => {
                line.push(other);
                at += 1;
                continue;
            }
        }
        at += 1;
        let complete = std::mem::take(&mut line);
        if complete.is_empty() {
            let (name, mut buffer) = (std::mem::take(&mut event_type), std::mem::take(&mut data));
            if !buffer.is_empty() {
                assert_eq!(buffer.pop(), Some(b'\n'));
                events.push((name, buffer));
            }
            continue;
        }
        let colon = complete.iter().position(|b| *b == b':');
        let (field, value) = match colon {
            Some(0) => continue,
            Some(colon) => {
                let value = &complete[colon + 1..];
                (&complete[..colon], value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (&complete[..], &[][..]),
        };
        match field {
            b"event" => event_type = value.to_vec(),
            b"data" => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            _ => {}
        }
    }
    events
}

/// The events of a stream that is pushed in these pieces.
fn scanned<'a>(scanner: &mut SseScanner, pieces: impl IntoIterator<Item = &'a [u8]>) -> Events {
    let mut events = Events::new();
    for piece in pieces {
        scanner.push(piece, |event| {
            assert!(!event.oversize);
            if event.in_place {
                assert!(piece.as_ptr_range().contains(&event.data.as_ptr()) || event.data.is_empty());
            }
            events.push((event.name.to_vec(), event.data.to_vec()));
        });
    }
    events
}

/// The stream cut at these places.
fn pieces<'a>(stream: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![4 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\r")];
    let line = prop_oneof![
        6 => "data: ?[a-zé{\":]{0,6}", 2 => Just("data".to_owned()), 3 => "event: ?[a-z]{0,4}",
        1 => Just("event".to_owned()), 1 => ": ?[a-z]{0,4}", 1 => "(id|retry|datax|dat|events|Data):[0-9]?",
        8 => Just(String::new()), 1 => "[a-z: \u{feff}]{0,6}",
    ];
    let mark = prop_oneof![6 => Just(&b""[..]), 2 => Just(&b"\xef\xbb\xbf"[..]), 1 => Just(&b"\xef\xbb"[..])];
    (mark, vec((line, end), 0..14), "(data: z)?").prop_map(|(mark, lines, last)| {
        let mut stream = mark.to_vec();
        for (line, end) in lines {
            stream.extend_from_slice(line.as_bytes());
            stream.extend_from_slice(end.as_bytes());
        }
        stream.extend_from_slice(last.as_bytes());
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn the_events_are_those_of_the_standard_wherever_the_stream_is_cut(
        stream in stream(), cuts in vec(any::<Index>(), 0..8),
    ) {
        prop_assert_eq!(scanned(&mut SseScanner::new(), pieces(&stream, &cuts)), reference(&stream));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn bytes_of_any_kind_give_the_events_of_the_standard(
        stream in vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(b':')], 0..80),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        prop_assert_eq!(scanned(&mut SseScanner::new(), pieces(&stream, &cuts)), reference(&stream));
    }

    #[test]
    fn one_byte_at_a_time_is_as_good_as_all_at_once(stream in stream()) {
        let whole = scanned(&mut SseScanner::new(), [&stream[..]]);
        prop_assert_eq!(scanned(&mut SseScanner::new(), stream.chunks(1)), whole);
    }

    #[test]
    fn a_used_scanner_is_as_good_as_new_after_a_reset(before in stream(), stream in stream()) {
        let mut scanner = SseScanner::new();
        scanned(&mut scanner, [&before[..]]);
        scanner.reset();
        prop_assert_eq!(scanned(&mut scanner, [&stream[..]]), reference(&stream));
    }
}

#[test]
fn characters_cut_in_the_middle_arrive_whole() {
    let stream = "event: grüße\ndata: 😀 é\n\n".as_bytes();
    for cut in 0..=stream.len() {
        let (a, b) = stream.split_at(cut);
        let events = scanned(&mut SseScanner::new(), [a, b]);
        assert_eq!(events, [("grüße".into(), "😀 é".into())], "cut at {cut}");
    }
}

#[test]
fn an_event_that_lies_whole_in_a_read_is_not_copied() {
    let mut in_place = Vec::new();
    let mut scanner = SseScanner::new();
    scanner.push(b"event: a\ndata: 1\n\ndata: 2", |e| in_place.push(e.in_place));
    scanner.push(b"\n\ndata: 3\n\n", |e| in_place.push(e.in_place));
    assert_eq!(in_place, [true, false, true]);
}

#[test]
fn what_is_too_long_passes_unseen_and_the_next_event_is_seen() {
    let long = [&b"data: "[..], &vec![b'x'; LINE_BYTES_MAX], b"\n\ndata: y\n\n"].concat();
    let half = vec![b'x'; LINE_BYTES_MAX / 2];
    let joined = [b"data: ", &half[..], b"\ndata:", &half, b"\ndata:tail\n\ndata: y\n\n"].concat();
    for stream in [long, joined] {
        for size in [stream.len(), 100_000, 4_099] {
            let mut seen = Vec::new();
            let mut scanner = SseScanner::new();
            for piece in stream.chunks(size) {
                scanner.push(piece, |e| seen.push((e.oversize, e.data.to_vec())));
            }
            assert_eq!(seen, [(true, vec![]), (false, b"y".to_vec())], "pieces of {size}");
        }
    }
}

#[test]
fn another_event_fits_in_between_events_only() {
    let mut scanner = SseScanner::new();
    assert!(scanner.between_events());
    for (piece, between) in [
        ("da", false),
        ("ta: 1\n", false),
        ("\n", true),
        (": hi\n", false),
        ("\r\n", true),
        ("\u{feff}\n", false),
    ] {
        scanner.push(piece.as_bytes(), |_| {});
        assert_eq!(scanner.between_events(), between, "after {piece:?}");
    }
}

#[test]
fn an_event_without_its_empty_line_comes_out_at_the_end() {
    for stream in ["data: [DONE]", "data: [DONE]\n", "data: 1\n\ndata: [DONE]\r"] {
        let mut scanner = SseScanner::new();
        scanner.push(stream.as_bytes(), |e| assert_eq!(e.data, b"1"));
        let mut last = Vec::new();
        scanner.finish(|e| last.extend_from_slice(e.data));
        assert_eq!(last, b"[DONE]", "{stream:?}");
    }
}
