//! Response heads: the outcome does not depend on how the bytes arrive, and httparse, which accepts more, sees
//! the same in whatever is accepted here.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::http1::{HeadLimits, Known, Progress, ResponseFraming, ResponseHead};

const LIMITS: HeadLimits = HeadLimits { head_bytes_max: 2048, headers_max: 32, target_bytes_max: 0 };

fuzz_target!(|input: (bool, &[u8])| {
    let (head_request, bytes) = input;
    let mut head = ResponseHead::default();
    let outcome = head.parse(bytes, head_request, &LIMITS);

    let mut slow = ResponseHead::default();
    let mut pieces = Ok(Progress::Partial);
    for arrived in 0..=bytes.len() {
        pieces = slow.parse(&bytes[..arrived], head_request, &LIMITS);
        if pieces != Ok(Progress::Partial) {
            break;
        }
    }
    assert_eq!(pieces, outcome);
    if outcome != Ok(Progress::Complete) {
        return;
    }
    assert_eq!(format!("{slow:?}"), format!("{head:?}"));

    let mut room = [httparse::EMPTY_HEADER; 32];
    let mut theirs = httparse::Response::new(&mut room);
    assert_eq!(theirs.parse(bytes), Ok(httparse::Status::Complete(head.len)));
    assert_eq!(theirs.code, Some(head.status));
    assert_eq!(theirs.version, Some(head.version as u8));
    assert_eq!(theirs.headers.len(), head.fields.len());
    for (theirs, ours) in theirs.headers.iter().zip(&head.fields) {
        assert_eq!((theirs.name.as_bytes(), theirs.value), (ours.name.of(bytes), ours.value.of(bytes)));
    }

    let bodiless = head_request || head.status < 200 || matches!(head.status, 204 | 304);
    assert_eq!(head.framing == ResponseFraming::None, bodiless);
    let (length, coding) = (head.find(Known::ContentLength), head.find(Known::TransferEncoding));
    assert!(length.is_none() || coding.is_none());
    if head.framing == ResponseFraming::UntilClose {
        assert!(length.is_none() && coding.is_none() && !head.keep_alive);
    }
});
