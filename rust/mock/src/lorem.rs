//! Text and numbers that look random and are a pure function of a seed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::pieces;

// Each at most as long as one piece, so that a word is a token.
const WORDS: [&str; 40] = [
    "lorem", "ipsum", "dolor", "sit", "amet", "elit", "sed", "do", "eiusmod", "tempor", "ut", "labore", "et",
    "dolore", "magna", "aliqua", "enim", "ad", "minim", "veniam", "quis", "nostrud", "ullamco", "laboris",
    "nisi", "aliquip", "ex", "ea", "commodo", "duis", "aute", "irure", "in", "velit", "esse", "cillum",
    "fugiat", "nulla", "sint", "culpa",
];

/// A small generator of numbers (splitmix64): fast, seedable, not for secrets.
#[derive(Clone)]
pub(crate) struct Numbers(u64);

impl Numbers {
    /// The sequence of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number below `bound` (which must not be 0).
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// The next number in `0.0..1.0`, in steps of 2⁻³².
    pub(crate) fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
    }
}

/// A 64-bit hash of bytes (FNV-1a), stable for ever: what is derived from it is part of the mock's contract.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A text of exactly `tokens` pieces: sentences of seven to fifteen words.
pub(crate) fn text(tokens: usize, seed: u64) -> String {
    let mut numbers = Numbers::new(seed);
    let mut text = String::with_capacity(tokens.saturating_mul(7));
    let mut words_left = 0_usize;
    for position in 0..tokens {
        if position > 0 && words_left == 0 {
            text.push('.');
            words_left = 7 + numbers.below(9);
            continue;
        }
        if position > 0 {
            text.push(' ');
        }
        let word = WORDS.get(numbers.below(WORDS.len())).copied().unwrap_or("lorem");
        if position == 0 || text.ends_with(". ") {
            text.extend(word.chars().next().map(|first| first.to_ascii_uppercase()));
            text.extend(word.chars().skip(1));
        } else {
            text.push_str(word);
        }
        words_left = if position == 0 { 6 + numbers.below(9) } else { words_left.saturating_sub(1) };
    }
    debug_assert_eq!(pieces::pieces(&text).count(), tokens);
    text
}

/// A text of exactly `bytes` bytes.
pub(crate) fn bytes(bytes: usize) -> String {
    let sentence = text(64, 0) + " ";
    let mut text = sentence.repeat(bytes / sentence.len() + 1);
    text.truncate(bytes); // All of it is ASCII.
    text
}

/// Looks like the signature of a thought and follows from its text, so that a replayed one can be checked.
pub(crate) fn signature(thinking: &str) -> String {
    let mut numbers = Numbers::new(hash(thinking.as_bytes()));
    let bytes: Vec<u8> = (0..8).flat_map(|_| numbers.next().to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_as_many_tokens_as_asked_for() {
        for tokens in [0, 1, 2, 3, 17, 200, 5000] {
            for seed in 0..5 {
                assert_eq!(pieces::pieces(&text(tokens, seed)).count(), tokens);
            }
        }
        assert_ne!(text(50, 1), text(50, 2));
        assert_eq!(bytes(1000).len(), 1000);
    }
}
