//! Which conversation a request goes on with: a number that is the same for all its turns.
//!
//! What a client says of it counts first; without that, the words of its first turn, which every later request repeats.
//! Not how they are written: markers for prompt caches move from turn to turn.

use twox_hash::XxHash3_64;

use super::needs::at;
use crate::dialect::{Dialect, facts};
use crate::scan::{Elements, Members};

/// The number; `None` where nothing is said.
pub fn conversation(body: &[u8], dialect: Dialect) -> Option<u64> {
    let contents = &facts(dialect).contents;
    let said = contents.conversation.iter().filter_map(|path| at(body, path));
    if let Some(said) = said.filter(|value| value.starts_with(b"\"")).find(|value| value.len() > 2) {
        return Some(XxHash3_64::oneshot(said));
    }
    let turns = at(body, &[contents.turns])?;
    let mut words = Words { hash: XxHash3_64::new(), any: false };
    match Elements::of(turns) {
        Some(elements) => words.of_turn(first_of_user(elements)?, contents.parts, 0),
        // A text alone is the first turn.
        None => words.add(turns),
    }
    words.any.then(|| std::hash::Hasher::finish(&words.hash))
}

/// The first turn of the user's; the first at all where none says whose it is.
fn first_of_user(mut turns: Elements<'_>) -> Option<&[u8]> {
    let mut first = None;
    while let Ok(Some(turn)) = turns.next() {
        if at(turn, &["role"]) == Some(b"\"user\"") {
            return Some(turn);
        }
        first = first.or(Some(turn));
    }
    first
}

struct Words {
    hash: XxHash3_64,
    any: bool,
}

impl Words {
    fn add(&mut self, value: &[u8]) {
        std::hash::Hasher::write(&mut self.hash, value);
        self.any = true;
    }

    fn of_turn(&mut self, value: &[u8], parts: &[&str], depth: usize) {
        let Some(mut members) = Members::of_value(value, 0) else {
            if value.starts_with(b"\"") {
                self.add(value);
            }
            return;
        };
        while let Ok(Some(member)) = members.next() {
            let (key, found) = (member.key.raw.of(value), member.value(value));
            if key == b"text" {
                self.add(found);
            } else if depth < 2 && parts.iter().any(|name| name.as_bytes() == key) {
                match Elements::of(found) {
                    None => self.add(found),
                    Some(mut elements) => {
                        while let Ok(Some(element)) = elements.next() {
                            self.of_turn(element, parts, depth + 1);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_of_a_conversation_has_its_number() {
        let first = br#"{"messages":[{"role":"system","content":"today is Monday"},
            {"role":"user","content":[{"type":"text","text":"hello","cache_control":{"type":"ephemeral"}}]}]}"#;
        let second = br#"{"messages":[{"role":"system","content":"today is Tuesday"},
            {"role":"user","content":[{"type":"text","text":"hello"}]},
            {"role":"assistant","content":"hi"},{"role":"user","content":"and now?"}]}"#;
        let other = br#"{"messages":[{"role":"user","content":[{"type":"text","text":"hallo"}]}]}"#;
        let of = |body: &[u8]| conversation(body, Dialect::OpenaiChat);
        assert!(of(first).is_some());
        assert_eq!(of(first), of(second));
        assert_ne!(of(first), of(other));
        assert_eq!(of(br#"{"messages":[]}"#), None);
    }

    #[test]
    fn what_the_client_says_counts_first() {
        let of = |body: &[u8]| conversation(body, Dialect::OpenaiResponses);
        let one = br#"{"prompt_cache_key":"chat-7","input":"a"}"#;
        let two = br#"{"input":[{"role":"user","content":"b"}],"prompt_cache_key":"chat-7"}"#;
        assert_eq!(of(one), of(two));
        assert_eq!(of(br#"{"input":"a"}"#), of(br#"{"input":"a","prompt_cache_key":null}"#));
        assert_ne!(of(one), of(br#"{"input":"a"}"#));
    }
}
