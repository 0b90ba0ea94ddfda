//! Reasoning in the form that Anthropic's messages have it, and by `LiteLLM`'s convention chat messages too
//! (`thinking_blocks`): clients send it back as it came.

use super::Text;
use super::json::Json;

/// Writes reasoning that may be shown.
pub(crate) fn thinking_block(text: &Text<'_>, signature: Option<&Text<'_>>, out: &mut Vec<u8>) {
    out.open(b'{');
    thinking_members(text, signature, out);
    out.close(b'}');
}

/// Writes reasoning that only the provider can read.
pub(crate) fn redacted_block(data: &Text<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    redacted_members(data, out);
    out.close(b'}');
}

/// The members of reasoning that may be shown, for those who put others beside them.
pub(crate) fn thinking_members(text: &Text<'_>, signature: Option<&Text<'_>>, out: &mut Vec<u8>) {
    out.key("type").raw("\"thinking\"");
    out.key("thinking").text(text);
    if let Some(signature) = signature {
        out.key("signature").text(signature);
    }
}

/// Likewise of what only the provider can read.
pub(crate) fn redacted_members(data: &Text<'_>, out: &mut Vec<u8>) {
    out.key("type").raw("\"redacted_thinking\"");
    out.key("data").text(data);
}

/// Whose models can read a signature. Sent to another provider it would only be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Anthropic,
    /// What Amazon Bedrock itself encrypts, whosever model it is; the signatures of Anthropic's models are theirs
    /// there too.
    Bedrock,
    Google,
    OpenAi,
}

impl Maker {
    /// What stands before a signature to tell its maker, in a surface that is not the maker's own. Signatures
    /// are base64, where no colon is.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Anthropic => "",
            Self::Bedrock => "bedrock:",
            Self::Google => "google:",
            Self::OpenAi => "openai:",
        }
    }

    /// A signature of this maker as the canonical form has it.
    pub(crate) fn seal(self, signature: Text<'_>) -> Text<'_> {
        match self.mark() {
            "" => signature,
            mark => Text::escaped(format!("{mark}{}", signature.raw())),
        }
    }

    /// The signature as its maker gave it; `None` where it is somebody else's, or nothing.
    pub(crate) fn unseal<'a>(self, signature: &Text<'a>) -> Option<Text<'a>> {
        let own = match self.mark() {
            "" if signature.raw().contains(':') => None,
            "" => Some(signature.clone()),
            mark => signature.strip_prefix(mark),
        };
        own.filter(|signature| !signature.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_its_makers_only() {
        let makers = [Maker::Anthropic, Maker::Bedrock, Maker::Google, Maker::OpenAi];
        for maker in makers {
            let sealed = maker.seal(Text::plain("c2ln"));
            for reader in makers {
                let own = (reader == maker).then_some(Text::plain("c2ln"));
                assert_eq!(reader.unseal(&sealed), own, "{maker:?} read by {reader:?}");
            }
            assert_eq!(maker.unseal(&maker.seal(Text::default())), None);
        }
    }
}
