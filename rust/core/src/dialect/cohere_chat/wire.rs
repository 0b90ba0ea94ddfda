//! The objects of replies and events. Source: Cohere `OpenAPI` document, `AssistantMessageResponse`, `Usage`,
//! `ChatStreamEventType` and the events that extend it.

use serde_json::value::RawValue;

use crate::message::Text;
use crate::message::read::object;

object! {
    /// A whole reply.
    Reply<'a> {
        id: Text<'a>,
        finish_reason: Text<'a>,
        message: Message<'a>,
        usage: Usage<'a>,
        logprobs: &'a RawValue,
        ..rest
    }
}

object! {
    Message<'a> {
        content: Vec<Part<'a>>,
        tool_plan: Text<'a>,
        tool_calls: Vec<ToolCall<'a>>,
        citations: &'a RawValue,
        ..rest
    }
}

object! {
    /// A piece of content, or of an event's.
    Part<'a> { kind as "type": Text<'a>, text: Text<'a>, thinking: Text<'a>, ..rest }
}

object! {
    ToolCall<'a> { id: Text<'a>, kind as "type": Text<'a>, function: Function<'a>, ..rest }
}

object! {
    Function<'a> { name: Text<'a>, arguments: Text<'a>, ..rest }
}

object! {
    Usage<'a> { tokens: Tokens<'a>, billed_units: Tokens<'a>, cached_tokens: &'a RawValue, }
}

object! {
    /// Each a number, whole but maybe written with a fraction.
    Tokens<'a> { input_tokens: &'a RawValue, output_tokens: &'a RawValue, }
}

object! {
    /// An event of a stream, of any type.
    Event<'a> {
        kind as "type": Text<'a>,
        id: Text<'a>,
        index: u64,
        delta: Delta<'a>,
        logprobs: &'a RawValue,
        message: &'a RawValue,
    }
}

object! {
    Delta<'a> {
        message: Piece<'a>,
        finish_reason: Text<'a>,
        usage: Usage<'a>,
        error: &'a RawValue,
        ..rest
    }
}

object! {
    /// What an event adds to the message: one of each where the whole message has a list.
    Piece<'a> {
        content: &'a RawValue,
        tool_plan: Text<'a>,
        tool_calls: &'a RawValue,
        citations: &'a RawValue,
        ..rest
    }
}
