//! The objects of the dialect, as far as they are read: replies, whole and line by line alike. Source: types of
//! the package `ollama` 0.6.3 (`ChatResponse`).

use serde_json::value::RawValue;

use crate::message::Text;
use crate::message::read::object;

object! {
    Reply<'a> {
        model: Text<'a>,
        created_at: Text<'a>,
        message: Message<'a>,
        done: bool,
        done_reason: Text<'a>,
        prompt_eval_count: u64,
        eval_count: u64,
        error: &'a RawValue,
        ..rest
    }
}

object! {
    Message<'a> {
        content: Text<'a>,
        thinking: Text<'a>,
        tool_calls: Vec<ToolCall<'a>>,
        ..rest
    }
}

object! {
    ToolCall<'a> { id: Text<'a>, function: Function<'a>, ..rest }
}

object! {
    Function<'a> { name: Text<'a>, arguments: &'a RawValue, ..rest }
}
