//! Vocabularies by model: a table of prefixes, the first that fits counts.
//!
//! Sources: `tiktoken/model.py` of `OpenAI`; the `tokenizer.json` of the vendors' open models. Not linked in, because
//! their licences ask more of who passes them on than a notice: Llama 3's vocabulary (cl100k's and 28,000 tokens for
//! other languages than English, so cl100k counts the same or a little more) and Kimi's.

use super::vocabulary::Vocabulary;

/// By whose vocabulary tokens are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// `OpenAI` since GPT-4o.
    O200k,
    /// `OpenAI` before, and its embeddings.
    Cl100k,
    /// `DeepSeek` V3, R1 and V4.
    DeepseekV3,
    /// Qwen 2 to 3.
    Qwen2,
    /// Mistral's Tekken.
    Tekken,
    /// GLM-4.5 to 4.7.
    Glm4,
    /// GLM-5.
    Glm5,
    /// Claude to Opus 4.6, scaled. Published comparisons of Claude 3.5 and GPT-4o find 16 % (articles) to 30 %
    /// (Python) more tokens.
    Claude,
    /// Claude since Opus 4.7, scaled: 1.0 to 1.35 times as many as before, says Anthropic's migration guide; 1.2 is
    /// a choice.
    ClaudeLater,
    /// Gemini and Gemma, scaled: a token is about 4 characters, says Google; o200k has about 4.5 in English prose.
    Gemini,
}

/// What a vendor's rule of splitting makes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Splits {
    /// All of it, as it is.
    All,
    /// All of it, in normal form C (UAX 15).
    Composed,
    /// Not characters that are no letters, marks, digits, punctuation, symbols or blanks.
    WithGaps,
}

/// Whether a count is the vendor's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// The model's vendor publishes the vocabulary, our counts are compared with its own, and all of the text was
    /// counted by it.
    Exact,
    /// Near, but for the reasons that the table or the count gives.
    Estimate,
}

use Exactness::{Estimate, Exact};

/// The beginning of a model's name, in small letters; what is more special comes first.
const MODELS: &[(&str, Table, Exactness)] = &[
    ("gpt-4o", Table::O200k, Exact),
    ("gpt-4.1", Table::O200k, Exact),
    ("gpt-4.5", Table::O200k, Exact),
    ("gpt-5", Table::O200k, Exact),
    ("gpt-oss", Table::O200k, Exact),
    ("chatgpt-4o", Table::O200k, Exact),
    ("o1", Table::O200k, Exact),
    ("o3", Table::O200k, Exact),
    ("o4-mini", Table::O200k, Exact),
    ("gpt-4", Table::Cl100k, Exact),
    ("gpt-3.5", Table::Cl100k, Exact),
    ("gpt-35", Table::Cl100k, Exact),
    ("text-embedding-3", Table::Cl100k, Exact),
    ("text-embedding-ada-002", Table::Cl100k, Exact),
    ("davinci-002", Table::Cl100k, Exact),
    ("babbage-002", Table::Cl100k, Exact),
    ("claude-opus-4-7", Table::ClaudeLater, Estimate),
    ("claude-opus-4.7", Table::ClaudeLater, Estimate),
    ("claude-opus-4-8", Table::ClaudeLater, Estimate),
    ("claude-opus-4.8", Table::ClaudeLater, Estimate),
    ("claude-opus-4", Table::Claude, Estimate),
    ("claude-sonnet-4", Table::Claude, Estimate),
    ("claude-haiku-4", Table::Claude, Estimate),
    ("claude-3", Table::Claude, Estimate),
    ("claude-2", Table::Claude, Estimate),
    ("claude-instant", Table::Claude, Estimate),
    ("claude", Table::ClaudeLater, Estimate),
    ("gemini", Table::Gemini, Estimate),
    ("gemma", Table::Gemini, Estimate),
    // Other models that were taught by R1 keep their own vocabulary; Ollama's tags name such ones.
    ("deepseek-r1-distill-llama", Table::Cl100k, Estimate),
    ("deepseek-r1-distill-qwen", Table::Qwen2, Exact),
    ("deepseek-r1:", Table::Qwen2, Estimate),
    ("deepseek-v3", Table::DeepseekV3, Exact),
    ("deepseek-v4", Table::DeepseekV3, Exact),
    ("deepseek-r1", Table::DeepseekV3, Exact),
    ("deepseek-chat", Table::DeepseekV3, Exact),
    ("deepseek-reasoner", Table::DeepseekV3, Exact),
    ("deepseek.r1", Table::DeepseekV3, Exact),
    ("deepseek.v3", Table::DeepseekV3, Exact),
    ("deepseek", Table::DeepseekV3, Estimate),
    // Since 3.5 Qwen has another vocabulary.
    ("qwen3.", Table::Qwen2, Estimate),
    ("qwen3p", Table::Qwen2, Estimate),
    ("qwen2", Table::Qwen2, Exact),
    ("qwen3", Table::Qwen2, Exact),
    ("qwq", Table::Qwen2, Exact),
    ("qwen", Table::Qwen2, Estimate),
    ("mistral-nemo", Table::Tekken, Exact),
    ("open-mistral-nemo", Table::Tekken, Exact),
    ("mistral-small", Table::Tekken, Exact),
    ("mistral-medium", Table::Tekken, Exact),
    ("ministral", Table::Tekken, Exact),
    ("pixtral", Table::Tekken, Exact),
    ("magistral", Table::Tekken, Exact),
    ("devstral", Table::Tekken, Exact),
    // Some versions of these have Mistral's older vocabularies.
    ("mistral", Table::Tekken, Estimate),
    ("mixtral", Table::Tekken, Estimate),
    ("open-mi", Table::Tekken, Estimate),
    ("codestral", Table::Tekken, Estimate),
    // Published, and nowhere that our counts could be compared with it.
    ("glm-4.5", Table::Glm4, Estimate),
    ("glm-4.6", Table::Glm4, Estimate),
    ("glm-4.7", Table::Glm4, Estimate),
    ("glm-4p", Table::Glm4, Estimate),
    ("glm-5", Table::Glm5, Estimate),
    ("glm", Table::Glm5, Estimate),
    ("llama", Table::Cl100k, Estimate),
    ("meta-llama", Table::Cl100k, Estimate),
];

impl Table {
    /// Every table, in declaration order.
    pub const ALL: [Self; 10] = [
        Self::O200k,
        Self::Cl100k,
        Self::DeepseekV3,
        Self::Qwen2,
        Self::Tekken,
        Self::Glm4,
        Self::Glm5,
        Self::Claude,
        Self::ClaudeLater,
        Self::Gemini,
    ];

    /// The table of a model, by the name that a provider, a platform or a route has for it; o200k, as an estimate,
    /// where nothing is known.
    ///
    /// ```
    /// use llm_edge_core::tokens::{Exactness, Table};
    ///
    /// assert_eq!(Table::of_model("openai/gpt-5.1"), (Table::O200k, Exactness::Exact));
    /// assert_eq!(Table::of_model("eu.anthropic.claude-sonnet-4-5-v1:0"), (Table::Claude, Exactness::Estimate));
    /// ```
    pub fn of_model(model: &str) -> (Self, Exactness) {
        // Whose it is comes before a slash: `Qwen/Qwen3-32B`, `accounts/fireworks/models/deepseek-v3p1`.
        let name = model.rsplit('/').next().unwrap_or(model);
        let name = name.strip_prefix("ft:").unwrap_or(name);
        let mut rest = Some(name);
        while let Some(part) = rest {
            let found = MODELS.iter().find(|(prefix, ..)| begins_with(part, prefix));
            if let Some(&(_, table, exactness)) = found {
                return (table, exactness);
            }
            // Or before a dot: `us.meta.llama3-1-8b-instruct-v1:0`.
            rest = part.split_once('.').map(|(_, behind)| behind);
        }
        (Self::O200k, Estimate)
    }

    /// The name that reports and pages have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::O200k => "o200k",
            Self::Cl100k => "cl100k",
            Self::DeepseekV3 => "deepseek_v3",
            Self::Qwen2 => "qwen2",
            Self::Tekken => "tekken",
            Self::Glm4 => "glm4",
            Self::Glm5 => "glm5",
            Self::Claude => "claude",
            Self::ClaudeLater => "claude_later",
            Self::Gemini => "gemini",
        }
    }

    /// What a count by its vocabulary is multiplied with, in thousandths.
    pub const fn per_mille(self) -> u64 {
        match self {
            Self::Claude => 1200,
            Self::ClaudeLater => 1440,
            Self::Gemini => 1100,
            Self::O200k
            | Self::Cl100k
            | Self::DeepseekV3
            | Self::Qwen2
            | Self::Tekken
            | Self::Glm4
            | Self::Glm5 => 1000,
        }
    }

    pub(super) const fn splits(self) -> Splits {
        match self {
            Self::Qwen2 => Splits::Composed,
            Self::DeepseekV3 => Splits::WithGaps,
            _ => Splits::All,
        }
    }

    pub(super) fn vocabulary(self) -> Vocabulary {
        Vocabulary::named(match self {
            Self::O200k | Self::Claude | Self::ClaudeLater | Self::Gemini => "o200k_base",
            Self::Cl100k => "cl100k_base",
            Self::DeepseekV3 => "deepseek_v3",
            Self::Qwen2 => "qwen2",
            Self::Tekken => "mistral_v3",
            Self::Glm4 => "glm4",
            Self::Glm5 => "glm5",
        })
    }
}

/// Whether `name` begins with `prefix`, which is in small letters.
fn begins_with(name: &str, prefix: &str) -> bool {
    name.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_platform_lead_to_the_vendors_table() {
        for (model, table, exactness) in [
            ("gpt-4o-mini-2024-07-18", Table::O200k, Exact),
            ("gpt-4.1-nano", Table::O200k, Exact),
            ("gpt-4-turbo", Table::Cl100k, Exact),
            ("ft:gpt-4o:acme::abc", Table::O200k, Exact),
            ("openai.gpt-oss-120b-1:0", Table::O200k, Exact),
            ("text-embedding-3-large", Table::Cl100k, Exact),
            ("anthropic/claude-opus-4.7", Table::ClaudeLater, Estimate),
            ("claude-opus-4-6", Table::Claude, Estimate),
            ("claude-sonnet-4@20250514", Table::Claude, Estimate),
            ("claude-opus-5", Table::ClaudeLater, Estimate),
            ("models/gemini-2.5-flash", Table::Gemini, Estimate),
            ("us.meta.llama3-1-8b-instruct-v1:0", Table::Cl100k, Estimate),
            ("meta-llama/Llama-3.3-70B-Instruct-Turbo", Table::Cl100k, Estimate),
            ("accounts/fireworks/models/deepseek-v3p1", Table::DeepseekV3, Exact),
            ("us.deepseek.r1-v1:0", Table::DeepseekV3, Exact),
            ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", Table::Cl100k, Estimate),
            ("deepseek-r1:7b", Table::Qwen2, Estimate),
            ("Qwen/Qwen2.5-7B-Instruct", Table::Qwen2, Exact),
            ("qwen3.5-plus", Table::Qwen2, Estimate),
            ("mistral-small-latest", Table::Tekken, Exact),
            ("mistral.mistral-large-2407-v1:0", Table::Tekken, Estimate),
            ("zai-org/GLM-4.6", Table::Glm4, Estimate),
            ("grok-4", Table::O200k, Estimate),
            ("", Table::O200k, Estimate),
        ] {
            assert_eq!(Table::of_model(model), (table, exactness), "{model}");
        }
    }

    #[test]
    fn no_row_is_hidden_by_one_before_it() {
        for (at, (prefix, ..)) in MODELS.iter().enumerate() {
            assert_eq!(*prefix, prefix.to_ascii_lowercase());
            let hides = MODELS.iter().take(at).find(|(earlier, ..)| prefix.starts_with(earlier));
            assert_eq!(hides, None, "{prefix}");
        }
    }

    #[test]
    fn an_exact_model_is_never_counted_by_a_scaled_table() {
        for (prefix, table, exactness) in MODELS {
            assert!(*exactness == Estimate || table.per_mille() == 1000, "{prefix}");
        }
    }
}
