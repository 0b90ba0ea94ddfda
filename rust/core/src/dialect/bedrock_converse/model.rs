//! What the name of a model tells of what it takes.
//!
//! The API is the same for all models, but refuses what one of them has not: reasoning and its signatures,
//! cache points. Source: Amazon Bedrock user guide, "Supported models and model features", "Prompt caching".

/// Whose model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    Anthropic,
    /// Amazon's Nova.
    Nova,
    Other,
    /// An ARN that does not tell, such as that of an application's inference profile.
    Hidden,
}

impl Maker {
    /// By the model's id or ARN.
    pub(super) fn of(model: &str) -> Self {
        if model.contains("anthropic.") || model.contains("claude") {
            Self::Anthropic
        } else if model.contains("amazon.nova") {
            Self::Nova
        } else if model.starts_with("arn:")
            && !model.contains(":foundation-model/")
            && !model.contains(":inference-profile/")
        {
            Self::Hidden
        } else {
            Self::Other
        }
    }

    /// Whether what only Anthropic's models have may be asked for. Where the maker is hidden, whoever asks for it
    /// will know.
    pub(super) const fn is_claude(self) -> bool {
        matches!(self, Self::Anthropic | Self::Hidden)
    }

    /// Whether cache points may stand behind messages and the system prompt.
    pub(super) const fn caches(self) -> bool {
        matches!(self, Self::Anthropic | Self::Nova | Self::Hidden)
    }

    /// Whether cache points may stand behind tools.
    pub(super) const fn caches_tools(self) -> bool {
        matches!(self, Self::Anthropic | Self::Hidden)
    }

    /// Whether it is known to take cache points, so that some may be set unasked.
    pub(super) const fn surely_caches(self) -> bool {
        matches!(self, Self::Anthropic | Self::Nova)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maker_is_told_by_the_name() {
        for (model, maker) in [
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", Maker::Anthropic),
            ("eu.anthropic.claude-opus-4-6-v1", Maker::Anthropic),
            ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-6", Maker::Anthropic),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x",
                Maker::Anthropic,
            ),
            ("us.amazon.nova-2-lite-v1:0", Maker::Nova),
            ("openai.gpt-oss-120b-1:0", Maker::Other),
            ("arn:aws:bedrock:us-east-1::foundation-model/meta.llama4", Maker::Other),
            ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", Maker::Hidden),
            ("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc", Maker::Hidden),
        ] {
            assert_eq!(Maker::of(model), maker, "{model}");
        }
    }
}
