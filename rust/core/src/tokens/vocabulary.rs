//! The one place that knows which crate splits text into tokens.

use tiktoken::CoreBpe;

/// A vocabulary and its rule of merging.
#[derive(Clone, Copy)]
pub(super) struct Vocabulary(Option<&'static CoreBpe>);

impl Vocabulary {
    /// Unpacks it when it is asked for the first time.
    pub(super) fn named(name: &str) -> Self {
        Self(tiktoken::get_encoding(name))
    }

    /// The tokens of a text that is short ([`super::counter`] sees to that): the crate needs n log n steps for a
    /// long word, and n² for some blanks.
    pub(super) fn count(self, text: &str) -> u64 {
        // Special tokens in a prompt are text: providers take them as such.
        self.0.map_or_else(|| super::cheap(text.len() as u64), |bpe| bpe.count(text) as u64)
    }

    #[cfg(test)]
    pub(super) fn is_there(self) -> bool {
        self.0.is_some()
    }
}
