//! The few pieces of HTTP/1.1 we write, appended to a vector that has room.

use super::Field;

/// Appends `n` in decimal.
pub fn decimal(out: &mut Vec<u8>, n: u64) {
    let mut digits = [b'0'; 20];
    let (mut rest, mut first) = (n, digits.len());
    for slot in digits.iter_mut().rev() {
        let digit = (rest % 10) as u8;
        *slot = digit | b'0';
        first = first.wrapping_sub(1);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Appends the chunk-size line of a chunk of `n` bytes; `n` is not 0, which would end the body.
#[inline]
pub fn chunk_size(out: &mut Vec<u8>, n: usize) {
    // Pushes into room that is there; a copy of unknown length would cost more than these few bytes.
    out.reserve(18);
    let digits = (n | 1).ilog2() / 4;
    for place in (0..=digits).rev() {
        let digit = n.wrapping_shr(place.wrapping_mul(4)) & 15;
        out.push(b"0123456789abcdef".get(digit).copied().unwrap_or_default());
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the status line for `status`; without a reason where none is registered (RFC 9110 §15 and the
/// IANA registry it began), which is what `529` and its like get.
pub fn status_line(out: &mut Vec<u8>, status: u16) {
    let known: &[u8] = match status {
        // The usual one first: nearly all replies are this.
        200 => b"HTTP/1.1 200 OK\r\n",
        100 => b"HTTP/1.1 100 Continue\r\n",
        103 => b"HTTP/1.1 103 Early Hints\r\n",
        201 => b"HTTP/1.1 201 Created\r\n",
        202 => b"HTTP/1.1 202 Accepted\r\n",
        203 => b"HTTP/1.1 203 Non-Authoritative Information\r\n",
        204 => b"HTTP/1.1 204 No Content\r\n",
        205 => b"HTTP/1.1 205 Reset Content\r\n",
        206 => b"HTTP/1.1 206 Partial Content\r\n",
        301 => b"HTTP/1.1 301 Moved Permanently\r\n",
        302 => b"HTTP/1.1 302 Found\r\n",
        303 => b"HTTP/1.1 303 See Other\r\n",
        304 => b"HTTP/1.1 304 Not Modified\r\n",
        307 => b"HTTP/1.1 307 Temporary Redirect\r\n",
        308 => b"HTTP/1.1 308 Permanent Redirect\r\n",
        400 => b"HTTP/1.1 400 Bad Request\r\n",
        401 => b"HTTP/1.1 401 Unauthorized\r\n",
        402 => b"HTTP/1.1 402 Payment Required\r\n",
        403 => b"HTTP/1.1 403 Forbidden\r\n",
        404 => b"HTTP/1.1 404 Not Found\r\n",
        405 => b"HTTP/1.1 405 Method Not Allowed\r\n",
        406 => b"HTTP/1.1 406 Not Acceptable\r\n",
        408 => b"HTTP/1.1 408 Request Timeout\r\n",
        409 => b"HTTP/1.1 409 Conflict\r\n",
        410 => b"HTTP/1.1 410 Gone\r\n",
        411 => b"HTTP/1.1 411 Length Required\r\n",
        412 => b"HTTP/1.1 412 Precondition Failed\r\n",
        413 => b"HTTP/1.1 413 Content Too Large\r\n",
        414 => b"HTTP/1.1 414 URI Too Long\r\n",
        415 => b"HTTP/1.1 415 Unsupported Media Type\r\n",
        416 => b"HTTP/1.1 416 Range Not Satisfiable\r\n",
        417 => b"HTTP/1.1 417 Expectation Failed\r\n",
        421 => b"HTTP/1.1 421 Misdirected Request\r\n",
        422 => b"HTTP/1.1 422 Unprocessable Content\r\n",
        423 => b"HTTP/1.1 423 Locked\r\n",
        424 => b"HTTP/1.1 424 Failed Dependency\r\n",
        425 => b"HTTP/1.1 425 Too Early\r\n",
        428 => b"HTTP/1.1 428 Precondition Required\r\n",
        429 => b"HTTP/1.1 429 Too Many Requests\r\n",
        431 => b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
        451 => b"HTTP/1.1 451 Unavailable For Legal Reasons\r\n",
        500 => b"HTTP/1.1 500 Internal Server Error\r\n",
        501 => b"HTTP/1.1 501 Not Implemented\r\n",
        502 => b"HTTP/1.1 502 Bad Gateway\r\n",
        503 => b"HTTP/1.1 503 Service Unavailable\r\n",
        504 => b"HTTP/1.1 504 Gateway Timeout\r\n",
        505 => b"HTTP/1.1 505 HTTP Version Not Supported\r\n",
        507 => b"HTTP/1.1 507 Insufficient Storage\r\n",
        511 => b"HTTP/1.1 511 Network Authentication Required\r\n",
        _ => {
            out.extend_from_slice(b"HTTP/1.1 ");
            decimal(out, u64::from(status));
            out.extend_from_slice(b" \r\n");
            return;
        }
    };
    out.extend_from_slice(known);
}

/// Appends one field line. The caller vouches for both: a name is a token, a value holds no control
/// character.
pub fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends the lines of the fields that `pass`, as they came; neighbours go in one copy. `end` is where the
/// empty line of the head in `buf` begins.
pub fn lines(
    out: &mut Vec<u8>,
    buf: &[u8],
    fields: &[Field],
    end: usize,
    mut pass: impl FnMut(&Field) -> bool,
) {
    let mut run = None;
    for field in fields {
        let start = field.name.start as usize;
        match (run, pass(field)) {
            (None, true) => run = Some(start),
            (Some(from), false) => {
                out.extend_from_slice(buf.get(from..start).unwrap_or_default());
                run = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
    if let Some(from) = run {
        out.extend_from_slice(buf.get(from..end).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        for n in [0, 1, 9, 10, 15, 16, 255, 256, 99_999, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(written(|out| decimal(out, n)), n.to_string());
            let size = usize::try_from(n).unwrap();
            assert_eq!(written(|out| chunk_size(out, size)), format!("{size:x}\r\n"));
        }
    }

    #[test]
    fn each_status_line_tells_its_status() {
        for status in 100..=999 {
            let line = written(|out| status_line(out, status));
            assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{line}");
            assert!(line.ends_with("\r\n") && line.lines().count() == 1, "{line:?}");
        }
        assert_eq!(written(|out| status_line(out, 200)), "HTTP/1.1 200 OK\r\n");
        assert_eq!(written(|out| status_line(out, 529)), "HTTP/1.1 529 \r\n");
    }

    #[test]
    fn a_field_is_one_line() {
        assert_eq!(written(|out| field(out, b"Retry-After", b"2")), "Retry-After: 2\r\n");
    }
}
