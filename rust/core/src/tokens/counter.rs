//! Tokens of one text after another, in time that is linear in their length, whatever stands in them.
//!
//! Text is cut into windows of about [`WINDOW_BYTES`] where no token can reach across, so the sum of their counts is
//! the count of the whole. Splitting language into tokens is cheap, because its words are in the vocabulary. What
//! is no language, or an attack (one letter a million times, base64, blanks, random words), must be put together
//! byte by byte, which is 2 to 20 times dearer. Of that, [`DEAR_BYTES_MAX`] are counted in full; behind them, as
//! long as it stays dear, one window in 16 (of the dearest, in 32), and the others as if they were like it.
//!
//! Another trap is the rule of splitting, an automaton that is built while it runs: text out of many scripts at once
//! builds more of it than is kept, again and again, at 20,000 instructions for a byte. Where a text has come to more
//! than [`SCRIPT_BLOCKS_MAX`] parts of Unicode, little more of what is in scripts is split ([`Scripts`]).
//!
//! Invariant: a count of text that is neither is the vocabulary's own.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::table::{Exactness, Splits, Table};
use super::vocabulary::Vocabulary;

/// Where a window ends, if not a little sooner.
const WINDOW_BYTES: usize = 1024;
/// How much longer the last window may be, so that no crumb follows it.
const SLACK_BYTES: usize = 256;
/// Dear text that is counted in full.
const DEAR_BYTES_MAX: usize = 64 * 1024;
/// What a byte without a seam near it counts for in that: to put a long word together takes so much longer.
const SEAMLESS: usize = 8;
/// Most windows that are passed over for one that is counted, and of those without a seam.
const PASSED_WINDOWS_MAX: usize = 15;
const PASSED_SEAMLESS_MAX: usize = 31;

/// Blocks of 64 characters, of those that [`Scripts`] looks at, that one text may use. Three languages need fewer.
const SCRIPT_BLOCKS_MAX: u32 = 12;
/// What is split although it has too many.
const SCRIPT_BYTES_MAX: usize = 2048;

/// A running sum.
pub(super) struct Counter {
    table: Table,
    vocabulary: Vocabulary,
    /// Before scaling.
    tokens: u64,
    exact: bool,
    /// What has been counted since it was last judged.
    window: Window,
    scripts: Scripts,
    dear_bytes_left: usize,
    /// The dear windows since the last one that was not.
    dear: Window,
    /// Windows that were passed over the last time, and bytes that still are.
    passed_windows: usize,
    pass_bytes: usize,
    /// What was passed over since a window was last judged, and for how many tokens.
    passed: (u64, u64),
}

/// What tells dear text from cheap.
#[derive(Clone, Copy, Default)]
struct Window {
    bytes: usize,
    tokens: u64,
    ascii_alphanumeric: usize,
    not_ascii: usize,
    is_seamless: bool,
}

impl Window {
    fn add(&mut self, text: &str, tokens: u64) {
        let bytes = text.as_bytes();
        self.bytes += bytes.len();
        self.tokens += tokens;
        // One pass without branches each, eight or more bytes at a time.
        self.ascii_alphanumeric += bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
        self.not_ascii += bytes.iter().filter(|byte| !byte.is_ascii()).count();
    }

    /// Whether its words are none of the vocabulary's, by signs that cost nothing: many tokens for its length, hardly
    /// a blank or a comma, hardly anything else, or letters of which most words are merged.
    fn is_dear(&self) -> bool {
        let breaks = self.bytes - self.ascii_alphanumeric - self.not_ascii;
        self.tokens * 16 > self.bytes as u64 * 7
            || breaks * 10 < self.bytes
            || breaks * 4 > self.bytes * 3
            || self.not_ascii * 2 > self.bytes
    }
}

impl Counter {
    pub(super) fn new(table: Table) -> Self {
        Self {
            table,
            vocabulary: table.vocabulary(),
            tokens: 0,
            exact: table.per_mille() == 1000,
            window: Window::default(),
            scripts: Scripts::default(),
            dear_bytes_left: DEAR_BYTES_MAX,
            dear: Window::default(),
            passed_windows: 0,
            pass_bytes: 0,
            passed: (0, 0),
        }
    }

    /// Adds the tokens of `text`, which is not joined to what came before.
    pub(super) fn add(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.pass_bytes > 0 {
                rest = self.pass(rest);
                continue;
            }
            let (window, behind, is_seam) = cut(rest);
            rest = behind;
            let tokens = if !window.is_ascii() && self.scripts.see(window) {
                self.exact = false;
                Scripts::guess(window)
            } else {
                self.count(window)
            };
            self.tokens += tokens;
            self.exact &= is_seam;
            self.window.is_seamless |= !is_seam;
            self.window.add(window, tokens);
            if self.window.bytes >= WINDOW_BYTES / 2 {
                self.judge();
            }
        }
    }

    /// The tokens of a window in the form in which the table's vendor splits it.
    fn count(&mut self, window: &str) -> u64 {
        match self.table.splits() {
            Splits::Composed if !window.is_ascii() && is_nfc_quick(window.chars()) != IsNormalized::Yes => {
                self.vocabulary.count(&window.nfc().collect::<String>())
            }
            Splits::WithGaps => {
                self.exact &= !has_gap(window);
                self.vocabulary.count(window)
            }
            Splits::All | Splits::Composed => self.vocabulary.count(window),
        }
    }

    /// Adds tokens that no text stands for, by the table's own measure.
    pub(super) fn add_tokens(&mut self, tokens: u64) {
        self.tokens += tokens;
    }

    /// The tokens so far as the table has them.
    pub(super) fn finish(&self) -> (u64, Exactness) {
        let tokens = self.tokens.saturating_mul(self.table.per_mille()).div_ceil(1000);
        (tokens, if self.exact { Exactness::Exact } else { Exactness::Estimate })
    }

    /// Decides whether all of what follows is counted.
    fn judge(&mut self) {
        let window = std::mem::take(&mut self.window);
        let (passed_bytes, passed_tokens) = std::mem::take(&mut self.passed);
        if !window.is_dear() {
            // Somewhere on the way to here it was dear no more: take it to have been in the middle.
            let like_here = passed_bytes * window.tokens / window.bytes.max(1) as u64;
            self.tokens = (self.tokens + like_here / 2).saturating_sub(passed_tokens / 2);
            self.dear = Window::default();
            self.passed_windows = 0;
            return;
        }
        self.dear.bytes += window.bytes;
        self.dear.tokens += window.tokens;
        let bytes = if window.is_seamless { window.bytes * SEAMLESS } else { window.bytes };
        if let Some(left) = self.dear_bytes_left.checked_sub(bytes) {
            self.dear_bytes_left = left;
            return;
        }
        self.dear_bytes_left = 0;
        // Few at first: one dear window among many others shall not speak for them.
        let most = if window.is_seamless { PASSED_SEAMLESS_MAX } else { PASSED_WINDOWS_MAX };
        self.passed_windows = (2 * self.passed_windows + 1).min(most);
        self.pass_bytes = self.passed_windows * WINDOW_BYTES;
    }

    /// Takes the beginning of `text` to have as many tokens for its length as the dear text before it; what is
    /// behind that.
    fn pass<'a>(&mut self, text: &'a str) -> &'a str {
        let at = text.ceil_char_boundary(self.pass_bytes.min(text.len()));
        let (passed, behind) = text.split_at(at);
        self.pass_bytes = self.pass_bytes.saturating_sub(passed.len());
        self.exact = false;
        let tokens = (passed.len() as u64 * self.dear.tokens).div_ceil(self.dear.bytes.max(1) as u64);
        self.tokens += tokens;
        self.passed.0 += passed.len() as u64;
        self.passed.1 += tokens;
        behind
    }
}

/// Which parts of Unicode a text uses, in blocks of 64 characters; two may count as one. Chinese characters, Korean
/// syllables, symbols and emoji are left out: each of these is all of one kind, which the automaton has few states
/// for.
#[derive(Default)]
struct Scripts {
    seen: [u64; 8],
    blocks: u32,
    bytes: usize,
}

impl Scripts {
    /// Notes the characters of a window; whether it has some of a script, and too many have come together.
    fn see(&mut self, window: &str) -> bool {
        let mut has_script = false;
        let mut before = u32::MAX;
        for ch in window.chars().filter(|ch| !ch.is_ascii()) {
            let block = u32::from(ch) >> 6;
            if block == before
                || matches!(ch, '\u{2190}'..='\u{2bff}' | '\u{3000}'..='\u{9fff}' | '\u{ac00}'..='\u{d7bf}' | '\u{fe00}'..='\u{fe3f}' | '\u{ff00}'..='\u{ff3f}' | '\u{1f300}'..='\u{1faff}')
            {
                continue;
            }
            before = block;
            has_script = true;
            let bit = 1 << (block % 64);
            let Some(word) = self.seen.get_mut(block as usize / 64 % 8) else { continue };
            self.blocks += u32::from(*word & bit == 0);
            *word |= bit;
        }
        if !has_script || self.blocks <= SCRIPT_BLOCKS_MAX {
            return false;
        }
        self.bytes += window.len();
        self.bytes > SCRIPT_BYTES_MAX
    }

    /// The tokens of a window that is not split: two for three bytes of what is not ASCII, as such a mixture has
    /// them, and one for four of what is.
    fn guess(window: &str) -> u64 {
        let not_ascii = window.bytes().filter(|byte| !byte.is_ascii()).count();
        (not_ascii * 2 / 3 + (window.len() - not_ascii) / 4).max(1) as u64
    }
}

/// The first window of `text`, what is behind it, and whether no token can reach from the one into the other.
fn cut(text: &str) -> (&str, &str, bool) {
    if text.len() <= WINDOW_BYTES + SLACK_BYTES {
        return (text, "", true);
    }
    let seam = (WINDOW_BYTES / 2..=WINDOW_BYTES).rev().find(|at| is_seam(text, *at));
    let at = seam.unwrap_or_else(|| text.floor_char_boundary(WINDOW_BYTES));
    let (window, behind) = text.split_at(at);
    (window, behind, seam.is_some())
}

/// Whether every vocabulary's rule of splitting splits before the byte at `at`, whatever else there is: before a blank
/// that follows something else, and behind a letter or digit before punctuation (apostrophes aside, which some join
/// to the word) or a line's end.
fn is_seam(text: &str, at: usize) -> bool {
    let (before, after) = text.as_bytes().split_at_checked(at).unwrap_or_default();
    let is_behind_word = || before.last().is_some_and(u8::is_ascii_alphanumeric) || ends_in_ideograph(before);
    match after {
        [b' ', ..] => {
            text.get(..at).and_then(|before| before.chars().next_back()).is_some_and(|ch| !ch.is_whitespace())
        }
        [b'\'', ..] => false,
        [first, ..] if *first == b'\n' || first.is_ascii_punctuation() => is_behind_word(),
        // The ideographic comma and full stop, and the fullwidth comma.
        [0xe3, 0x80, 0x81 | 0x82, ..] | [0xef, 0xbc, 0x8c, ..] => ends_in_ideograph(before),
        _ => false,
    }
}

/// Whether characters stand side by side that a rule with gaps does not know: it leaves them together, and the crate
/// takes them one by one.
fn has_gap(text: &str) -> bool {
    static GAP: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"[^\p{L}\p{M}\p{N}\p{P}\p{S}\s]{2}").ok());
    GAP.as_ref().is_none_or(|gap| gap.is_match(text))
}

/// Whether the last character is one from U+5000 to U+9FFF, all of which are Chinese ones.
fn ends_in_ideograph(bytes: &[u8]) -> bool {
    matches!(bytes, [.., 0xe5..=0xe9, 0x80..=0xbf, 0x80..=0xbf])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By the vocabulary alone, without windows.
    fn whole(text: &str, table: Table) -> u64 {
        table.vocabulary().count(text)
    }

    fn counted(text: &str, table: Table) -> (u64, Exactness) {
        let mut counter = Counter::new(table);
        counter.add(text);
        counter.finish()
    }

    const VOCABULARIES: [Table; 7] = [
        Table::O200k,
        Table::Cl100k,
        Table::DeepseekV3,
        Table::Qwen2,
        Table::Tekken,
        Table::Glm4,
        Table::Glm5,
    ];

    #[test]
    fn every_table_has_its_vocabulary() {
        for table in Table::ALL {
            assert!(table.vocabulary().is_there(), "{}", table.name());
        }
    }

    /// Everything that stands beside a seam, and what splitting looks at around it.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            6 => "[a-zA-Z]{1,8}",
            3 => "[0-9]{1,5}",
            4 => Just(" ".to_owned()),
            2 => "[ \\t\\r\\n]{1,4}",
            3 => "[!-/:-@\\[-`{-~]{1,3}",
            2 => "'(s|t|re|ve|m|ll|d|x)",
            3 => "[中文字漢語，。、！]{1,6}",
            1 => "[а-яЁ́]{1,6}",
            1 => "[\u{a0}\u{3000}\u{2028}\u{200d}👍🏽é]{1,3}",
            1 => "\\PC{1,4}",
        ];
        proptest::collection::vec(piece, 1..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_token_reaches_across_a_seam(text in pieces()) {
            for table in VOCABULARIES {
                let all = whole(&text, table);
                for at in (1..text.len()).filter(|at| is_seam(&text, *at)) {
                    let (before, behind) = text.split_at(at);
                    prop_assert_eq!(whole(before, table) + whole(behind, table), all, "{} at {}", table.name(), at);
                }
            }
        }
    }

    #[test]
    fn windows_have_the_count_of_the_whole() {
        let prose =
            "Whoever wrote it (in 1987, say) didn't mean \"windows\"; they meant\n\tanything else.\n\n";
        let code = "    if let Some(found) = self.rows.get(index) { total += found.len(); } // 0x7f\n";
        let json = r#"{"name":"search_01","limit":20,"kinds":["file","folder"],"hidden":null},"#;
        let chinese = "他们说，这一段文字没有空格。但是有标点、数字123和English混在一起，";
        for text in [prose, code, json, chinese] {
            let text = text.repeat(20 * 1024 / text.len());
            for table in VOCABULARIES {
                assert_eq!(
                    counted(&text, table),
                    (whole(&text, table), Exactness::Exact),
                    "{}",
                    table.name()
                );
            }
        }
    }

    #[test]
    fn a_vendor_composes_characters_before_it_splits() {
        for (text, tokens) in [("e\u{301}", 1), ("\u{e9}", 1), ("\u{b5d}", 4), ("\u{344}", 3)] {
            assert_eq!(counted(text, Table::Qwen2), (tokens, Exactness::Exact), "{}", text.escape_unicode());
        }
    }

    #[test]
    fn what_a_rule_leaves_between_its_pieces_is_an_estimate() {
        let exactness = |text| counted(text, Table::DeepseekV3).1;
        assert_eq!(exactness("\u{200d}"), Exactness::Exact);
        assert_eq!(exactness("\u{1f469}\u{200d}\u{1f467}, \u{200b}x\n"), Exactness::Exact);
        assert_eq!(exactness("a\u{200d}\u{200d}"), Exactness::Estimate);
        assert_eq!(exactness("\0\x1b"), Exactness::Estimate);
    }

    #[test]
    fn a_long_prompt_in_a_language_is_counted_in_full() {
        let words = ["the", "quick", "of", "house", "however", "windows", "and", "river", "again", "is"];
        let text: String =
            (0..60_000_usize).flat_map(|n| [words[(n * n + n / 7) % words.len()], " "]).collect();
        assert_eq!(counted(&text, Table::O200k), (whole(&text, Table::O200k), Exactness::Exact));
    }

    #[test]
    fn what_is_extrapolated_is_an_estimate_and_near() {
        let letters = "a".repeat(300_000);
        let blanks = " ".repeat(300_000);
        let digits: String = (0..150_000_u64).map(|n| char::from(b'0' + (n * n % 10) as u8)).collect();
        let base64: String = (0..300_000_u64)
            .map(|n| {
                let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                char::from(
                    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                        [(mixed >> 58) as usize],
                )
            })
            .collect();
        let emoji = "👍🏽🎉🚀".repeat(20_000);
        for (name, text) in [
            ("letters", letters),
            ("blanks", blanks),
            ("digits", digits),
            ("base64", base64),
            ("emoji", emoji),
        ] {
            let (tokens, exactness) = counted(&text, Table::O200k);
            let all = whole(&text, Table::O200k);
            assert_eq!(exactness, Exactness::Estimate, "{name}");
            assert!(tokens.abs_diff(all) * 50 <= all, "{name}: {tokens} instead of {all}");
        }
    }

    #[test]
    fn one_dear_passage_does_not_speak_for_the_rest() {
        let prose = "They came back to the house by the river, and nobody asked them anything. ".repeat(700);
        let noise: String = (0..40_000_u64)
            .map(|n| char::from(b'a' + (((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 26) as u8))
            .collect();
        let text = [prose.as_str(), &noise, &prose].concat();
        let (tokens, _) = counted(&text, Table::Cl100k);
        let all = whole(&text, Table::Cl100k);
        assert!(tokens.abs_diff(all) * 7 <= all, "{tokens} instead of {all}");
    }

    #[test]
    fn languages_are_split_and_all_of_unicode_is_not() {
        let languages = "Größe, naïve; Привет, мир; Γειά σου — “hello” → 你好 👍🏽 1½ € ";
        assert_eq!(counted(languages, Table::O200k), (whole(languages, Table::O200k), Exactness::Exact));
        let scripts: String = (0x80..0x2000_u32).step_by(7).filter_map(char::from_u32).collect();
        let (tokens, exactness) = counted(&scripts.repeat(4), Table::O200k);
        let all = whole(&scripts.repeat(4), Table::O200k);
        assert_eq!(exactness, Exactness::Estimate);
        assert!(tokens.abs_diff(all) * 3 <= all, "{tokens} instead of {all}");
    }

    #[test]
    fn many_short_texts_are_bounded_like_a_long_one() {
        let mut counter = Counter::new(Table::O200k);
        for n in 0..20_000_u64 {
            counter.add(&format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        }
        assert_eq!(counter.finish().1, Exactness::Estimate);
        assert_eq!(counter.dear_bytes_left, 0);
    }

    #[test]
    fn a_scaled_table_rounds_up_and_is_never_exact() {
        assert_eq!(counted("Hello", Table::Claude), (2, Exactness::Estimate));
        assert_eq!(counted("", Table::Claude), (0, Exactness::Estimate));
    }
}
