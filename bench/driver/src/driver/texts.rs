//! Texts whose tokens are counted: what people and programs send, and what somebody sends who wants to be expensive.
//!
//! The words come in an order that does not repeat, so that a count cannot live on what it has seen just before.

use std::fmt::Write as _;

use llm_edge_bench::Failure;
use llm_edge_core::tokens::{self, Table};

const WORDS: &str = "the of and to in is that it was for on are as with his they at be this from have or by one had \
    not but what all were when we there can an your which their said if do will each about how up out them then she \
    many some so these would other into has more her two like him see time could no make than first been its who \
    now people my made over did down only way find use may water long little very after words called just where \
    most know government committee nevertheless photosynthesis extraordinary correspondence Mediterranean \
    reluctantly wavelength archaeologist hydraulic Copenhagen misunderstanding benchmark parliament sceptical \
    cinnamon thermodynamics quarrelled unemployment eighteenth peculiar veterinarian glacier Shakespeare \
    bureaucracy kaleidoscope litigation";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const SHORT_BYTES: usize = 100_000;
const LONG_BYTES: usize = 1_000_000;

/// The text of that name.
pub(crate) fn named(name: &str) -> Option<String> {
    Some(match name {
        "tokens_prose_100k" => lines(SHORT_BYTES, prose),
        "tokens_code_100k" => lines(SHORT_BYTES, code),
        "tokens_json_100k" => lines(SHORT_BYTES, json),
        "tokens_hostile_a_1m" => "a".repeat(LONG_BYTES),
        "tokens_hostile_space_1m" => " ".repeat(LONG_BYTES),
        "tokens_hostile_base64_1m" => lines(LONG_BYTES, base64),
        _ => return None,
    })
}

/// Counts its tokens so many times.
#[inline(never)]
pub(crate) fn count(text: &str, times: u32) -> Result<(), Failure> {
    for _ in 0..times {
        let (tokens, _) = tokens::count(std::hint::black_box(text), Table::O200k);
        if tokens == 0 {
            return Err("no tokens".into());
        }
    }
    Ok(())
}

/// One line after another, made of numbers without a pattern, until there are so many bytes.
fn lines(bytes: usize, line: fn(&mut Mixed, &mut String)) -> String {
    let mut mixed = Mixed(1);
    let mut text = String::with_capacity(bytes + 4096);
    while text.len() < bytes {
        line(&mut mixed, &mut text);
    }
    text.truncate(bytes);
    text
}

fn prose(mixed: &mut Mixed, text: &mut String) {
    for _ in 0..6 + mixed.below(12) {
        text.push_str(mixed.word());
        text.push_str(if mixed.below(12) == 0 { ", " } else { " " });
    }
    text.push_str(mixed.word());
    text.push_str(if mixed.below(5) == 0 { ".\n\n" } else { ". " });
}

fn code(mixed: &mut Mixed, text: &mut String) {
    let (name, other, number) = (mixed.word(), mixed.word(), mixed.below(5000));
    // Writing to a String cannot fail.
    let _ = match mixed.below(4) {
        0 => writeln!(text, "    let {name}_{other} = self.{other}.get({number}).unwrap_or_default();"),
        1 => writeln!(
            text,
            "    if {name} > {number:#x} && !{other}.is_empty() {{\n        return Err({name}Error);\n    }}"
        ),
        2 => writeln!(
            text,
            "    for ({name}, value) in {other}.iter().enumerate() {{ // {name} of {other}\n    }}"
        ),
        _ => writeln!(text, "pub fn {name}{number}({other}: &str) -> Result<(), Failure> {{\n}}\n"),
    };
}

fn json(mixed: &mut Mixed, text: &mut String) {
    let (name, other, number) = (mixed.word(), mixed.word(), mixed.below(100_000));
    let _ = write!(
        text,
        r#"{{"id":{number},"{name}":"{other} {name}","limits":[{}, {}],"nested":{{"kind":"{other}","on":true,"of":null}}}},"#,
        mixed.below(100),
        mixed.below(10_000),
    );
}

fn base64(mixed: &mut Mixed, text: &mut String) {
    text.extend((0..64).filter_map(|_| BASE64.get(mixed.below(64))).map(|byte| char::from(*byte)));
}

/// Numbers that look random and are the same each time (splitmix64).
struct Mixed(u64);

impl Mixed {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (bound as u64)).unwrap_or_default()
    }

    /// The first ones come often, as in a language.
    fn word(&mut self) -> &'static str {
        let rank = self.below(120) * self.below(120) / 120;
        WORDS.split_ascii_whitespace().nth(rank).unwrap_or("the")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_the_length_in_its_name() {
        for kind in ["prose", "code", "json"] {
            assert_eq!(named(&format!("tokens_{kind}_100k")).unwrap().len(), SHORT_BYTES);
        }
        for kind in ["a", "space", "base64"] {
            assert_eq!(named(&format!("tokens_hostile_{kind}_1m")).unwrap().len(), LONG_BYTES);
        }
        assert!(named("tokens").is_none());
    }
}
