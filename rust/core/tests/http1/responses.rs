//! Response heads.

use crate::connection::LIMITS;
use llm_edge_core::http1::{Http1Error as E, Known, Progress, ResponseFraming as F, ResponseHead, Version};

/// What becomes of `bytes`, after making sure that it is the same however they are cut.
fn parsed(bytes: &str, head_request: bool) -> Result<ResponseHead, E> {
    let bytes = bytes.as_bytes();
    let feed = |cuts: &mut dyn Iterator<Item = usize>| {
        let mut head = ResponseHead::default();
        for cut in cuts {
            match head.parse(&bytes[..cut], head_request, &LIMITS) {
                Ok(Progress::Partial) => {}
                Ok(Progress::Complete) => return Ok(Some(head)),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    };
    let whole = feed(&mut std::iter::once(bytes.len()));
    assert_eq!(format!("{:?}", feed(&mut (0..=bytes.len()))), format!("{whole:?}"));
    for cut in 0..=bytes.len() {
        assert_eq!(
            format!("{:?}", feed(&mut [cut, bytes.len()].into_iter())),
            format!("{whole:?}"),
            "cut at {cut}"
        );
    }
    whole.map(|head| head.expect("complete"))
}

fn with_fields(fields: &str) -> Result<ResponseHead, E> {
    parsed(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), false)
}

#[test]
fn the_usual_response_is_understood() {
    let bytes = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nSet-Cookie: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let head = parsed(bytes, false).unwrap();
    assert_eq!((head.status, head.version, head.framing), (200, Version::Http11, F::Chunked));
    assert_eq!(head.reason.of(bytes.as_bytes()), b"OK");
    assert_eq!(head.len, bytes.len());
    assert!(head.keep_alive);
    let kinds: Vec<_> = head.fields.iter().map(|field| field.known).collect();
    assert_eq!(kinds, [Known::ContentType, Known::SetCookie, Known::TransferEncoding]);
}

#[test]
fn a_status_line_is_version_status_reason() {
    for (line, status, reason) in [
        ("HTTP/1.1 200 OK", 200, "OK"),
        ("HTTP/1.1 200 ", 200, ""),
        ("HTTP/1.1 200", 200, ""),
        ("HTTP/1.0 599 Not  a\tname \u{e9}", 599, "Not  a\tname \u{e9}"),
        ("HTTP/1.1 103 Early Hints", 103, "Early Hints"),
    ] {
        let bytes = format!("{line}\r\n\r\n");
        let head = parsed(&bytes, false).unwrap();
        assert_eq!((head.status, head.reason.of(bytes.as_bytes())), (status, reason.as_bytes()), "{line}");
    }
    for (line, expected) in [
        ("HTTP/1.1", E::StatusLine),
        ("HTTP/1.1 ", E::StatusLine),
        ("HTTP/1.1 20", E::StatusLine),
        ("HTTP/1.1 099 x", E::StatusLine),
        ("HTTP/1.1 600 x", E::StatusLine),
        ("HTTP/1.1 2000 x", E::StatusLine),
        ("HTTP/1.1 2a0 x", E::StatusLine),
        ("HTTP/1.1  200 x", E::StatusLine),
        ("HTTP/1.1 200OK", E::StatusLine),
        ("HTTP/1.1\t200 OK", E::StatusLine),
        ("ICY 200 OK", E::StatusLine),
        ("", E::StatusLine),
        ("HTTP/2.0 200 OK", E::Version),
        ("HTTP/1.1 101 Switching Protocols", E::Switched),
        ("HTTP/1.1 200 a\x01b", E::ControlByte),
    ] {
        assert_eq!(parsed(&format!("{line}\r\n\r\n"), false).unwrap_err(), expected, "{line}");
    }
}

#[test]
fn a_body_is_framed_by_status_coding_and_length_in_that_order() {
    for (status, fields, head_request, framing, keep_alive) in [
        (200, "Content-Length: 5\r\n", false, F::Length(5), true),
        (200, "Content-Length: 0\r\n", false, F::Length(0), true),
        (200, "Transfer-Encoding: CHUNKED\r\n", false, F::Chunked, true),
        (200, "", false, F::UntilClose, false),
        (200, "Connection: keep-alive\r\n", false, F::UntilClose, false),
        (200, "Content-Length: 5\r\nConnection: close\r\n", false, F::Length(5), false),
        (200, "Content-Length: 5\r\n", true, F::None, true),
        (200, "Transfer-Encoding: chunked\r\n", true, F::None, true),
        (200, "", true, F::None, true),
        (304, "Content-Length: 5\r\n", false, F::None, true),
        (204, "", false, F::None, true),
        (204, "Content-Length: 0\r\n", false, F::None, true),
        (100, "", false, F::None, true),
        (103, "Link: <a>\r\n", false, F::None, true),
    ] {
        let head = parsed(&format!("HTTP/1.1 {status} x\r\n{fields}\r\n"), head_request).unwrap();
        assert_eq!(
            (head.framing, head.keep_alive),
            (framing, keep_alive),
            "{status} {fields} {head_request}"
        );
    }
}

#[test]
fn a_204_that_announces_a_body_is_the_last_on_its_connection() {
    for fields in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let head = parsed(&format!("HTTP/1.1 204 x\r\n{fields}\r\n"), false).unwrap();
        assert_eq!((head.framing, head.keep_alive), (F::None, false), "{fields}");
    }
}

#[test]
fn an_interim_response_has_no_body() {
    for fields in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        assert_eq!(parsed(&format!("HTTP/1.1 103 x\r\n{fields}\r\n"), false).unwrap_err(), E::InterimBody);
    }
}

#[test]
fn http_1_0_closes_unless_it_says_otherwise() {
    let with = |fields: &str| {
        parsed(&format!("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n{fields}\r\n"), false).unwrap()
    };
    assert!(!with("").keep_alive);
    assert!(with("Connection: Keep-Alive\r\n").keep_alive);
    assert_eq!(
        parsed("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false).unwrap_err(),
        E::CodingInHttp10
    );
}

#[test]
fn a_response_with_two_ends_is_refused() {
    for (fields, expected) in [
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", E::LengthAndCoding),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", E::LengthAndCoding),
        ("Content-Length: 3\r\nContent-Length: 3\r\n", E::LengthRepeated),
        ("Content-Length: 3\r\nContent-Length: 4\r\n", E::LengthRepeated),
        ("Content-Length: 3, 3\r\n", E::LengthValue),
        ("Content-Length: \r\n", E::LengthValue),
        ("Transfer-Encoding: gzip, chunked\r\n", E::CodingValue),
        ("Transfer-Encoding: identity\r\n", E::CodingValue),
        ("Transfer-Encoding:\r\n", E::CodingValue),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", E::CodingRepeated),
        ("Content-Length : 3\r\n", E::SpaceBeforeColon),
        ("X-A: b\r\n c\r\n", E::Folded),
        ("X-A: b\nX-C: d\r\n", E::BareLf),
    ] {
        assert_eq!(with_fields(fields).unwrap_err(), expected, "{fields:?}");
    }
}

#[test]
fn interim_and_final_heads_follow_one_another() {
    let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (mut head, mut rest, mut statuses) = (ResponseHead::default(), &bytes[..], Vec::new());
    while !rest.is_empty() {
        assert_eq!(head.parse(rest, false, &LIMITS), Ok(Progress::Complete));
        statuses.push((head.status, head.fields.len()));
        rest = &rest[head.len..];
        head.reset();
    }
    assert_eq!(statuses, [(100, 0), (103, 1), (200, 1)]);
}

#[test]
fn a_response_head_without_end_is_refused_at_the_limit() {
    let endless = format!("HTTP/1.1 200 OK\r\nX-A: {}", "b".repeat(5000));
    assert_eq!(parsed(&endless, false).unwrap_err(), E::HeadTooLarge);
    let endless = format!("HTTP/1.1 200 {}", "b".repeat(5000));
    assert_eq!(parsed(&endless, false).unwrap_err(), E::HeadTooLarge);
}
