//! What the name of one of Anthropic's models tells of how it can be asked to think.
//!
//! Wherever the models are sold their names hold `claude`, and behind it, in either order, the family and the
//! number: `claude-sonnet-4-5-20250929`, `claude-3-7-sonnet-latest`, `claude-opus-4-1@20250805`,
//! `anthropic/claude-haiku-4.5`, `eu.anthropic.claude-opus-4-6-v1:0`, also at the end of an ARN. A name that
//! tells no number (an alias, a model of another maker) counts as the newest generation, and of the forms that not
//! all of the newest take none is used.
//!
//! Sources: Anthropic documentation, "Troubleshooting thinking" (its table by model), "Thinking", "Effort", "What's
//! new" in Claude Opus 5.5, Sonnet 5.5 and Haiku 5.5; Amazon Bedrock user guide, "Adaptive thinking".

use crate::message::Effort;

/// The families that differ in what they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Haiku,
    Sonnet,
    Opus,
    Other,
}

/// Its number, the part behind the dot as well.
type Version = (u8, u8);

/// The first that thinks.
const THINKS: Version = (3, 7);

/// The first that decides how much, and that knows the effort `max`.
const ADAPTS: Version = (4, 6);

/// The first that takes no budgets and no numbers that steer sampling, that knows the effort `xhigh`, and that omits
/// what it thinks unless asked.
const ONLY_ADAPTS: Version = (4, 7);

/// The first that thinks without being asked.
const THINKS_BY_ITSELF: Version = (5, 0);

/// The first of Opus and Sonnet that refuse to be made to call a tool; of another family, Fable, 5.1 is.
const NEVER_FORCED: Version = (5, 5);

/// How a model is told not to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    /// By not being told to think.
    Unasked,
    /// By this type of thinking.
    Word(&'static str),
    /// Not at all, or nobody knows.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    family: Family,
    version: Version,
    /// Whether it is one of Anthropic's by its name.
    is_claude: bool,
}

impl Model {
    pub(super) fn of(name: &str) -> Self {
        let found = name.split_once("claude");
        let behind = found.map_or("", |(_, behind)| behind);
        let words = || behind.split(|c: char| !c.is_ascii_alphanumeric());
        let family = words().find_map(|word| match word {
            "haiku" => Some(Family::Haiku),
            "sonnet" => Some(Family::Sonnet),
            "opus" => Some(Family::Opus),
            _ => None,
        });
        Self {
            family: family.unwrap_or(Family::Other),
            version: version(words()).unwrap_or((u8::MAX, 0)),
            is_claude: found.is_some(),
        }
    }

    pub(super) fn thinks(self) -> bool {
        self.version >= THINKS
    }

    /// Whether it can be left to it how much it thinks.
    pub(super) fn adapts(self) -> bool {
        self.version >= ADAPTS
    }

    /// Whether it can be told how many tokens it may think.
    pub(super) fn takes_budgets(self) -> bool {
        self.thinks() && self.version < ONLY_ADAPTS
    }

    /// Whether it takes `temperature`, `top_p` and `top_k`. What is not known to be one of Anthropic's newest does.
    pub(super) fn takes_sampling(self) -> bool {
        self.version < ONLY_ADAPTS || !self.is_claude
    }

    /// Whether it can be made to call a tool. What is not known to be one of those that cannot, can.
    pub(super) fn takes_forced_calls(self) -> bool {
        match (self.family, self.version) {
            (_, (u8::MAX, _)) => !self.is_claude,
            (Family::Opus | Family::Sonnet, version) => version < NEVER_FORCED,
            (Family::Other, version) => version < (5, 1),
            (Family::Haiku, _) => true,
        }
    }

    /// Whether it tells by itself what it thinks.
    pub(super) fn tells_thoughts(self) -> bool {
        self.version < ONLY_ADAPTS
    }

    /// How many tokens it can generate at all, thinking included, where it takes budgets. Source: "Models overview".
    pub(super) fn output_max(self) -> u64 {
        match (self.family, self.version) {
            (Family::Opus, (4, 0 | 1)) => 32_000,
            (_, version) if version < ADAPTS => 64_000,
            _ => 128_000,
        }
    }

    pub(super) fn off(self) -> Off {
        match (self.family, self.version) {
            _ if self.takes_budgets() => Off::Word("disabled"),
            // The oldest know no word for it, and Amazon's Opus 4.7 takes none.
            (_, version) if version < THINKS_BY_ITSELF => Off::Unasked,
            (Family::Opus | Family::Sonnet, (5, 0)) | (Family::Haiku, (5, 5)) => Off::Word("disabled"),
            (Family::Sonnet, (5, 5)) => Off::Word("between_tools"),
            _ => Off::Never,
        }
    }

    /// The word that it knows for this effort, or the next lower one; none where it knows no efforts.
    pub(super) fn effort(self, asked: Effort) -> Option<Effort> {
        let knows_efforts = self.adapts() || (self.family, self.version) == (Family::Opus, (4, 5));
        knows_efforts.then_some(match asked {
            Effort::Minimal | Effort::Low => Effort::Low,
            Effort::Max if self.adapts() => Effort::Max,
            Effort::XHigh if self.version >= ONLY_ADAPTS => Effort::XHigh,
            Effort::High | Effort::XHigh | Effort::Max => Effort::High,
            Effort::Medium => Effort::Medium,
        })
    }
}

/// The first number among the words, and the one that follows it; dates have more digits.
fn version<'n>(mut words: impl Iterator<Item = &'n str>) -> Option<Version> {
    let number = |word: &str| if word.len() <= 2 { word.parse().ok() } else { None };
    // The first models that Amazon sold are called `claude-v2`.
    let major = words.by_ref().find_map(|word| number(word.strip_prefix('v').unwrap_or(word)))?;
    Some((major, words.next().and_then(number).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_told_by_the_name() {
        use Family::{Haiku, Opus, Other, Sonnet};
        for (name, family, version) in [
            ("claude-sonnet-4-5-20250929", Sonnet, (4, 5)),
            ("claude-sonnet-4-5", Sonnet, (4, 5)),
            ("claude-opus-4-20250514", Opus, (4, 0)),
            ("claude-opus-4-0", Opus, (4, 0)),
            ("claude-opus-4-1@20250805", Opus, (4, 1)),
            ("claude-opus-5", Opus, (5, 0)),
            ("claude-opus-5-latest", Opus, (5, 0)),
            ("claude-haiku-5-5", Haiku, (5, 5)),
            ("claude-fable-5-1", Other, (5, 1)),
            ("claude-3-7-sonnet-20250219", Sonnet, (3, 7)),
            ("claude-3-7-sonnet@20250219", Sonnet, (3, 7)),
            ("claude-3-5-sonnet-v2@20241022", Sonnet, (3, 5)),
            ("claude-3-opus-20240229", Opus, (3, 0)),
            ("claude-instant-1.2", Other, (1, 2)),
            ("anthropic.claude-v2:1", Other, (2, 1)),
            ("anthropic.claude-3-5-haiku-20241022-v1:0", Haiku, (3, 5)),
            ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", Sonnet, (4, 5)),
            ("us.anthropic.claude-opus-4-6-v1", Opus, (4, 6)),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-7",
                Opus,
                (4, 7),
            ),
            ("publishers/anthropic/models/claude-sonnet-4@20250514", Sonnet, (4, 0)),
            ("anthropic/claude-sonnet-4.5", Sonnet, (4, 5)),
            ("anthropic/claude-3.7-sonnet:thinking", Sonnet, (3, 7)),
            ("databricks-claude-opus-4-8", Opus, (4, 8)),
            ("claude-opus-4-8[1m]", Opus, (4, 8)),
            ("claude-4-5-haiku", Haiku, (4, 5)),
            ("claude-mythos-preview", Other, (u8::MAX, 0)),
            ("claude", Other, (u8::MAX, 0)),
            ("an-alias-3-5", Other, (u8::MAX, 0)),
            ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", Other, (u8::MAX, 0)),
        ] {
            let model = Model::of(name);
            assert_eq!((model.family, model.version), (family, version), "{name}");
        }
    }
}
