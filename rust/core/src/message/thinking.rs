//! Reasoning in the form that Anthropic's messages have it, and by `LiteLLM`'s convention chat messages too
//! (`thinking_blocks`): clients send it back as it came.

use super::Text;
use super::json::Json;

/// Writes reasoning that may be shown.
pub(crate) fn thinking_block(text: &Text<'_>, signature: Option<&Text<'_>>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"thinking\"");
    out.key("thinking").text(text);
    if let Some(signature) = signature {
        out.key("signature").text(signature);
    }
    out.close(b'}');
}

/// Writes reasoning that only the provider can read.
pub(crate) fn redacted_block(data: &Text<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"redacted_thinking\"");
    out.key("data").text(data);
    out.close(b'}');
}
