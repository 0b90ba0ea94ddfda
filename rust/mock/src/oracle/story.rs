//! What the upstream says: a pure function of a seed, marked so that every piece tells where it belongs.
//!
//! A piece begins with `⟦seed.number.hash⟧`; the hash is the head of a running SHA-256 over everything said
//! before and in the piece. Lost, repeated, moved or foreign pieces can therefore be told apart.

use sha2::{Digest, Sha256};

/// Numbers from a seed (`SplitMix64`): the same everywhere, for ever.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The sequence of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number below `bound`; 0 for a bound of 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }
}

// One, two, three and four bytes a character; sequences that must not be torn apart; characters that JSON,
// SSE and lossy decoders are known to stumble over.
const WORDS: &[&str] = &[
    "the",
    "oracle",
    "answers",
    "42",
    "“quoted”",
    "\"plain\"",
    "back\\slash",
    "a\nline",
    "tab\there",
    "日本語",
    "中文字符",
    "한국어",
    "你好，世界",
    "𠜎𠜱",
    "ไทย",
    "हिन्दी",
    "العربية",
    "עברית",
    "é",
    "e\u{301}",
    "a\u{30a}\u{323}",
    "z\u{335}\u{322}",
    "👍🏽",
    "👩‍👩‍👧‍👦",
    "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "🇯🇵",
    "☃",
    "€",
    "ß",
    "ñ",
    "\u{feff}bom",
    "\u{2028}sep",
    "data: [DONE]",
    "event: error",
    "</s>",
    "{\"a\":1}",
];

/// What a piece begins with, for a seed: nobody else's text has it.
pub fn mark(seed: u64) -> String {
    format!("⟦{seed:x}.")
}

/// The pieces of a seed's story: `events` of about `size` bytes each, the first larger by `huge`.
pub fn tell(seed: u64, events: u32, size: u32, huge: u64) -> Vec<String> {
    let mut numbers = Numbers::new(seed);
    let mut hash = Sha256::new();
    (0..events)
        .map(|number| {
            let more = if number == 0 { usize::try_from(huge).unwrap_or(0) } else { 0 };
            let wanted = size as usize + more;
            let mut words = String::with_capacity(wanted + 40);
            while words.len() < wanted {
                if !words.is_empty() {
                    words.push(' ');
                }
                let pick = usize::try_from(numbers.below(WORDS.len() as u64)).unwrap_or(0);
                words.push_str(WORDS.get(pick).copied().unwrap_or("?"));
            }
            hash.update(words.as_bytes());
            let digest = hash.clone().finalize();
            let head = digest.iter().take(4).fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
            format!("{}{number}.{head:08x}⟧{words} ", mark(seed))
        })
        .collect()
}

/// The seeds whose marks occur in a text.
pub fn seeds_in(text: &str) -> Vec<u64> {
    let marks = text.split('⟦').skip(1);
    marks.filter_map(|rest| u64::from_str_radix(rest.split_once('.')?.0, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_tells_one_story_and_another_seed_another() {
        assert_eq!(tell(7, 20, 30, 0), tell(7, 20, 30, 0));
        assert_ne!(tell(7, 20, 30, 0), tell(8, 20, 30, 0));
        assert!(tell(7, 200, 30, 0).concat().len() > 6000);
        assert!(tell(7, 2, 30, 5000)[0].len() > 5000);
    }

    #[test]
    fn a_piece_tells_whose_it_is() {
        let text = tell(0xabc, 3, 30, 0).concat() + &tell(0xdef, 1, 30, 0).concat();
        assert_eq!(seeds_in(&text), [0xabc, 0xabc, 0xabc, 0xdef]);
    }

    #[test]
    fn the_story_never_holds_the_replacement_character() {
        assert!(!tell(1, 2000, 40, 0).concat().contains('\u{fffd}'));
    }
}
