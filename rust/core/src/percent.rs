//! Percent-encoding of path segments and query values. Source: RFC 3986 §2.

/// Decodes once; what is decoded is not decoded again. `None` where an escape is broken or the result is not
/// UTF-8.
pub fn decode_once(raw: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail.get(2..)?;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Appends `name` with everything but unreserved characters (§2.3) encoded, so that it cannot leave its path
/// segment (B22).
pub fn encode(out: &mut Vec<u8>, name: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in name {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(*byte);
        } else {
            let digit = |n: u8| DIGITS.get(usize::from(n)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_decoded_once() {
        assert_eq!(decode_once(b"mock%2Fecho").as_deref(), Some("mock/echo"));
        assert_eq!(decode_once(b"mock%252Fecho").as_deref(), Some("mock%2Fecho"));
        for bad in [&b"a%"[..], b"a%2", b"a%+1", b"a%zz", b"%ff"] {
            assert_eq!(decode_once(bad), None);
        }
    }

    #[test]
    fn an_encoded_name_stays_in_its_segment() {
        let mut out = Vec::new();
        encode(&mut out, "a/b?c#d é-._~".as_bytes());
        assert_eq!(out, b"a%2Fb%3Fc%23d%20%C3%A9-._~");
    }
}
