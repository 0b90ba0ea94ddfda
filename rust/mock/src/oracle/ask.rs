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
    /// Google's `generateContent`, and its streamed form as events.
    Gemini,
}

/// Whose API it is: how its callers show their key, and what shape its errors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// `OpenAI`.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google.
    Google,
}

impl Vendor {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Google];

    /// The provider's type, with which the names of a gateway's models end.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Google => "gemini",
        }
    }
}

/// What stands before a model's name in the paths of Google's API; its SDK calls either.
const MODELS: [&str; 2] = ["/v1beta/models/", "/v1/models/"];
const WHOLE: &str = ":generateContent";
const STREAMED: &str = ":streamGenerateContent";

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Chat, Self::Completions, Self::Responses, Self::Embeddings, Self::Messages, Self::Gemini];

    /// The name in scenario files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
        }
    }

    /// The path it is served under; `None` where the model stands in it.
    const fn path(self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("/v1/chat/completions"),
            Self::Completions => Some("/v1/completions"),
            Self::Responses => Some("/v1/responses"),
            Self::Embeddings => Some("/v1/embeddings"),
            Self::Messages => Some("/v1/messages"),
            Self::Gemini => None,
        }
    }

    /// Whose it is.
    pub const fn vendor(self) -> Vendor {
        match self {
            Self::Chat | Self::Completions | Self::Responses | Self::Embeddings => Vendor::OpenAi,
            Self::Messages => Vendor::Anthropic,
            Self::Gemini => Vendor::Google,
        }
    }

    /// The dialect that a request's target belongs to.
    pub fn of_target(target: &str) -> Option<Self> {
        let path = target.split('?').next().unwrap_or_default();
        if MODELS.iter().any(|models| path.starts_with(models))
            && (path.ends_with(WHOLE) || path.ends_with(STREAMED))
        {
            return Some(Self::Gemini);
        }
        Self::ALL.into_iter().find(|dialect| dialect.path() == Some(path))
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

    /// A request's target: path and query.
    pub fn target(&self, model: &str) -> String {
        match self.dialect.path() {
            Some(path) => path.to_owned(),
            None if self.stream => format!("/v1beta/models/{model}{STREAMED}?alt=sse"),
            None => format!("/v1beta/models/{model}{WHOLE}"),
        }
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
            Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]}),
        };
        if let (Value::Object(members), Some(_)) = (&mut body, self.dialect.path()) {
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
    pub fn read(dialect: Dialect, target: &str, body: &[u8]) -> Result<Self, String> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let stream_named = path.ends_with(STREAMED);
        if stream_named && !query.split('&').any(|pair| pair == "alt=sse") {
            return Err("the oracle streams events: ask with `?alt=sse`".to_owned());
        }
        let body: Value = serde_json::from_slice(body).map_err(|e| format!("the body is not JSON: {e}"))?;
        let prompt = match dialect {
            Dialect::Chat | Dialect::Messages => last_message(&body),
            Dialect::Completions => body.get("prompt").and_then(Value::as_str),
            Dialect::Responses => body.get("input").and_then(Value::as_str).or_else(|| last_input(&body)),
            Dialect::Embeddings => body
                .get("input")
                .and_then(|input| input.as_str().or_else(|| input.get(0).and_then(Value::as_str))),
            Dialect::Gemini => last_content(&body),
        };
        let mut ask = Self {
            dialect,
            stream: match dialect {
                Dialect::Gemini => stream_named,
                _ => body.get("stream").and_then(Value::as_bool).unwrap_or(false),
            },
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

fn last_content(body: &Value) -> Option<&str> {
    content_text(body.get("contents")?.as_array()?.last()?.get("parts")?)
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
                let usage = usage && dialect.vendor() != Vendor::Google;
                let plan = "rst:10,clean".parse().unwrap();
                let ask = Ask { dialect, stream, usage, id: 9, seed: u64::MAX, events: 3, size: 8, plan };
                let target = ask.target("any");
                assert_eq!(Ask::read(dialect, &target, &ask.body("any")).unwrap(), ask);
                assert_eq!(Dialect::of_target(&target), Some(dialect));
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let read = |prompt: &str| {
            let body = json!({ "prompt": prompt }).to_string();
            Ask::read(Dialect::Completions, "/v1/completions", body.as_bytes())
        };
        let array = Ask::read(Dialect::Gemini, "/v1beta/models/any:streamGenerateContent", b"{}");
        assert!(array.unwrap_err().contains("`?alt=sse`"));
        assert!(read("hello").unwrap_err().contains("the prompt must be `oracle"));
        assert!(read("oracle events=many").unwrap_err().contains("`events=many`"));
        assert!(read("oracle do=dance").unwrap_err().contains("unknown fault order `dance`"));
        assert!(read("oracle colour=red").unwrap_err().contains("known are"));
        assert!(read("oracle").is_ok());
    }
}
