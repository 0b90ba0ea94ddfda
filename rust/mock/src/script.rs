//! What a model will say, before any surface puts it into its own words.
//!
//! Invariant: the usage is counted on the script, so a streamed and a whole reply tell the same numbers.

use crate::ask::{Ask, Plan, Thinking};
use crate::failure::Failure;
use crate::model::Model;
use crate::pieces::Run;
use crate::{lorem, pieces, schema};

/// A reply.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// What is said, in order; one text at most, one call at most.
    pub(crate) parts: Vec<Part>,
    pub(crate) finish: Finish,
    pub(crate) usage: Usage,
    /// What one content event of a stream holds.
    pub(crate) run: Run,
}

/// A part of a reply.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Thinking(String),
    Text(String),
    /// A tool call; the arguments are a JSON text.
    Call {
        name: String,
        arguments: String,
    },
}

/// Why a reply ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    /// The output limit was reached.
    Length,
    Calls,
    /// This stop string came up (and is not part of the text).
    StopString(String),
}

/// Pieces read and said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    /// Everything said, thinking included.
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
}

// A stream of a long text is cut into about so many events, not into one per piece.
const EVENTS_MAX: usize = 4096;
// Large events, well inside what a gateway must hold.
const BIG_RUN_BYTES: usize = 16 << 10;

impl Script {
    /// What `model` answers to `ask`.
    pub(crate) fn write(model: &Model, ask: &Ask) -> Result<Self, Failure> {
        let text = |text: String| vec![Part::Text(text)];
        let parts = match model {
            Model::Echo { .. } | Model::Flaky { .. } | Model::Slow { .. } => text(ask.user_text.clone()),
            Model::Lorem { tokens, seed, .. } => text(lorem::text(*tokens, *seed)),
            // More than is sent, so that something is missing.
            Model::Cut { after, .. } => text(lorem::text(after + 16, 0)),
            Model::Big { bytes } => text(lorem::bytes(*bytes)),
            Model::Thinking { .. } => thinking(ask),
            Model::Tools { .. } => call(ask)?,
            Model::Json { .. } if ask.schema.is_none() && ask.tool_demanded => call(ask)?,
            Model::Json { .. } => text(
                ask.schema
                    .as_ref()
                    .map_or_else(|| r#"{"ok":true}"#.to_owned(), |s| schema::example(s).to_string()),
            ),
            Model::Embed { .. } => {
                return Err(Failure::bad_request(
                    Some("model"),
                    "model: `embed` answers to requests for embeddings only",
                ));
            }
            Model::Rerank => {
                return Err(Failure::bad_request(
                    Some("model"),
                    "model: `rerank` answers on /v1/rerank only",
                ));
            }
            Model::Error { status, retry_after_s } => return Err(Failure::ordered(*status, *retry_after_s)),
            Model::Fixed(_) => text(String::new()), // Rendered by `fixed`, never from a request.
        };
        let mut script = Self::of(parts, ask);
        match model {
            Model::Lorem { .. } | Model::Cut { .. } => script.run = Run::Pieces(1),
            Model::Big { .. } => script.run = Run::Bytes(BIG_RUN_BYTES),
            _ => {}
        }
        Ok(script)
    }

    /// The script that says `parts` within the limits of `ask`.
    pub(crate) fn of(mut parts: Vec<Part>, ask: &Ask) -> Self {
        let finish = confine(&mut parts, ask);
        let count = |part: &Part| match part {
            Part::Thinking(text) | Part::Text(text) => pieces::count(text),
            Part::Call { name, arguments } => pieces::count(name) + pieces::count(arguments),
        };
        let output: u64 = parts.iter().map(count).sum();
        let reasoning = parts.iter().filter(|part| matches!(part, Part::Thinking(_))).map(count).sum();
        let run = Run::Pieces(usize::try_from(output).unwrap_or(usize::MAX) / EVENTS_MAX + 1);
        Self { parts, finish, usage: Usage { input: ask.input_tokens, output, reasoning }, run }
    }

    /// The text of the reply.
    pub(crate) fn text(&self) -> Option<&str> {
        self.parts
            .iter()
            .find_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
    }

    /// The thinking before it.
    pub(crate) fn thinking(&self) -> Option<&str> {
        self.parts
            .iter()
            .find_map(|part| if let Part::Thinking(text) = part { Some(text.as_str()) } else { None })
    }
}

/// Cuts text at a stop string and at the output limit. Calls are left whole: half of one is of no use.
fn confine(parts: &mut Vec<Part>, ask: &Ask) -> Finish {
    let mut finish = Finish::Stop;
    let mut left = ask.output_limit.unwrap_or(u64::MAX);
    for part in parts.iter_mut() {
        match part {
            Part::Call { .. } => finish = Finish::Calls,
            Part::Thinking(text) | Part::Text(text) if left == 0 => text.clear(),
            Part::Thinking(text) => left = left.saturating_sub(shorten(text, left, &mut finish)),
            Part::Text(text) => {
                if let Some((at, stop)) = first_stop(text, &ask.stops) {
                    text.truncate(at);
                    finish = Finish::StopString(stop);
                }
                left = left.saturating_sub(shorten(text, left, &mut finish));
            }
        }
    }
    if finish == Finish::Length {
        parts.retain(|part| !matches!(part, Part::Text(text) | Part::Thinking(text) if text.is_empty()));
    }
    finish
}

/// Keeps the first `limit` pieces; returns how many are left.
fn shorten(text: &mut String, limit: u64, finish: &mut Finish) -> u64 {
    let kept = pieces::first(text, limit).len();
    if kept < text.len() {
        text.truncate(kept);
        *finish = Finish::Length;
    }
    pieces::count(text)
}

fn first_stop(text: &str, stops: &[String]) -> Option<(usize, String)> {
    stops.iter().filter_map(|stop| Some((text.find(stop.as_str())?, stop.clone()))).min_by_key(|(at, _)| *at)
}

fn thinking(ask: &Ask) -> Vec<Part> {
    let answer = Part::Text(format!("Having thought about it: {}", ask.user_text));
    if ask.thinking == Thinking::Off {
        return vec![answer];
    }
    let thought =
        format!("The user said {} words. {}", ask.user_text.split_whitespace().count(), lorem::text(24, 0));
    vec![Part::Thinking(thought), answer]
}

fn call(ask: &Ask) -> Result<Vec<Part>, Failure> {
    if let Some(result) = &ask.tool_result {
        return Ok(vec![Part::Text(format!("The tool answered: {result}"))]);
    }
    let Some(tool) = &ask.tool else {
        let message =
            "tools: the model `tools` calls the first function of `tools`, and there is none it may call";
        return Err(Failure::bad_request(Some("tools"), message));
    };
    let arguments = schema::example_object(&tool.schema).to_string();
    let plan = (ask.plan == Plan::Told).then(|| Part::Text(format!("I will call {}.", tool.name)));
    Ok(plan.into_iter().chain([Part::Call { name: tool.name.clone(), arguments }]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(ask: &Ask) -> Script {
        Script::write(&Model::parse("echo").unwrap(), ask).unwrap()
    }

    #[test]
    fn the_limit_counts_thinking_and_ends_the_reply() {
        let ask = Ask { user_text: "a b c".to_owned(), output_limit: Some(2), ..Ask::default() };
        let script = echo(&ask);
        assert_eq!(
            (script.text(), script.finish.clone(), script.usage.output),
            (Some("a b"), Finish::Length, 2)
        );
        let script = Script::write(&Model::parse("thinking").unwrap(), &ask).unwrap();
        assert_eq!((script.text(), script.finish.clone(), script.usage.reasoning), (None, Finish::Length, 2));
    }

    #[test]
    fn the_first_stop_string_ends_the_text_and_is_not_part_of_it() {
        let stops = vec!["three".to_owned(), "two".to_owned()];
        let ask = Ask { user_text: "one two three".to_owned(), stops, ..Ask::default() };
        let script = echo(&ask);
        assert_eq!(
            (script.text(), script.finish.clone()),
            (Some("one "), Finish::StopString("two".to_owned()))
        );
    }

    #[test]
    fn a_limit_that_is_met_exactly_is_not_a_cut() {
        let ask = Ask { user_text: "a b c".to_owned(), output_limit: Some(3), ..Ask::default() };
        assert_eq!(echo(&ask).finish, Finish::Stop);
    }
}
