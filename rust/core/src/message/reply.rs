//! What a model answers, whole or piece by piece.

use super::Told;
use super::{CallIds, Citation, Fault, Logprob, Losses, Malformed, Part, Text};
use crate::event_stream::Message;
use crate::tap::{self, Outcome};

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) id: Option<Text<'a>>,
    /// The model that answered, as its provider calls it.
    pub(crate) model: Option<Text<'a>>,
    /// When, in seconds since 1970, where the provider says so.
    pub(crate) created: Option<u64>,
    pub(crate) parts: Vec<Part<'a>>,
    /// How likely the tokens of its texts were, where that was asked for and the client can be told.
    pub(crate) logprobs: Vec<Logprob<'a>>,
    pub(crate) stop: Stop,
    /// The stop sequence that it came to, where the provider says so and the client can be told.
    pub(crate) stop_sequence: Option<Text<'a>>,
    /// What the model answers besides, where several answers were asked for and the client can be told.
    pub(crate) further: Vec<Choice<'a>>,
    pub(crate) usage: Usage,
}

impl<'a> Reply<'a> {
    /// All answers, each with its number.
    pub(crate) fn choices(&self) -> impl Iterator<Item = Answer<'_, 'a>> {
        let first = Answer { index: 0, parts: &self.parts, logprobs: &self.logprobs, stop: self.stop };
        std::iter::once(first).chain(self.further.iter().map(|choice| Answer {
            index: choice.index,
            parts: &choice.parts,
            logprobs: &choice.logprobs,
            stop: choice.stop,
        }))
    }
}

/// One of several answers.
#[derive(Debug)]
pub(crate) struct Choice<'a> {
    /// Its number; that of a reply's own answer is 0.
    pub(crate) index: u64,
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) logprobs: Vec<Logprob<'a>>,
    pub(crate) stop: Stop,
    pub(crate) stop_sequence: Option<Text<'a>>,
}

/// One of several answers, as writers are given it.
pub(crate) struct Answer<'r, 'a> {
    pub(crate) index: u64,
    pub(crate) parts: &'r [Part<'a>],
    pub(crate) logprobs: &'r [Logprob<'a>],
    pub(crate) stop: Stop,
}

/// What of a reply the client's dialect has a place for. What it has none for, readers name and leave out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carries {
    /// Which stop sequence it was.
    pub(crate) stop_sequence: bool,
    /// How likely the tokens were.
    pub(crate) logprobs: bool,
    /// Several answers to one request.
    pub(crate) choices: bool,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It was done.
    End,
    /// It came to a stop sequence of the client.
    Sequence,
    /// The bound on tokens, or the end of the context window.
    Length,
    /// It waits for the results of tools.
    Tools,
    /// It refused, and says so.
    Refusal,
    /// A filter stepped in, the provider's or one of the model's own.
    Filter,
}

/// Token counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// The whole prompt, what was read from or written to the cache included.
    pub(crate) input: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    /// Of these, those that are to be kept for an hour.
    pub(crate) cache_write_1h: u64,
    /// All that was generated, reasoning included.
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
}

impl Usage {
    /// The counts as settlement has them.
    pub(crate) fn reported(&self) -> tap::Usage {
        tap::Usage {
            input_tokens: self.input,
            output_tokens: self.output,
            cached_input_tokens: self.cache_read,
            cache_write_tokens: self.cache_write,
            cache_write_1h_tokens: self.cache_write_1h,
            reasoning_tokens: self.reasoning,
            search_units: 0,
        }
    }
}

/// One step of a streamed answer. Readers begin with [`Event::Start`] and end with [`Event::End`] or
/// [`Event::Error`].
#[derive(Debug)]
pub(crate) enum Event<'a> {
    Start {
        id: Option<Text<'a>>,
        model: Option<Text<'a>>,
        created: Option<u64>,
        usage: Usage,
    },
    /// What follows is of the answer of this number, up to the next such event; before any it is of number 0. Only for
    /// clients that can be told of several.
    Choice(u64),
    Text(Text<'a>),
    /// How likely the tokens of the text that follows were, for clients that can be told.
    Logprobs(Vec<Logprob<'a>>),
    /// A piece of what the model says instead of an answer.
    Refusal(Text<'a>),
    Thinking(Text<'a>),
    /// The signature of the reasoning just told.
    Signature(Text<'a>),
    Redacted(Text<'a>),
    /// A tool is called; `call` counts the calls of this answer from 0.
    ToolCall {
        call: usize,
        id: Text<'a>,
        name: Text<'a>,
    },
    /// A piece of the JSON text of a call's input.
    ToolInput {
        call: usize,
        piece: Text<'a>,
    },
    /// A page that the text so far leans on.
    Citation(Citation<'a>),
    /// The stop sequence that the answer came to, for clients that can be told.
    StopSequence(Text<'a>),
    Stop(Stop),
    /// Running totals; the last ones count.
    Usage(Usage),
    /// The dialect's terminal event came.
    End,
    /// The upstream says that the answer failed.
    Error(Fault<'a>),
}

/// Makes events of the data of a dialect's stream.
pub(crate) trait StreamReader {
    /// Reads one event.
    fn read(&mut self, data: &str, sink: &mut Sink<'_>) -> Result<(), Malformed>;

    /// The upstream's stream is over, and no terminal event has come: the last events, of a dialect that has none.
    fn finish(&mut self, _sink: &mut Sink<'_>) -> Result<(), Malformed> {
        Err(Malformed::new("the stream ended before its last event"))
    }
}

/// Makes events of the messages of a dialect's binary event stream.
pub(crate) trait MessageReader {
    /// Reads one message.
    fn read(&mut self, message: &Message<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed>;
}

/// A reader, and with it how the events of its dialect's stream are framed.
pub(crate) enum Framed {
    /// Server-sent events.
    Sse(Box<dyn StreamReader + Send>),
    /// An `application/vnd.amazon.eventstream`.
    EventStream(Box<dyn MessageReader + Send>),
    /// Newline-delimited JSON.
    Lines(Box<dyn StreamReader + Send>),
}

/// Writes events as a dialect's stream.
pub(crate) trait StreamWriter {
    /// Writes what this event makes necessary.
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) -> Result<(), Malformed>;

    /// Names what of the stream, which is over, it could not express.
    fn name_losses(&self, _losses: &mut Losses) {}

    /// The number that the next event would have, where the dialect numbers them.
    fn sequence_number(&self) -> Option<u64> {
        None
    }
}

/// Where a reader hands its events.
pub(crate) struct Sink<'s> {
    pub(crate) writer: &'s mut dyn StreamWriter,
    /// What the writer has a place for.
    pub(crate) carries: Carries,
    pub(crate) losses: &'s mut Losses,
    pub(crate) out: &'s mut Vec<u8>,
    /// What is known of the stream as a whole.
    pub(crate) seen: &'s mut Outcome,
    /// Of what ids of calls are made that have none.
    pub(crate) ids: &'s mut CallIds<'static>,
    /// What was handed over.
    pub(crate) told: Told,
}

impl<'s> Sink<'s> {
    /// One for the next event.
    #[inline]
    pub(crate) fn new(
        writer: &'s mut dyn StreamWriter,
        carries: Carries,
        losses: &'s mut Losses,
        out: &'s mut Vec<u8>,
        seen: &'s mut Outcome,
        ids: &'s mut CallIds<'static>,
    ) -> Self {
        Self { writer, carries, losses, out, seen, ids, told: Told::default() }
    }

    /// Hands over one event.
    pub(crate) fn emit(&mut self, mut event: Event<'_>) -> Result<(), Malformed> {
        match &mut event {
            Event::ToolCall { call, id, .. } => {
                self.ids.name(id, *call);
                self.seen.content = true;
            }
            Event::Text(_) | Event::Refusal(_) | Event::Thinking(_) | Event::Redacted(_) => {
                self.seen.content = true;
            }
            Event::Choice(answer) => self.ids.turn_to(*answer),
            Event::Usage(usage) => self.seen.usage = Some(usage.reported()),
            Event::End => self.seen.terminal = true,
            Event::Error(_) => self.seen.error_event = true,
            Event::Start { .. }
            | Event::Signature(_)
            | Event::Logprobs(_)
            | Event::Citation(_)
            | Event::ToolInput { .. }
            | Event::StopSequence(_)
            | Event::Stop(_) => {}
        }
        self.told = self.told.and(&event);
        let over = matches!(event, Event::End | Event::Error(_));
        self.writer.write(event, self.out)?;
        if over {
            self.writer.name_losses(self.losses);
        }
        Ok(())
    }
}
