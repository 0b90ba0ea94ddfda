//! Reasoning signatures of other makers, as this dialect carries them: its signatures are bytes in base64, which
//! clients decode and encode anew, in either alphabet. So those of others are wrapped as a whole, and known by
//! how they begin when they come back.

use crate::message::{Maker, Text, decode_base64, encode_base64};

/// What stands before a signature of others, in base64.
pub(crate) const THINKING: &str = "llm-edge:";
const REDACTED: &str = "llm-edge-redacted:";
/// How a JSON string with either begins.
pub(crate) const WRAPPED: &str = "\"bGxtLWVkZ2";

/// What a signature of a client's turn stands for, as the canonical form has it.
pub(super) enum Signed<'a> {
    /// The signature of reasoning that may be shown.
    Thinking(Text<'a>),
    /// Reasoning that only its provider can read.
    Redacted(Text<'a>),
}

/// The signature of the canonical form as this dialect has it.
pub(super) fn wrap<'a>(sealed: &Text<'a>) -> Text<'a> {
    Maker::Google.unseal(sealed).unwrap_or_else(|| wrapped(THINKING, sealed))
}

/// Redacted reasoning as a signature.
pub(super) fn wrap_redacted(data: &Text<'_>) -> Text<'static> {
    wrapped(REDACTED, data)
}

fn wrapped(mark: &str, text: &Text<'_>) -> Text<'static> {
    let text = text.clone().decode().unwrap_or_default();
    Text::escaped(encode_base64(format!("{mark}{text}").as_bytes()))
}

/// What [`wrap`] and [`wrap_redacted`] were given; every other signature is Google's.
pub(super) fn unwrap(signature: Text<'_>) -> Signed<'_> {
    let bytes = signature.clone().decode().and_then(|text| decode_base64(&text));
    let wrapped = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let behind = |mark: &str| wrapped.as_deref().and_then(|text| text.strip_prefix(mark)).map(Text::escape);
    if let Some(sealed) = behind(THINKING) {
        Signed::Thinking(sealed)
    } else if let Some(data) = behind(REDACTED) {
        Signed::Redacted(data)
    } else {
        Signed::Thinking(Maker::Google.seal(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_comes_back_as_it_went_also_in_the_other_alphabet() {
        for sealed in ["c2ln", "openai:gAAA_-x", "google:c2+n", "a\\\"?>"] {
            let sealed = Text::plain(sealed);
            let wrapped = wrap(&sealed);
            assert!(decode_base64(wrapped.raw()).is_some());
            let Signed::Thinking(back) = unwrap(wrapped.borrowed()) else { panic!("{sealed:?}") };
            assert_eq!(back, sealed);
        }
        let wrapped = wrap_redacted(&Text::plain("ZGF0YQ??>>~~"));
        let url_safe = wrapped.raw().replace('+', "-").replace('/', "_").replace('=', "");
        let Signed::Redacted(back) = unwrap(Text::plain(&url_safe)) else { panic!() };
        assert_eq!(back.raw(), "ZGF0YQ??>>~~");
        assert_eq!(wrap(&Text::plain("google:CiQB")).raw(), "CiQB");
    }
}
