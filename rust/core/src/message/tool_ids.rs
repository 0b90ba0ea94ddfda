//! Ids of tool calls where a provider insists on a form of its own.
//!
//! The same id becomes the same everywhere, in every turn: a conversation stays the beginning of its continuation.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Part, Request, Text};
use crate::scan::Cuts;

impl Request<'_> {
    /// Gives calls of tools, and their results, ids of so many letters and digits where theirs are others.
    pub(crate) fn fit_tool_ids(&mut self, length: u8) {
        for block in self.turns.iter_mut().flat_map(|turn| &mut turn.blocks) {
            if let Part::ToolCall { id, .. } | Part::ToolResult { id, .. } = &mut block.part
                && let Some(fit) = fit(id.raw(), usize::from(length))
            {
                *id = Text::escaped(fit);
            }
        }
    }
}

/// As much of a chat request as is looked at.
#[derive(Deserialize)]
struct Chat<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    tool_call_id: Option<&'a RawValue>,
    tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// A chat request, which comes in pieces, in which ids of tool calls are of so many letters and digits, the others
/// replaced; `None` where there is nothing to replace, or what is no chat request is the provider's to refuse.
pub fn fitted(pieces: &[&[u8]], length: u8) -> Option<Vec<u8>> {
    // Both members with such ids begin so.
    pieces.iter().find_map(|piece| memchr::memmem::find(piece, b"\"tool_call"))?;
    let body = pieces.concat();
    let chat: Chat<'_> = serde_json::from_slice(&body).ok()?;
    let ids = chat.messages.iter().flat_map(|message| {
        let calls = message.tool_calls.iter().flatten().filter_map(|call| call.id);
        calls.chain(message.tool_call_id)
    });
    let mut cuts = Cuts::of(&body);
    for raw in ids.filter_map(|id| id.get().strip_prefix('"')?.strip_suffix('"')) {
        if let Some(fit) = fit(raw, usize::from(length)) {
            cuts.replace(raw.as_bytes(), fit);
        }
    }
    cuts.apply()
}

/// `None` where the id, as it stands in JSON, is as it must be.
fn fit(written: &str, length: usize) -> Option<String> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // However it is written: the same id.
    let id = Text::plain(written).decode()?;
    if id.len() == length && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let hash = blake3::hash(id.as_bytes());
    let digits = hash.as_bytes().iter().filter_map(|byte| DIGITS.get(usize::from(*byte) % DIGITS.len()));
    Some(digits.take(length).map(|digit| char::from(*digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(body: &str) -> Option<String> {
        let (one, other) = body.as_bytes().split_at(body.len().min(3));
        fitted(&[one, other], 9).map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn only_the_ids_that_do_not_fit_are_replaced() {
        let body = |id: &str| {
            format!(
                r#"{{ "messages" : [{{"role":"assistant","content":"\"tool_call_id\":\"call_1\"", "tool_calls":[{{"id" : "{id}","function":{{"name":"f","arguments":"{{\"id\":\"call_1\"}}"}}}},{{"id":"D681PevKs"}}]}},
                {{"tool_call_id":"{id}","content":"ü"}},{{"tool_call_id":"D681PevKs","tool_calls":null}}],"id":"call_1" }}"#
            )
        };
        let fit = fit("call_1", 9).unwrap();
        assert!(fit.len() == 9 && fit.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(changed(&body("call_1")).unwrap(), body(&fit));
        assert_eq!(changed(&body("D681PevKs")), None);
    }

    #[test]
    fn the_members_of_a_message_may_stand_in_any_order() {
        let body = |id: &str| {
            format!(r#"{{"messages":[{{"tool_call_id":"{id}","tool_calls":[{{"id":"{id}"}}]}}]}}"#)
        };
        assert_eq!(changed(&body("a\\\"b")).unwrap(), body(&fit("a\\\"b", 9).unwrap()));
        assert_eq!(fit("a\\/b", 9), fit("a/b", 9));
        assert_eq!(fit("\\u0041BCDEFGH1", 9), None);
    }

    #[test]
    fn what_is_no_chat_request_stays_as_it_is() {
        for body in [
            "",
            "{}",
            r#"{"tool_calls":[{"id":"x"}]}"#,
            r#"{"messages":[{"tool_call_id":7}]}"#,
            r#"{"messages":[{"tool_call_id":"a","tool_call_id":"b"}]}"#,
            r#"{"messages":[{"tool_call_id":"a"}"#,
        ] {
            assert_eq!(changed(body), None, "{body}");
        }
    }
}
