//! Request heads: the outcome does not depend on how the bytes arrive, and httparse, which accepts more, sees
//! the same in whatever is accepted here.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::http1::{HeadLimits, Http1Error, Known, Progress, RequestFraming, RequestHead};

const LIMITS: HeadLimits = HeadLimits { head_bytes_max: 2048, headers_max: 32, target_bytes_max: 256 };

fn by_pieces(bytes: &[u8], size: usize) -> (Result<Progress, Http1Error>, RequestHead) {
    let mut head = RequestHead::default();
    let mut arrived = 0;
    loop {
        let outcome = head.parse(&bytes[..arrived], &LIMITS);
        if outcome != Ok(Progress::Partial) || arrived == bytes.len() {
            return (outcome, head);
        }
        arrived = (arrived + size).min(bytes.len());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut head = RequestHead::default();
    let outcome = head.parse(bytes, &LIMITS);
    for size in [1, 7] {
        let (pieces, other) = by_pieces(bytes, size);
        assert_eq!(pieces, outcome);
        if outcome == Ok(Progress::Complete) {
            assert_eq!(format!("{other:?}"), format!("{head:?}"));
        }
    }
    if outcome != Ok(Progress::Complete) {
        return;
    }

    let mut room = [httparse::EMPTY_HEADER; 32];
    let mut theirs = httparse::Request::new(&mut room);
    assert_eq!(theirs.parse(bytes), Ok(httparse::Status::Complete(head.len)));
    assert_eq!(theirs.method.map(str::as_bytes), Some(head.method.of(bytes)));
    assert!(theirs.path.is_some_and(|path| path.as_bytes().ends_with(head.target.of(bytes))));
    assert_eq!(theirs.version, Some(head.version as u8));
    assert_eq!(theirs.headers.len(), head.fields.len());
    for (theirs, ours) in theirs.headers.iter().zip(&head.fields) {
        assert_eq!((theirs.name.as_bytes(), theirs.value), (ours.name.of(bytes), ours.value.of(bytes)));
        assert!(ours.known == Known::HopByHop || ours.known == Known::of(ours.name.of(bytes)));
    }

    let count =
        |name: &str| theirs.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count();
    let (lengths, codings) = (count("content-length"), count("transfer-encoding"));
    let expected = match head.framing {
        RequestFraming::None => (0, 0),
        RequestFraming::Length(_) => (1, 0),
        RequestFraming::Chunked => (0, 1),
    };
    assert_eq!((lengths, codings), expected);
    assert!(count("host") == 1 || head.version as u8 == 0);
    assert!(head.target.of(bytes).starts_with(b"/"));
});
