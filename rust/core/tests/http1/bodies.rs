//! Chunked bodies.

use llm_edge_core::http1::chunked::EXTRA_BYTES_MAX;
use llm_edge_core::http1::{Chunked, Http1Error as E, Step};

/// What a decoder makes of `bytes` offered up to each of `cuts`: payload and length of the message, if complete.
pub(crate) fn decoded(
    bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Result<Option<(Vec<u8>, usize)>, E> {
    let (mut decoder, mut at, mut body) = (Chunked::new(), 0, Vec::new());
    for cut in cuts {
        let buf = &bytes[..cut];
        loop {
            if let Some((payload, next)) = decoder.whole(buf, at) {
                let mut steps = decoder.clone();
                let size = Step::Size { next: payload.start, complete: true };
                assert_eq!(steps.step(buf, at), Ok(size));
                let data = Step::Data { start: payload.start, end: payload.end };
                assert_eq!(steps.step(buf, payload.start), Ok(data));
                assert_eq!(steps.step(buf, payload.end), Ok(Step::ChunkEnd { next, complete: true }));
                assert!(steps.at_boundary());
            }
            let step = decoder.step(buf, at)?;
            let next = match step {
                Step::NeedMore => {
                    assert_eq!(at, buf.len(), "bytes are left over");
                    break;
                }
                Step::Data { start, end } => {
                    assert_eq!(start, at);
                    body.extend_from_slice(&buf[start..end]);
                    end
                }
                Step::Size { next, .. } | Step::ChunkEnd { next, .. } | Step::Trailer { next } => next,
                Step::End { next } => {
                    assert_eq!(decoder.step(buf, next), Ok(Step::End { next }), "the end stays the end");
                    return Ok(Some((body, next)));
                }
            };
            assert!(next > at && next <= buf.len(), "{step:?} at {at} of {}", buf.len());
            at = next;
        }
    }
    Ok(None)
}

/// The same whole, byte by byte and cut in two anywhere.
fn decoded_however_cut(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, E> {
    let whole = decoded(bytes, [bytes.len()]);
    assert_eq!(decoded(bytes, 0..=bytes.len()), whole, "byte by byte: {}", bytes.escape_ascii());
    for cut in 0..=bytes.len() {
        assert_eq!(decoded(bytes, [cut, bytes.len()]), whole, "cut at {cut}: {}", bytes.escape_ascii());
    }
    whole
}

#[test]
fn a_chunk_that_lies_whole_is_seen_at_once() {
    let mut decoder = Chunked::new();
    assert_eq!(decoder.whole(b"..5\r\nhello\r\n0\r\n\r\n", 2), Some((5..10, 12)));
    for other in [
        &b"5\r\nhello\r"[..],
        b"5\r\nhello",
        b"5\r",
        b"",
        b"5\r\nhello!!",
        b"5;x\r\nhello\r\n",
        b"0\r\n\r\n",
        b"fffffff\r\nhello\r\n",
    ] {
        assert_eq!(decoder.whole(other, 0), None, "{}", other.escape_ascii());
    }
    assert_eq!(decoder.whole(b"5\r\nhello\r\n", 11), None);
    // Inside a chunk what looks like one is payload.
    assert!(decoder.step(b"9\r\n", 0).is_ok());
    assert_eq!(decoder.whole(b"9\r\n5\r\nhello\r\n", 3), None);
}

#[test]
fn payload_comes_out_and_the_rest_stays() {
    for (bytes, body) in [
        (&b"0\r\n\r\n"[..], &b""[..]),
        (b"000\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"1\r\na\r\n02\r\n\r\n\r\n0000000000000003\r\nd\r\n\r\n0\r\n\r\n", b"a\r\nd\r\n"),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
        (b"3;a=b;c=\"d e\"\tf\r\nabc\r\n0;z\r\n\r\n", b"abc"),
        (b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Empty:\r\n\r\n", b"abc"),
    ] {
        let followed = [bytes, b"GET / HTTP/1.1"].concat();
        let expected = Ok(Some((body.to_vec(), bytes.len())));
        assert_eq!(decoded_however_cut(bytes), expected, "{}", bytes.escape_ascii());
        assert_eq!(decoded_however_cut(&followed), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_is_not_a_chunked_body_is_refused() {
    for (bytes, expected) in [
        (&b"\r\n"[..], E::ChunkSize),
        (b";a\r\n", E::ChunkSize),
        (b" 3\r\nabc\r\n", E::ChunkSize),
        (b"3 \r\nabc\r\n", E::ChunkSize),
        (b"3\t\r\nabc\r\n", E::ChunkSize),
        (b"3 ;a\r\nabc\r\n", E::ChunkSize),
        (b"+3\r\nabc\r\n", E::ChunkSize),
        (b"-3\r\nabc\r\n", E::ChunkSize),
        (b"0x3\r\nabc\r\n", E::ChunkSize),
        (b"3_\r\nabc\r\n", E::ChunkSize),
        (b"g\r\n", E::ChunkSize),
        (b"3\nabc\r\n", E::ChunkSize),
        (b"3\rabc\r\n", E::ChunkSize),
        (b"00000000000000003\r\nabc\r\n", E::ChunkSize),
        (b"8000000000000001\r\n", E::ChunkTooLarge),
        (b"ffffffffffffffff\r\n", E::ChunkTooLarge),
        (b"3;a\nabc\r\n", E::ChunkExtension),
        (b"3;a\0\r\nabc\r\n", E::ChunkExtension),
        (b"3;a\rb\r\nabc\r\n", E::ChunkSize),
        (b"3\r\nabcd\r\n", E::ChunkEnd),
        (b"3\r\nabc\n0\r\n\r\n", E::ChunkEnd),
        (b"3\r\nabc\r0\r\n\r\n", E::ChunkEnd),
        (b"0\n\n", E::ChunkSize),
        (b"0\r\n\n", E::Trailer),
        (b"0\r\n\rX", E::Trailer),
        (b"0\r\n: a\r\n\r\n", E::Trailer),
        (b"0\r\n X: a\r\n\r\n", E::Trailer),
        (b"0\r\nX : a\r\n\r\n", E::Trailer),
        (b"0\r\nX\r\n\r\n", E::Trailer),
        (b"0\r\nX: a\n\r\n", E::Trailer),
        (b"0\r\nX: a\0\r\n\r\n", E::Trailer),
        (b"0\r\nX: a\r\n b\r\n\r\n", E::Trailer),
        (b"0\r\nX: a\rY: b\r\n\r\n", E::Trailer),
        (b"0\r\nGET / HTTP/1.1\r\n\r\n", E::Trailer),
    ] {
        assert_eq!(decoded_however_cut(bytes), Err(expected), "{}", bytes.escape_ascii());
    }
}

#[test]
fn the_largest_chunk_is_announced_without_being_there() {
    let bytes = b"8000000000000000\r\nabc";
    assert_eq!(decoded_however_cut(bytes), Ok(None));
}

#[test]
fn extensions_and_trailers_share_one_bound() {
    let max = EXTRA_BYTES_MAX as usize;
    let extension = |len: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(len));
    let bytes = extension(max);
    assert_eq!(decoded(bytes.as_bytes(), [bytes.len()]), Ok(Some((b"a".to_vec(), bytes.len()))));
    let bytes = extension(max + 1);
    assert_eq!(decoded(bytes.as_bytes(), [bytes.len()]), Err(E::ExtraTooLarge));

    let many = "1;e\r\na\r\n".repeat(max + 1);
    assert_eq!(decoded(many.as_bytes(), [many.len()]), Err(E::ExtraTooLarge), "bounded over all chunks");

    let both = format!("1;{}\r\na\r\n0\r\nX:{}\r\n\r\n", "e".repeat(max / 2), "t".repeat(max / 2));
    assert_eq!(decoded(both.as_bytes(), [both.len()]), Err(E::ExtraTooLarge));
}

#[test]
fn a_boundary_is_before_a_size_line_and_nowhere_else() {
    let bytes = b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n";
    let (mut decoder, mut boundaries) = (Chunked::new(), Vec::new());
    for at in 0..bytes.len() {
        if decoder.at_boundary() {
            boundaries.push(at);
        }
        decoder.step(&bytes[..=at], at).unwrap();
    }
    assert_eq!(boundaries, [0, 7, 14]);
    assert!(!decoder.at_boundary());
}

#[test]
fn a_whole_line_or_chunk_end_is_one_step() {
    let bytes = b"2\r\nab\r\n0\r\n\r\n";
    let mut decoder = Chunked::new();
    assert_eq!(decoder.step(bytes, 0), Ok(Step::Size { next: 3, complete: true }));
    assert_eq!(decoder.step(bytes, 3), Ok(Step::Data { start: 3, end: 5 }));
    assert_eq!(decoder.step(bytes, 5), Ok(Step::ChunkEnd { next: 7, complete: true }));
    assert_eq!(decoder.step(bytes, 7), Ok(Step::End { next: 12 }));
    let mut decoder = Chunked::new();
    assert_eq!(decoder.step(b"2\r", 0), Ok(Step::Size { next: 2, complete: false }));
    assert_eq!(decoder.step(b"2\r", 2), Ok(Step::NeedMore));
}
