//! The 36 base vectors: requests on whose end or recipient servers have been seen to disagree. Each must have
//! the stated outcome however its bytes are cut. What follows a refused request (`SECOND`) is never read.

use crate::connection::{Outcome, outcome_however_cut};
use llm_edge_core::http1::{Http1Error as E, RequestFraming};
use llm_edge_core::rejection::Code;

/// Would be taken as a request of its own by whoever ended the first one too early.
const SECOND: &str = "GET /admin HTTP/1.1\r\nHost: edge\r\n\r\n";

fn post(fields: &str, body: &str) -> String {
    format!("POST /v1/x HTTP/1.1\r\nHost: edge\r\n{fields}\r\n{body}{SECOND}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

fn get(rest: &str) -> String {
    format!("GET / HTTP/1.1\r\n{rest}{SECOND}")
}

fn refused() -> Vec<(&'static str, String, E)> {
    let hello = "5\r\nhello\r\n0\r\n\r\n";
    vec![
        (
            "length then coding",
            post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", hello),
            E::LengthAndCoding,
        ),
        (
            "coding then length",
            post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", hello),
            E::LengthAndCoding,
        ),
        ("equal lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), E::LengthRepeated),
        ("different lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), E::LengthRepeated),
        ("list of lengths", post("Content-Length: 3, 3\r\n", "abc"), E::LengthValue),
        ("length with plus", post("Content-Length: +3\r\n", "abc"), E::LengthValue),
        ("negative length", post("Content-Length: -1\r\n", "abc"), E::LengthValue),
        ("hexadecimal length", post("Content-Length: 0x3\r\n", "abc"), E::LengthValue),
        ("length of 2^64 + 3", post("Content-Length: 18446744073709551619\r\n", "abc"), E::LengthValue),
        ("unknown coding", post("Transfer-Encoding: xchunked\r\n", hello), E::CodingValue),
        ("chunked not last", post("Transfer-Encoding: chunked, identity\r\n", hello), E::CodingValue),
        ("identity first", post("Transfer-Encoding: identity, chunked\r\n", hello), E::CodingValue),
        (
            "coding twice",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", hello),
            E::CodingRepeated,
        ),
        ("space before colon", post("Transfer-Encoding : chunked\r\n", hello), E::SpaceBeforeColon),
        ("vertical tab before value", post("Transfer-Encoding: \x0bchunked\r\n", hello), E::ControlByte),
        ("folded coding", post("Transfer-Encoding:\r\n chunked\r\n", hello), E::CodingValue),
        ("bare line feeds", "GET / HTTP/1.1\nHost: edge\n\n".to_owned(), E::BareLf),
        ("bare carriage return", get("Host: edge\r\nX-A: b\rX-C: d\r\n\r\n"), E::BareCr),
        ("NUL", get("Host: edge\r\nX-A: b\0c\r\n\r\n"), E::ControlByte),
        ("chunk size ended by line feed", chunked("3\nabc\r\n0\r\n\r\n"), E::ChunkSize),
        ("last chunk ended by line feed", chunked("3\r\nabc\r\n0\n\r\n"), E::ChunkSize),
        ("chunk size with 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n"), E::ChunkSize),
        ("chunk size of 17 digits", chunked("00000000000000003\r\nabc\r\n0\r\n\r\n"), E::ChunkSize),
        ("space after chunk size", chunked("3 \r\nabc\r\n0\r\n\r\n"), E::ChunkSize),
        ("line feed in extension", chunked("3;a\nb\r\nabc\r\n0\r\n\r\n"), E::ChunkExtension),
        ("wrong chunk terminator", chunked("3\r\nabcXY0\r\n\r\n"), E::ChunkEnd),
        (
            "coding in HTTP/1.0",
            format!("POST / HTTP/1.0\r\nHost: edge\r\nTransfer-Encoding: chunked\r\n\r\n{hello}"),
            E::CodingInHttp10,
        ),
        ("no host", get("\r\n"), E::HostMissing),
        ("two hosts", get("Host: edge\r\nHost: edge\r\n\r\n"), E::HostRepeated),
        ("path in host", get("Host: x/admin?\r\n\r\n"), E::HostValue),
        (
            "absolute URI with other host",
            format!("GET http://evil/ HTTP/1.1\r\nHost: edge\r\n\r\n{SECOND}"),
            E::TargetHost,
        ),
        (
            "WebSocket and a request behind it",
            post("Content-Length: 3\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", "abc"),
            E::WebSocket,
        ),
        ("other expectation", post("Content-Length: 3\r\nExpect: 200-ok\r\n", "abc"), E::Expectation),
    ]
}

#[test]
fn vectors_with_two_meanings_are_refused_and_nothing_behind_them_is_read() {
    let vectors = refused();
    assert_eq!(vectors.len(), 33, "with the three accepted ones below: 36");
    for (what, bytes, error) in vectors {
        let expected = Outcome { error: Some(error), ..Outcome::default() };
        assert_eq!(outcome_however_cut(bytes.as_bytes()), expected, "{what}");
    }
}

#[test]
fn refusals_are_a_400_but_for_the_expectation() {
    for (what, _, error) in refused() {
        let expected = if error == E::Expectation { Code::ExpectationFailed } else { Code::BadHttp };
        assert_eq!(error.code(), expected, "{what}");
    }
}

#[test]
fn an_upgrade_is_ignored_and_what_follows_is_not_taken_for_a_request() {
    for upgrade in ["h2c", "TLS/1.2, HTTP/2.0"] {
        let bytes = get(&format!(
            "Host: edge\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        ));
        let outcome = outcome_however_cut(bytes.as_bytes());
        assert_eq!(outcome.error, None);
        assert_eq!(outcome.requests.len(), 1);
        assert!(outcome.requests[0].upgrade && outcome.closed);
    }
}

#[test]
fn a_get_with_a_body_ends_where_its_length_says() {
    let outcome = outcome_however_cut(get("Host: edge\r\nContent-Length: 3\r\n\r\nabc").as_bytes());
    assert_eq!((outcome.error, outcome.requests.len(), outcome.pending), (None, 2, false));
    assert_eq!(outcome.requests[0].framing, RequestFraming::Length(3));
    assert_eq!(outcome.requests[0].body, b"abc");
    assert_eq!(outcome.requests[1].target, b"/admin");
}

#[test]
fn a_name_with_an_underscore_is_no_framing_field() {
    let outcome = outcome_however_cut(post("Content_Length: 10\r\nContent-Length: 3\r\n", "abc").as_bytes());
    assert_eq!((outcome.error, outcome.requests.len()), (None, 2));
    assert_eq!(outcome.requests[0].body, b"abc");
}
