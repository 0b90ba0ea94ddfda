//! Replies of the dialect, whole and streamed → the canonical form.
//!
//! Invariant: one block is open at a time, and a delta belongs to it or the stream is malformed. Usage in a
//! stream is told twice, field by field the last value counts.

use serde_json::value::RawValue;

use super::wire;
use crate::message::read::At;
use crate::message::{
    Citation, Event, Fault, Losses, Malformed, Part, Reply, Sink, Stop, StreamReader, Text, Untranslatable,
    Usage,
};

/// Members that are the same in every reply, or tell of the serving and not of the reply.
const HARMLESS: &[&str] = &["type", "role", "diagnostics"];

/// Members of blocks: that a call comes from the model itself, and into which toolset it belongs.
const HARMLESS_IN_BLOCKS: &[&str] = &["caller", "toolset_name"];

/// Reads a whole reply.
pub(super) fn reply<'a>(body: &'a str, losses: &mut Losses) -> Result<Reply<'a>, Malformed> {
    let at = At::ROOT;
    let body: wire::Reply<'a> = at.parse(body)?;
    if let Some(error) = body.error {
        return Err(Fault::of_error(error).inside_reply());
    }
    losses.unknown("", &body.rest, HARMLESS);
    let blocks = at.required("content", body.content)?;
    let mut parts = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.into_iter().enumerate() {
        let list = at.member("content");
        let at = list.index(index);
        losses.unknown("content[].", &block.rest, HARMLESS_IN_BLOCKS);
        let cited = citations(block.citations, losses)?;
        let kind = at.required("type", block.kind)?;
        parts.push(match kind.raw() {
            "text" => Part::Text(at.required("text", block.text)?),
            "thinking" => Part::Thinking {
                text: at.required("thinking", block.thinking)?,
                signature: block.signature.filter(|signature| !signature.is_empty()),
            },
            "redacted_thinking" => Part::Redacted(at.required("data", block.data)?),
            "tool_use" => Part::ToolCall {
                id: at.required("id", block.id)?,
                name: at.required("name", block.name)?,
                input: input(at.required("input", block.input)?)?.into(),
            },
            other => {
                losses.named("content[].", other);
                continue;
            }
        });
        parts.extend(cited.into_iter().map(Part::Citation));
    }
    let reason = at.required("stop_reason", body.stop_reason)?;
    let mut usage = Usage::default();
    take(&mut usage, body.usage.as_ref());
    Ok(Reply {
        id: body.id,
        model: body.model,
        created: None,
        parts,
        logprobs: Vec::new(),
        stop: stop(&reason, losses),
        // It is named as lost: clients that could be told which it was speak this dialect themselves.
        stop_sequence: None,
        further: Vec::new(),
        usage,
    })
}

/// The pages that a text leans on; places in documents are lost.
fn citations<'a>(
    list: Option<&'a RawValue>,
    losses: &mut Losses,
) -> Result<Vec<Citation<'a>>, Untranslatable> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let list: Vec<wire::Citation<'a>> = At::ROOT.member("citations").parse(list.get())?;
    Ok(list.into_iter().filter_map(|one| citation(one, losses)).collect())
}

fn citation<'a>(told: wire::Citation<'a>, losses: &mut Losses) -> Option<Citation<'a>> {
    let of_web = told.kind.as_ref().is_some_and(|kind| kind.raw() == "web_search_result_location");
    let Some(url) = told.url.filter(|_| of_web) else {
        losses.add("content[].citations");
        return None;
    };
    // The index is for Anthropic to read.
    losses.unknown("content[].citations[].", &told.rest, &["encrypted_index"]);
    Some(Citation::of(url, told.title))
}

/// The JSON text of a tool's input.
fn input(value: &RawValue) -> Result<&str, Malformed> {
    let json = value.get();
    if json.starts_with('{') { Ok(json) } else { Err(Malformed::new("the input of a tool is not an object")) }
}

fn stop(reason: &Text<'_>, losses: &mut Losses) -> Stop {
    match reason.raw() {
        "end_turn" => Stop::End,
        "stop_sequence" => Stop::Sequence,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::Tools,
        // Classifiers step in; the model itself refuses in ordinary texts. Source: Anthropic documentation, "Handling
        // stop reasons".
        "refusal" => Stop::Filter,
        _ => {
            losses.add("stop_reason");
            Stop::End
        }
    }
}

/// Takes over what `told` says. Here the parts of the prompt are counted apart.
fn take(usage: &mut Usage, told: Option<&wire::Usage>) {
    let Some(told) = told else { return };
    let rest = usage.input.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write);
    usage.cache_read = told.cache_read_input_tokens.unwrap_or(usage.cache_read);
    usage.cache_write = told.cache_creation_input_tokens.unwrap_or(usage.cache_write);
    let creation = told.cache_creation.as_ref();
    usage.cache_write_1h =
        creation.and_then(|creation| creation.ephemeral_1h_input_tokens).unwrap_or(usage.cache_write_1h);
    let rest = told.input_tokens.unwrap_or(rest);
    usage.input = rest.saturating_add(usage.cache_read).saturating_add(usage.cache_write);
    usage.output = told.output_tokens.unwrap_or(usage.output);
    let details = told.output_tokens_details.as_ref();
    usage.reasoning = details.and_then(|details| details.thinking_tokens).unwrap_or(usage.reasoning);
}

/// Reads a stream of events.
#[derive(Default)]
pub(super) struct Events {
    started: bool,
    stopped: bool,
    open: Option<Open>,
    calls: usize,
    usage: Usage,
}

/// The block under way.
struct Open {
    index: u64,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Thinking,
    Tool {
        call: usize,
        /// Whether a piece of its input came.
        told: bool,
    },
    /// One that has no deltas, or is named as lost.
    Silent,
}

impl StreamReader for Events {
    fn read(&mut self, data: &str, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        let event: wire::Event<'_> = At::ROOT.parse(data)?;
        let kind = event.kind.as_ref().map_or("", Text::raw);
        match kind {
            "ping" => return Ok(()),
            "error" => return sink.emit(Event::Error(Fault::of_body(data.as_bytes()))),
            "message_start" => return self.start(event.message.unwrap_or_default(), sink),
            _ if !self.started => {
                return Err(Malformed::new("the stream does not begin with `message_start`"));
            }
            _ => {}
        }
        match kind {
            "content_block_start" => {
                self.close(sink)?;
                let index = event.index.unwrap_or_default();
                self.open_block(index, event.content_block.unwrap_or_default(), sink)
            }
            "content_block_delta" => {
                let delta = event.delta.unwrap_or_default();
                match &mut self.open {
                    Some(open) if Some(open.index) == event.index => open.delta(delta, sink),
                    _ => Err(Malformed::new("a delta is of a block that is not open")),
                }
            }
            "content_block_stop" => self.close(sink),
            "message_delta" => {
                self.close(sink)?;
                take(&mut self.usage, event.usage.as_ref());
                let delta = event.delta.unwrap_or_default();
                sink.losses.unknown("", &delta.rest, HARMLESS);
                if let Some(reason) = delta.stop_reason {
                    self.stopped = true;
                    let stop = stop(&reason, sink.losses);
                    sink.emit(Event::Stop(stop))?;
                }
                sink.emit(Event::Usage(self.usage))
            }
            "message_stop" if self.stopped => sink.emit(Event::End),
            "message_stop" => Err(Malformed::new("`message_stop` came before any `stop_reason`")),
            // The reference asks to pass over event types that are not known.
            _ => Ok(()),
        }
    }
}

impl Events {
    fn start(&mut self, message: wire::Reply<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        if std::mem::replace(&mut self.started, true) {
            return Err(Malformed::new("`message_start` came twice"));
        }
        sink.losses.unknown("", &message.rest, HARMLESS);
        take(&mut self.usage, message.usage.as_ref());
        sink.emit(Event::Start { id: message.id, model: message.model, created: None, usage: self.usage })
    }

    fn open_block(
        &mut self,
        index: u64,
        block: wire::Block<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        let at = At::ROOT.member("content_block");
        sink.losses.unknown("content[].", &block.rest, HARMLESS_IN_BLOCKS);
        let kind = at.required("type", block.kind)?;
        let some = |text: &Text<'_>| !text.is_empty();
        let kind = match kind.raw() {
            "text" => {
                block.text.filter(some).map_or(Ok(()), |text| sink.emit(Event::Text(text)))?;
                for citation in citations(block.citations, sink.losses)? {
                    sink.emit(Event::Citation(citation))?;
                }
                Kind::Text
            }
            "thinking" => {
                block.thinking.filter(some).map_or(Ok(()), |text| sink.emit(Event::Thinking(text)))?;
                block.signature.filter(some).map_or(Ok(()), |text| sink.emit(Event::Signature(text)))?;
                Kind::Thinking
            }
            "redacted_thinking" => {
                sink.emit(Event::Redacted(at.required("data", block.data)?))?;
                Kind::Silent
            }
            "tool_use" => {
                let call = self.calls;
                self.calls += 1;
                let (id, name) = (at.required("id", block.id)?, at.required("name", block.name)?);
                sink.emit(Event::ToolCall { call, id, name })?;
                let whole = block.input.map(input).transpose()?.filter(|json| *json != "{}");
                if let Some(json) = whole {
                    sink.emit(Event::ToolInput { call, piece: Text::escape(json) })?;
                }
                Kind::Tool { call, told: whole.is_some() }
            }
            other => {
                sink.losses.named("content[].", other);
                Kind::Silent
            }
        };
        self.open = Some(Open { index, kind });
        Ok(())
    }

    /// Ends the block under way. A tool without arguments streams none; here it has an empty object.
    fn close(&mut self, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        match self.open.take() {
            Some(Open { kind: Kind::Tool { call, told: false }, .. }) => {
                sink.emit(Event::ToolInput { call, piece: Text::plain("{}") })
            }
            _ => Ok(()),
        }
    }
}

impl Open {
    fn delta(&mut self, delta: wire::Delta<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        let some = |text: &Text<'_>| !text.is_empty();
        match (delta.kind.as_ref().map_or("", Text::raw), &mut self.kind) {
            (_, Kind::Silent) => Ok(()),
            ("text_delta", Kind::Text) => {
                delta.text.filter(some).map_or(Ok(()), |text| sink.emit(Event::Text(text)))
            }
            ("thinking_delta", Kind::Thinking) => {
                delta.thinking.filter(some).map_or(Ok(()), |text| sink.emit(Event::Thinking(text)))
            }
            ("signature_delta", Kind::Thinking) => {
                delta.signature.filter(some).map_or(Ok(()), |text| sink.emit(Event::Signature(text)))
            }
            ("input_json_delta", Kind::Tool { call, told }) => match delta.partial_json.filter(some) {
                Some(piece) => {
                    *told = true;
                    sink.emit(Event::ToolInput { call: *call, piece })
                }
                None => Ok(()),
            },
            ("citations_delta", _) => {
                let told = delta.citation.map(|one| At::ROOT.member("citation").parse(one.get()));
                let told = told.transpose()?.unwrap_or_default();
                citation(told, sink.losses).map_or(Ok(()), |one| sink.emit(Event::Citation(one)))
            }
            (other @ ("text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta"), _) => {
                Err(Malformed::new(format!("a `{other}` is of a block of another type")))
            }
            (other, _) => {
                sink.losses.named("content[].", other);
                Ok(())
            }
        }
    }
}
