//! Base64 that comes in pieces, each encoded by itself.
//!
//! A blob that is streamed has its padding behind every piece, so that the texts cannot be strung together as they
//! are. Source: RFC 4648 §4.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the bytes of one piece; `None` where it is no base64, and some of it may have been appended.
pub(super) fn decode(piece: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let text = piece.as_bytes();
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            let value = ALPHABET.iter().position(|known| known == digit)?;
            bits = (bits << 6) | u32::try_from(value).ok()?;
        }
        let missing = 4 - u32::try_from(group.len()).ok()?;
        let [_, whole @ ..] = (bits << (6 * missing)).to_be_bytes();
        bytes.extend_from_slice(whole.get(..group.len().checked_sub(1)?)?);
    }
    Some(())
}

/// All the bytes as one text.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |place: usize| u32::from(group.get(place).copied().unwrap_or_default());
        let bits = (at(0) << 16) | (at(1) << 8) | at(2);
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            let digit = usize::try_from(digit).ok().and_then(|digit| ALPHABET.get(digit));
            text.push(if place > group.len() { '=' } else { char::from(digit.copied().unwrap_or(b'A')) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_as_bytes() {
        let joined = |pieces: &[&str]| {
            let mut bytes = Vec::new();
            pieces.iter().try_for_each(|piece| decode(piece, &mut bytes)).map(|()| encode(&bytes))
        };
        // RFC 4648 §10
        for text in ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy", "+/+/"] {
            assert_eq!(joined(&[text]).as_deref(), Some(text));
        }
        assert_eq!(joined(&["Zg==", "b28=", "YmFy"]).as_deref(), Some("Zm9vYmFy"));
        for bad in ["Z", "Zg=", "Z===", "====", "Zm9v=", "Zm-v", "Zm 9"] {
            assert_eq!(joined(&[bad]), None, "{bad}");
        }
    }
}
