//! Bytes of a connection: which requests come out does not depend on how they were cut, and each of them,
//! written out plainly as the gateway sends it on, is again exactly one request, for httparse as well.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::http1::{Http1Error, write};

#[path = "../../core/tests/http1/connection.rs"]
#[allow(dead_code, reason = "shared with the codec's own tests")]
mod connection;

use connection::outcome;

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    let whole = outcome([bytes]);
    assert_eq!(outcome(bytes.chunks(1)), whole);
    let (front, back) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    assert_eq!(outcome([front, back]), whole);

    let mut plain = Vec::new();
    for request in &whole.requests {
        plain.extend_from_slice(&request.method);
        plain.push(b' ');
        plain.extend_from_slice(&request.target);
        plain.extend_from_slice(b" HTTP/1.1\r\n");
        write::field(&mut plain, b"host", b"upstream");
        write::field(&mut plain, b"content-length", request.body.len().to_string().as_bytes());
        plain.extend_from_slice(b"\r\n");
        plain.extend_from_slice(&request.body);
    }
    let again = outcome([plain.as_slice()]);
    if again.error == Some(Http1Error::TargetTooLong) || again.error == Some(Http1Error::HeadTooLarge) {
        return;
    }
    assert_eq!((again.error, again.pending, again.requests.len()), (None, false, whole.requests.len()));
    let mut rest = plain.as_slice();
    for (sent, got) in whole.requests.iter().zip(&again.requests) {
        assert_eq!((&sent.method, &sent.target, &sent.body), (&got.method, &got.target, &got.body));
        let mut room = [httparse::EMPTY_HEADER; 8];
        let mut theirs = httparse::Request::new(&mut room);
        let Ok(httparse::Status::Complete(length)) = theirs.parse(rest) else {
            panic!("httparse refuses it")
        };
        assert_eq!(theirs.headers.len(), 2);
        rest = &rest[length + sent.body.len()..];
    }
    assert!(rest.is_empty());
});
