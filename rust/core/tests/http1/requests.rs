//! Request heads beyond the base vectors.

use crate::connection::{LIMITS, outcome_however_cut};
use llm_edge_core::http1::{
    HeadLimits, Http1Error as E, Known, Progress, RequestFraming, RequestHead, Version,
};

fn error(bytes: &str) -> Option<E> {
    outcome_however_cut(bytes.as_bytes()).error
}

fn head(bytes: &str) -> Result<RequestHead, E> {
    let mut head = RequestHead::default();
    assert_eq!(head.parse(bytes.as_bytes(), &LIMITS)?, Progress::Complete, "{bytes:?}");
    Ok(head)
}

fn with_line(line: &str) -> String {
    format!("{line}\r\nHost: edge\r\n\r\n")
}

fn with_fields(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: edge\r\n{fields}\r\n")
}

fn kinds(bytes: &str) -> Vec<Known> {
    head(bytes).unwrap().fields.iter().map(|field| field.known).collect()
}

#[test]
fn the_usual_request_is_understood() {
    let bytes = "POST /v1/chat/completions?beta=true HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer k\r\n\
                 content-type: application/json\r\nX-Stainless-Lang:python\r\nX-Empty:\r\nX-Tabs: \t a\tb \t\r\n\
                 Content-Length: 2\r\n\r\n{}";
    let head = head(bytes).unwrap();
    let text = |span: llm_edge_core::span::Span| std::str::from_utf8(span.of(bytes.as_bytes())).unwrap();
    assert_eq!(text(head.method), "POST");
    assert_eq!(text(head.target), "/v1/chat/completions?beta=true");
    assert_eq!(text(head.host), "127.0.0.1:8080");
    assert_eq!(head.version, Version::Http11);
    assert_eq!(head.framing, RequestFraming::Length(2));
    assert!(head.keep_alive && !head.expect_continue && !head.upgrade);
    assert_eq!(&bytes[head.len..], "{}");
    let fields: Vec<_> = head.fields.iter().map(|f| (text(f.name), text(f.value), f.known)).collect();
    assert_eq!(
        fields,
        [
            ("Host", "127.0.0.1:8080", Known::Host),
            ("Authorization", "Bearer k", Known::Authorization),
            ("content-type", "application/json", Known::ContentType),
            ("X-Stainless-Lang", "python", Known::Other),
            ("X-Empty", "", Known::Other),
            ("X-Tabs", "a\tb", Known::Other),
            ("Content-Length", "2", Known::ContentLength),
        ]
    );
    assert_eq!(head.find(Known::ContentType).map(|f| text(f.value)), Some("application/json"));
    assert_eq!(head.find(Known::Cookie), None);
}

#[test]
fn obsolete_text_in_values_passes_through() {
    let bytes = b"GET / HTTP/1.1\r\nHost: edge\r\nX-Name: caf\xc3\xa9 \xff\r\n\r\n";
    let outcome = outcome_however_cut(bytes);
    assert_eq!(outcome.requests[0].fields[1].1, b"caf\xc3\xa9 \xff");
}

#[test]
fn a_request_line_is_method_target_version_with_single_spaces() {
    for (line, expected) in [
        ("GET", E::RequestLine),
        ("GET /", E::RequestLine),
        ("GET  HTTP/1.1", E::TargetForm),
        ("GET HTTP/1.1", E::RequestLine),
        (" HTTP/1.1", E::RequestLine),
        (" GET / HTTP/1.1", E::Method),
        ("GET  / HTTP/1.1", E::TargetByte),
        ("GET /  HTTP/1.1", E::TargetByte),
        ("GET / x HTTP/1.1", E::TargetByte),
        ("GET / HTTP/1.1 ", E::RequestLine),
        ("GET\t/ HTTP/1.1", E::RequestLine),
        ("GET /\tHTTP/1.1", E::RequestLine),
        ("G@T / HTTP/1.1", E::Method),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1", E::Method),
        ("GET / http/1.1", E::RequestLine),
        ("GET / HTTP/1.10", E::RequestLine),
        ("GET / HTTP/1,1", E::RequestLine),
        ("GET / HTTP/2", E::RequestLine),
        ("GET / HTTP/1.2", E::Version),
        ("GET / HTTP/0.9", E::Version),
        ("PRI * HTTP/2.0", E::Version),
    ] {
        assert_eq!(error(&with_line(line)), Some(expected), "{line}");
    }
}

#[test]
fn a_target_is_a_path_or_a_uri_of_the_named_host() {
    for (line, expected) in [
        ("OPTIONS * HTTP/1.1", E::TargetForm),
        ("CONNECT edge:443 HTTP/1.1", E::TargetForm),
        ("GET edge/x HTTP/1.1", E::TargetForm),
        ("GET ftp://edge/ HTTP/1.1", E::TargetForm),
        ("GET http://edge HTTP/1.1", E::TargetForm),
        ("GET http://edge?x/ HTTP/1.1", E::TargetForm),
        ("GET http:///x HTTP/1.1", E::TargetForm),
        ("GET http://user@edge/ HTTP/1.1", E::TargetHost),
        ("GET http://edge:80/ HTTP/1.1", E::TargetHost),
        ("GET https://edge.evil/ HTTP/1.1", E::TargetHost),
        ("GET /a#b HTTP/1.1", E::TargetByte),
        ("GET /a\"b HTTP/1.1", E::TargetByte),
        ("GET /<a> HTTP/1.1", E::TargetByte),
        ("GET /a\\b HTTP/1.1", E::TargetByte),
        ("GET /a^b HTTP/1.1", E::TargetByte),
        ("GET /a`b HTTP/1.1", E::TargetByte),
        ("GET /{a} HTTP/1.1", E::TargetByte),
        ("GET /a|b HTTP/1.1", E::TargetByte),
        ("GET /caf\u{e9} HTTP/1.1", E::TargetByte),
    ] {
        assert_eq!(error(&with_line(line)), Some(expected), "{line}");
    }
    for line in ["GET HTTP://EDGE/v1/models?a=b HTTP/1.1", "GET https://edge/v1/models?a=b HTTP/1.1"] {
        let bytes = with_line(line);
        let head = head(&bytes).unwrap();
        assert_eq!(head.target.of(bytes.as_bytes()), b"/v1/models?a=b", "{line}");
    }
    for target in
        ["/", "/v1/models/mock%2Fecho", "/v1beta/models/g-2.5:generateContent", "/a?x[]=1&y='~!$*(),;@"]
    {
        let bytes = with_line(&format!("GET {target} HTTP/1.1"));
        assert_eq!(head(&bytes).unwrap().target.of(bytes.as_bytes()), target.as_bytes());
    }
}

#[test]
fn a_host_is_a_name_or_address_with_an_optional_port() {
    for host in [
        "edge",
        "a.b-c.example",
        "127.0.0.1:8080",
        "[::1]",
        "[::1]:8080",
        "my_svc:1",
        "edge:",
        "EDGE.",
        "x~y",
    ] {
        assert_eq!(error(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), None, "{host}");
    }
    for host in [
        "", ":80", "a b", "a,b", "a/b", "a?b", "a#b", "user@a", "a:b", "a:1:2", "a:123456", "[::1", "[]",
        "[::1]x", "[::1]x:1", "::1", "[a/b::]", "a%20b", "a\\b", "\u{e9}", "a;b", "a\"b", "a:80x", "[1]",
    ] {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(error(&bytes), Some(E::HostValue), "{host}");
    }
}

#[test]
fn http_1_0_may_leave_the_host_out_but_not_repeat_it() {
    assert_eq!(error("GET / HTTP/1.0\r\n\r\n"), None);
    assert_eq!(error("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), Some(E::HostRepeated));
    assert_eq!(error("GET http://a/ HTTP/1.0\r\n\r\n"), Some(E::TargetHost));
}

#[test]
fn an_empty_host_does_not_hide_a_second_one() {
    assert_eq!(error("GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n"), Some(E::HostValue));
    assert_eq!(error("GET / HTTP/1.0\r\nHost:\r\nHost: a\r\n\r\n"), Some(E::HostValue));
}

#[test]
fn a_field_line_is_a_token_a_colon_and_a_clean_value() {
    for (fields, expected) in [
        ("X-A\r\n", E::FieldName),
        (": b\r\n", E::FieldName),
        ("X A: b\r\n", E::FieldName),
        ("X(A): b\r\n", E::FieldName),
        ("X\u{e9}: b\r\n", E::FieldName),
        ("\"X\": b\r\n", E::FieldName),
        ("X-A : b\r\n", E::SpaceBeforeColon),
        ("X-A\t: b\r\n", E::SpaceBeforeColon),
        ("Host : evil\r\n", E::SpaceBeforeColon),
        ("Proxy-A : b\r\n", E::SpaceBeforeColon),
        ("X-Forwarded-For b: c\r\n", E::FieldName),
        ("X-LLM-Edge-(A): b\r\n", E::FieldName),
        ("X-A: b\r\n c\r\n", E::Folded),
        ("X-A: b\r\n\tc: d\r\n", E::Folded),
        ("X-A: b\r\n \r\n", E::Folded),
        ("X-A: b\x7f\r\n", E::ControlByte),
        ("X-A: b\x1b[0m\r\n", E::ControlByte),
        ("X-A: b\nX-C: d\r\n", E::BareLf),
        ("X-A: b\r\r\n", E::BareCr),
        ("\0X-A: b\r\n", E::ControlByte),
        ("\x0bTransfer-Encoding: chunked\r\n", E::ControlByte),
    ] {
        assert_eq!(error(&with_fields(fields)), Some(expected), "{fields:?}");
    }
    assert_eq!(error("GET / HTTP/1.1\r\n Host: edge\r\n\r\n"), Some(E::Folded));
}

#[test]
fn one_empty_line_before_a_request_is_skipped_and_a_second_is_not() {
    let request = with_fields("");
    let bytes = format!("\r\n{request}");
    let head = head(&bytes).unwrap();
    assert_eq!((head.method.of(bytes.as_bytes()), head.len), (&b"GET"[..], bytes.len()));
    assert_eq!(outcome_however_cut(format!("{request}\r\n{request}").as_bytes()).requests.len(), 2);
    assert_eq!(error(&format!("\r\n\r\n{request}")), Some(E::RequestLine));
    assert_eq!(error(&format!("\n{request}")), Some(E::BareLf));
}

#[test]
fn a_connection_persists_as_version_and_options_say() {
    for (version, connection, expected) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: X-A, CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let bytes = format!("GET / HTTP/{version}\r\nHost: edge\r\n{connection}\r\n");
        assert_eq!(head(&bytes).unwrap().keep_alive, expected, "{version} {connection}");
    }
}

#[test]
fn what_connection_names_is_for_this_hop_wherever_it_stands() {
    assert_eq!(
        kinds(&with_fields(
            "X-Before: 1\r\nConnection: x-after,, X-BEFORE ,close\r\nX-After: 2\r\nX-Stays: 3\r\n"
        )),
        [Known::Host, Known::HopByHop, Known::HopByHop, Known::HopByHop, Known::Other]
    );
    assert_eq!(
        kinds(&with_fields("Connection: close\r\nConnection: cookie\r\nCookie: a\r\n")),
        [Known::Host, Known::HopByHop, Known::HopByHop, Known::HopByHop]
    );
}

#[test]
fn connection_cannot_take_the_host_or_the_framing_away() {
    let bytes = with_fields("Connection: host, content-length\r\nContent-Length: 0\r\n");
    assert_eq!(kinds(&bytes), [Known::Host, Known::HopByHop, Known::ContentLength]);
    assert_eq!(head(&bytes).unwrap().framing, RequestFraming::Length(0));
}

#[test]
fn connection_names_a_bounded_number_of_fields() {
    let naming = |count: usize| with_fields(&format!("Connection: {}\r\n", vec!["a"; count].join(",")));
    assert_eq!(error(&naming(16)), None);
    assert_eq!(error(&naming(17)), Some(E::ConnectionOptions));
}

#[test]
fn an_expectation_counts_only_where_a_body_follows() {
    for (bytes, expected) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nExpect: 100-continue\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", false),
        ("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", false),
    ] {
        assert_eq!(head(bytes).unwrap().expect_continue, expected, "{bytes}");
    }
}

#[test]
fn a_head_up_to_the_limits_is_taken_and_one_beyond_is_named() {
    let fields = |count: usize| with_fields(&"X-A: b\r\n".repeat(count));
    assert_eq!(error(&fields(15)), None);
    assert_eq!(error(&fields(16)), Some(E::TooManyFields));

    let target = |len: usize| with_line(&format!("GET /{} HTTP/1.1", "a".repeat(len - 1)));
    assert_eq!(error(&target(256)), None);
    assert_eq!(error(&target(257)), Some(E::TargetTooLong));
    assert_eq!(error(&format!("GET /{}", "a".repeat(400))), Some(E::TargetTooLong));

    let sized = |len: usize| {
        let empty = with_fields("X-A: \r\n").len();
        with_fields(&format!("X-A: {}\r\n", "b".repeat(len - empty)))
    };
    assert_eq!(error(&sized(4096)), None);
    assert_eq!(error(&sized(4097)), Some(E::HeadTooLarge));
    assert_eq!(error(&sized(9000)), Some(E::HeadTooLarge));
}

#[test]
fn a_head_too_large_is_refused_without_its_end() {
    let limits = HeadLimits { head_bytes_max: 64, ..LIMITS };
    let bytes = with_fields(&format!("X-A: {}", "b".repeat(100)));
    let mut head = RequestHead::default();
    assert_eq!(head.parse(&bytes.as_bytes()[..63], &limits), Ok(Progress::Partial));
    assert_eq!(head.parse(&bytes.as_bytes()[..64], &limits), Err(E::HeadTooLarge));
}

#[test]
fn a_head_that_was_reset_knows_nothing_of_the_message_before() {
    let mut used = RequestHead::default();
    let first = with_fields("Connection: close\r\nUpgrade: x\r\nCookie: a\r\nContent-Length: 3\r\n");
    used.parse(first.as_bytes(), &LIMITS).unwrap();
    let room = used.fields.capacity();
    used.reset();
    assert!(used.fields.is_empty() && used.fields.capacity() == room);
    let second = with_fields("X-A: b\r\n");
    used.parse(second.as_bytes(), &LIMITS).unwrap();
    assert_eq!(format!("{used:?}"), format!("{:?}", head(&second).unwrap()));
}

#[test]
fn asking_a_complete_head_again_changes_nothing() {
    let bytes = with_fields("X-A: b\r\n");
    let mut asked = head(&bytes).unwrap();
    let before = format!("{asked:?}");
    assert_eq!(asked.parse(format!("{bytes}{bytes}").as_bytes(), &LIMITS), Ok(Progress::Complete));
    assert_eq!(format!("{asked:?}"), before);
}
