//! What a reply says, in no dialect's words.

use serde_json::Value;

use crate::answers::{Answer, Said};

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    End,
    Length,
    Tools,
    Refusal,
}

/// What a reply says, each kind in its order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) text: String,
    /// With its signature, empty where there is none.
    pub(crate) thinking: Vec<(String, String)>,
    pub(crate) redacted: Vec<String>,
    /// Id, name, input.
    pub(crate) calls: Vec<(String, String, Value)>,
    pub(crate) stop: Stop,
    /// What stands beside the answer, each with the word for its kind: `token` for how likely one was, `page` for
    /// one that it leans on, `choice` for a further answer.
    pub(crate) beside: Vec<String>,
    /// The whole prompt, in tokens, what was read from or written to the cache included.
    pub(crate) input: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    /// All that was generated, in tokens, reasoning included.
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
}

impl Told {
    /// What `answer` says, told with all that a dialect may have.
    pub(crate) fn by(answer: &Answer) -> Self {
        let mut told = Self {
            text: String::new(),
            thinking: Vec::new(),
            redacted: Vec::new(),
            calls: Vec::new(),
            stop: match answer.stop.0 {
                "end_turn" => Stop::End,
                "max_tokens" => Stop::Length,
                "tool_use" => Stop::Tools,
                _ => Stop::Refusal,
            },
            beside: Vec::new(),
            input: 100,
            cache_read: 85,
            cache_write: 5,
            output: 20,
            reasoning: 7,
        };
        for said in &answer.said {
            match said {
                Said::Text(text) => told.text += text,
                Said::Thinking(text, signature) => {
                    told.thinking.push(((*text).to_owned(), (*signature).to_owned()));
                }
                Said::Redacted(data) => told.redacted.push((*data).to_owned()),
                Said::Call(id, name, input) => {
                    let input = serde_json::from_str(input).unwrap();
                    told.calls.push(((*id).to_owned(), (*name).to_owned(), input));
                }
            }
        }
        told
    }
}
