//! Chunked bodies: the outcome does not depend on the cuts, every step goes forward, and a plain decoder that
//! needs the whole body in one piece agrees on each accepted one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::http1::{Chunked, Http1Error, Step};

type Decoded = Result<Option<(Vec<u8>, usize)>, Http1Error>;

fn decode(bytes: &[u8], size: usize) -> Decoded {
    let (mut decoder, mut at, mut body, mut arrived) = (Chunked::new(), 0, Vec::new(), 0);
    loop {
        let buf = &bytes[..arrived];
        if arrived == bytes.len()
            && let Some((payload, next)) = decoder.whole(buf, at)
        {
            body.extend_from_slice(&buf[payload]);
            at = next;
            continue;
        }
        let next = match decoder.step(buf, at)? {
            Step::NeedMore if arrived == bytes.len() => return Ok(None),
            Step::NeedMore => {
                assert_eq!(at, arrived);
                arrived = (arrived + size).min(bytes.len());
                continue;
            }
            Step::Data { start, end } => {
                assert_eq!(start, at);
                body.extend_from_slice(&buf[start..end]);
                end
            }
            Step::Size { next, .. } | Step::ChunkEnd { next, .. } | Step::Trailer { next } => next,
            Step::End { next } => return Ok(Some((body, next))),
        };
        assert!(next > at && next <= buf.len());
        at = next;
    }
}

/// Splits at the first CRLF.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

/// RFC 9112 §7.1.3, as plainly as it can be written.
fn plainly(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut rest, mut body) = (bytes, Vec::new());
    loop {
        let (size, behind) = line(rest)?;
        let digits = size.split(|byte| *byte == b';').next()?;
        let size = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        if size == 0 {
            rest = behind;
            break;
        }
        body.extend_from_slice(behind.get(..size)?);
        rest = behind.get(size..)?.strip_prefix(b"\r\n")?;
    }
    loop {
        let (field, behind) = line(rest)?;
        rest = behind;
        if field.is_empty() {
            return Some((body, bytes.len() - rest.len()));
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let whole = decode(bytes, bytes.len().max(1));
    assert_eq!(decode(bytes, 1), whole);
    assert_eq!(decode(bytes, 3), whole);
    if let Ok(Some(decoded)) = whole {
        assert_eq!(plainly(bytes), Some(decoded));
    }
});
