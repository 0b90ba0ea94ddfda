//! What is asked of the oracle: everything its reply depends on, said in the prompt, which every gateway
//! passes on unchanged.
//!
//! Both sides use this type: the client writes it into a request, the upstream reads it back out of one.

use serde_json::{Value, json};

use super::order::Plan;

/// An API as it is called; the oracle has its own list, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// `OpenAI` chat completions.
    Chat,
    /// `OpenAI` text completions.
    Completions,
    /// `OpenAI` responses.
    Responses,
    /// `OpenAI` embeddings.
    Embeddings,
    /// Anthropic messages.
    Messages,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Chat, Self::Completions, Self::Responses, Self::Embeddings, Self::Messages];

    /// The name in scenario files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
        }
    }

    /// The path it is served under.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Responses => "/v1/responses",
            Self::Embeddings => "/v1/embeddings",
            Self::Messages => "/v1/messages",
        }
    }

    /// Whether errors have Anthropic's shape.
    pub const fn is_anthropic(self) -> bool {
        matches!(self, Self::Messages)
    }

    /// The dialect a path belongs to; a base URL may have had a prefix of its own.
    pub fn of_path(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default();
        Self::ALL.into_iter().find(|dialect| path == dialect.path())
    }
}

/// A question, and with it the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The API it is asked through.
    pub dialect: Dialect,
    /// Whether the reply is streamed.
    pub stream: bool,
    /// Whether the stream is to report usage in a chunk of its own (chat and completions).
    pub usage: bool,
    /// Whose executions are counted together: one for each request of a client.
    pub id: u64,
    /// What the reply is a function of.
    pub seed: u64,
    /// Content events.
    pub events: u32,
    /// Bytes of text in each, about.
    pub size: u32,
    /// What happens to it on the way.
    pub plan: Plan,
}

/// Most content events of one reply.
const EVENTS_MAX: u32 = 100_000;
/// Most bytes of one event, and of one reply.
const SIZE_MAX: u32 = 1 << 20;

impl Ask {
    /// The prompt that says it.
    pub fn prompt(&self) -> String {
        format!(
            "oracle id={} seed={} events={} size={} do={}",
            self.id, self.seed, self.events, self.size, self.plan
        )
    }

    /// A request's body.
    pub fn body(&self, model: &str) -> Vec<u8> {
        let prompt = self.prompt();
        let mut body = match self.dialect {
            Dialect::Chat => json!({"model": model, "messages": [{"role": "user", "content": prompt}]}),
            Dialect::Completions => json!({"model": model, "prompt": prompt}),
            Dialect::Responses | Dialect::Embeddings => json!({"model": model, "input": prompt}),
            Dialect::Messages => json!({
                "model": model, "max_tokens": 4096, "messages": [{"role": "user", "content": prompt}],
            }),
        };
        if let Value::Object(members) = &mut body {
            if self.stream {
                drop(members.insert("stream".to_owned(), Value::Bool(true)));
            }
            if self.stream && self.usage {
                drop(members.insert("stream_options".to_owned(), json!({"include_usage": true})));
            }
        }
        body.to_string().into_bytes()
    }

    /// Reads what a request asks.
    ///
    /// # Errors
    /// A message for the client: no oracle prompt, or one that is not understood.
    pub fn read(dialect: Dialect, body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|e| format!("the body is not JSON: {e}"))?;
        let prompt = match dialect {
            Dialect::Chat | Dialect::Messages => last_message(&body),
            Dialect::Completions => body.get("prompt").and_then(Value::as_str),
            Dialect::Responses => body.get("input").and_then(Value::as_str).or_else(|| last_input(&body)),
            Dialect::Embeddings => body
                .get("input")
                .and_then(|input| input.as_str().or_else(|| input.get(0).and_then(Value::as_str))),
        };
        let mut ask = Self {
            dialect,
            stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
            usage: body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false),
            id: 0,
            seed: 0,
            events: 16,
            size: 40,
            plan: Plan::clean(),
        };
        ask.read_prompt(prompt.unwrap_or_default())?;
        Ok(ask)
    }

    fn read_prompt(&mut self, prompt: &str) -> Result<(), String> {
        let words =
            prompt.trim().strip_prefix("oracle").filter(|rest| rest.is_empty() || rest.starts_with(' '));
        let Some(words) = words else {
            return Err(
                "the prompt must be `oracle [id=N] [seed=N] [events=N] [size=BYTES] [do=ORDERS]`".to_owned()
            );
        };
        for word in words.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = |max: u64| match value.parse::<u64>() {
                Ok(number) if number <= max => Ok(number),
                _ => Err(format!("`{word}`: must be a whole number of at most {max}")),
            };
            let small = |max: u32| number(u64::from(max)).map(|n| u32::try_from(n).unwrap_or(max));
            match name {
                "id" => self.id = number(u64::MAX)?,
                "seed" => self.seed = number(u64::MAX)?,
                "events" => self.events = small(EVENTS_MAX)?,
                "size" => self.size = small(SIZE_MAX)?,
                "do" => self.plan = value.parse().map_err(|e| format!("{e}"))?,
                _ => return Err(format!("`{word}`: known are id, seed, events, size and do")),
            }
        }
        Ok(())
    }
}

fn last_message(body: &Value) -> Option<&str> {
    content_text(body.get("messages")?.as_array()?.last()?.get("content")?)
}

fn last_input(body: &Value) -> Option<&str> {
    content_text(body.get("input")?.as_array()?.last()?.get("content")?)
}

/// A text, or the last text of a list of parts: gateways that translate may write either.
fn content_text(content: &Value) -> Option<&str> {
    content.as_str().or_else(|| content.as_array()?.last()?.get("text")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_what_is_read() {
        for dialect in Dialect::ALL {
            for (stream, usage) in [(false, false), (true, false), (true, true)] {
                let plan = "rst:10,clean".parse().unwrap();
                let ask = Ask { dialect, stream, usage, id: 9, seed: u64::MAX, events: 3, size: 8, plan };
                assert_eq!(Ask::read(dialect, &ask.body("any")).unwrap(), ask);
                assert_eq!(Dialect::of_path(dialect.path()), Some(dialect));
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let read = |prompt: &str| {
            Ask::read(Dialect::Completions, json!({ "prompt": prompt }).to_string().as_bytes())
        };
        assert!(read("hello").unwrap_err().contains("the prompt must be `oracle"));
        assert!(read("oracle events=many").unwrap_err().contains("`events=many`"));
        assert!(read("oracle do=dance").unwrap_err().contains("unknown fault order `dance`"));
        assert!(read("oracle colour=red").unwrap_err().contains("known are"));
        assert!(read("oracle").is_ok());
    }
}
