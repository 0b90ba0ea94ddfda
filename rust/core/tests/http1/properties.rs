//! Random heads and bodies: the outcome does not depend on the cuts, and where we accept, an independent
//! parser accepts and sees the same.

use crate::bodies::decoded;
use crate::connection::{LIMITS, outcome};
use llm_edge_core::http1::{Progress, RequestHead, ResponseHead, write};
use proptest::prelude::*;

/// Pieces that heads are made of, whole ones and broken ones.
const PIECES: [&str; 47] = [
    "GET / HTTP/1.1\r\n",
    "POST /v1/x?a=b HTTP/1.1\r\n",
    "GET http://edge/ HTTP/1.1\r\n",
    "GET / HTTP/1.0\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 204 \r\n",
    "HTTP/1.0 500 x\r\n",
    "Host: edge\r\n",
    "Host: [::1]:80\r\n",
    "Content-Length: 3\r\n",
    "content-length:0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: x-a, keep-alive\r\n",
    "Upgrade: h2c\r\n",
    "Expect: 100-continue\r\n",
    "X-A: b\r\n",
    "X_A: \tb\t \r\n",
    "Cookie:\r\n",
    "\r\n",
    "\r",
    "\n",
    " ",
    "\t",
    ":",
    "a",
    "abc",
    "\0",
    "\x7f",
    "\u{e9}",
    "3\r\n",
    "abc\r\n",
    "0\r\n\r\n",
    "3;x=y\r\nabc\r\n",
    "ff",
    "GET",
    "/",
    "HTTP/1.1",
    ",",
    "Host",
    "chunked",
    "-",
    "_",
    "1",
    "Proxy-A",
    "X-Forwarded-",
    "X-LLM-Edge-a: b\r\n",
];

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    let start = prop::sample::select(&PIECES[..7]).prop_map(|piece| piece.as_bytes().to_vec());
    (start, prop::collection::vec(piece, 0..16)).prop_map(|(start, rest)| [start, rest.concat()].concat())
}

/// Heads that are mostly fine, so that acceptance is common.
fn plausible_fields() -> impl Strategy<Value = String> {
    let field = (
        "(Proxy-|x-forwarded-|X-LLM-Edge-)?[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,24}",
        "[ \t]{0,2}",
        "[ -~\t\u{a0}-\u{ff}]{0,40}",
    )
        .prop_map(|(name, space, value)| format!("{name}:{space}{value}\r\n"));
    prop::collection::vec(field, 0..10).prop_map(|fields| fields.concat())
}

fn cut_at(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<usize> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    cuts
}

fn agrees_with_httparse(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let mut head = RequestHead::default();
    let Ok(Progress::Complete) = head.parse(bytes, &LIMITS) else { return Ok(false) };
    let mut room = [httparse::EMPTY_HEADER; 64];
    let mut theirs = httparse::Request::new(&mut room);
    let status = theirs.parse(bytes);
    prop_assert_eq!(status, Ok(httparse::Status::Complete(head.len)), "{}", bytes.escape_ascii());
    prop_assert_eq!(theirs.method.unwrap().as_bytes(), head.method.of(bytes));
    prop_assert!(theirs.path.unwrap().as_bytes().ends_with(head.target.of(bytes)));
    prop_assert_eq!(theirs.version, Some(head.version as u8));
    same_fields(theirs.headers, &head.fields, bytes)?;
    Ok(true)
}

fn same_fields(
    theirs: &[httparse::Header<'_>],
    ours: &[llm_edge_core::http1::Field],
    bytes: &[u8],
) -> Result<(), TestCaseError> {
    let theirs: Vec<_> = theirs.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
    let ours: Vec<_> = ours.iter().map(|field| (field.name.of(bytes), field.value.of(bytes))).collect();
    prop_assert_eq!(theirs, ours, "{}", bytes.escape_ascii());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_do_not_depend_on_the_cuts(bytes in bytes(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let whole = outcome([&bytes[..]]);
        let mut from = 0;
        let pieces: Vec<&[u8]> = cut_at(&bytes, &cuts).into_iter().map(|to| {
            let piece = &bytes[from..to];
            from = to;
            piece
        }).collect();
        prop_assert_eq!(outcome(pieces), whole.clone());
        prop_assert_eq!(outcome(bytes.chunks(1)), whole);
    }

    #[test]
    fn responses_do_not_depend_on_the_cuts(bytes in bytes(), head_request: bool) {
        let mut whole = ResponseHead::default();
        let expected = whole.parse(&bytes, head_request, &LIMITS);
        let mut pieces = ResponseHead::default();
        let mut got = Ok(Progress::Partial);
        for cut in 0..=bytes.len() {
            got = pieces.parse(&bytes[..cut], head_request, &LIMITS);
            if got != Ok(Progress::Partial) {
                break;
            }
        }
        prop_assert_eq!(got, expected);
        if expected.is_ok() {
            prop_assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
        }
    }

    #[test]
    fn chunked_bodies_do_not_depend_on_the_cuts(
        bytes in prop::collection::vec(prop::sample::select(&b"0013af;:\r\n\r\n\r\nxY \t\0"[..]), 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        prop_assert_eq!(decoded(&bytes, cut_at(&bytes, &cuts)), decoded(&bytes, [bytes.len()]));
    }

    #[test]
    fn what_is_written_in_chunks_is_read_back(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            write::chunk_size(&mut bytes, chunk.len());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let cuts = cut_at(&bytes, &cuts);
        prop_assert_eq!(decoded(&bytes, cuts), Ok(Some((chunks.concat(), bytes.len()))));
    }

    #[test]
    fn an_accepted_head_reads_the_same_elsewhere(bytes in bytes()) {
        agrees_with_httparse(&bytes)?;
    }

    #[test]
    fn an_accepted_plausible_head_reads_the_same_elsewhere(
        target in "/[!-~]{0,20}",
        fields in plausible_fields(),
    ) {
        agrees_with_httparse(format!("POST {target} HTTP/1.1\r\nHost: edge\r\n{fields}\r\n").as_bytes())?;
    }

    #[test]
    fn an_accepted_response_reads_the_same_elsewhere(
        status in 100_u16..600,
        reason in "( [ -~]{0,20})?",
        fields in plausible_fields(),
    ) {
        let text = format!("HTTP/1.1 {status}{reason}\r\n{fields}\r\n");
        let bytes = text.as_bytes();
        let mut head = ResponseHead::default();
        if head.parse(bytes, false, &LIMITS) == Ok(Progress::Complete) {
            let mut room = [httparse::EMPTY_HEADER; 64];
            let mut theirs = httparse::Response::new(&mut room);
            prop_assert_eq!(theirs.parse(bytes), Ok(httparse::Status::Complete(head.len)));
            prop_assert_eq!(theirs.code, Some(head.status));
            same_fields(theirs.headers, &head.fields, bytes)?;
        }
    }
}

/// The properties above would hold for a parser that refuses everything.
#[test]
fn plausible_heads_are_accepted_and_agreed_on() {
    for bytes in [
        &b"POST /v1/chat/completions HTTP/1.1\r\nHost: edge\r\nX-A: b\r\n\r\n"[..],
        b"GET http://edge/a HTTP/1.1\r\nHost: edge\r\n\r\n",
        b"\r\nGET / HTTP/1.0\r\n\r\n",
        b"DELETE /a?b=[c] HTTP/1.1\r\nHost: [::1]\r\na!#$%&'*+-.^_`|~1: \t x \t\r\n\r\n",
    ] {
        assert!(agrees_with_httparse(bytes).unwrap(), "{}", bytes.escape_ascii());
    }
}
