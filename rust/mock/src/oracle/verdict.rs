//! The verdict on a reply.
//!
//! **EXACT**: everything the upstream meant, once, in order, to its terminal event, and to the byte; where the
//! gateway translates, all of the text and the end, in the client's words.
//!
//! **EXPLICIT ERROR**: what the official SDKs raise on, or what the upstream itself said in so many words:
//! - no reply at all: the connection failed before a final head (`APIConnectionError`);
//! - a status from 300 on (`APIStatusError`), whatever its body;
//! - a body whose framing breaks off: no last chunk, a short length, `RST_STREAM`, a torn compressed body
//!   (`httpx.RemoteProtocolError`, `DecodingError`);
//! - a document or an event that is not JSON (`JSONDecodeError`);
//! - an error event: on the `OpenAI` surfaces an event whose JSON has a truthy `error`, on Anthropic's an
//!   event named `error`, on Google's one whose data begins with `{"error":` (`openai/_streaming.py`,
//!   `anthropic/_streaming.py`, `google/genai/_api_client.py`);
//! - the very error event that the upstream was ordered to send, in its place and untouched, whatever its
//!   shape: a gateway that passes bytes on must not improve them.
//!
//! In each of these what came before must still be a true beginning of what the upstream meant.
//!
//! **VIOLATION**: all else. Lost, repeated, moved, changed or foreign content; U+FFFD; a proper end without the
//! upstream's terminal event; bytes behind the reply; nothing decided in time; one request executed twice.
//! Google has no terminal event: there the end is a chunk with a `finishReason`, and then the end of the body.
//!
//! A stream may end right behind a whole terminal event without its empty line (B07): no client misses
//! anything then. An error event or a cut behind the terminal event is an explicit error too: a client that stops
//! reading at the terminal event (`OpenAI`'s does) has everything, one that reads on (Anthropic's) raises.

use serde_json::Value;

use super::ask::{Ask, Dialect, Vendor};
use super::client::{Outcome, Received};
use super::coding;
use super::meaning::{GOOGLE_RAISES_ON, Meaning};
use super::order::{Order, Shape};
use super::reply::{Event, Reply, as_read, reply, written};
use super::sse::{self, Read};
use super::story;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What the upstream meant.
    Exact,
    /// A failure that says so, and how.
    ExplicitError(String),
    /// Neither, and why.
    Violation(String),
}

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// What must be as the upstream sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// Every byte, also those that no reader would see.
    Bytes,
    /// The text, and whether it ended well: for a gateway that writes replies anew, as each must that translates.
    Meaning,
}

/// Judges what came of a question whose last attempt had these orders.
pub fn judge(ask: &Ask, orders: &[Order], sameness: Sameness, outcome: &Outcome) -> Verdict {
    let reply = match outcome {
        Outcome::Hung => return Verdict::Violation("nothing was decided in time".to_owned()),
        Outcome::NoReply(why) => return Verdict::ExplicitError(format!("no reply: {why}")),
        Outcome::Reply(reply) => reply,
    };
    if let Some(why) = reply.cut.as_ref().and_then(|cut| cut.strip_prefix("VIOLATION: ")) {
        return Verdict::Violation(why.to_owned());
    }
    let body = decoded(reply);
    // Compressed bytes may look like anything.
    if let Some(foreign) = body.as_ref().ok().and_then(|body| foreign(ask, body)) {
        return Verdict::Violation(format!("content of another request: seed {foreign}"));
    }
    match reply.status {
        200 => {}
        300.. => return Verdict::ExplicitError(format!("status {}", reply.status)),
        status => return Verdict::Violation(format!("status {status} in place of 200")),
    }
    let body = match body {
        Ok(body) => body,
        Err(why) => return Verdict::ExplicitError(why),
    };
    if holds(&body, REPLACEMENT) {
        return Verdict::Violation("U+FFFD in the reply".to_owned());
    }
    match sameness {
        Sameness::Meaning => judge_meaning(ask, orders, reply, &body),
        Sameness::Bytes if ask.stream && ask.dialect != Dialect::Embeddings => {
            judge_stream(ask, orders, reply, &body)
        }
        Sameness::Bytes => judge_document(ask, orders, reply, &body),
    }
}

fn judge_meaning(ask: &Ask, orders: &[Order], reply: &Received, body: &[u8]) -> Verdict {
    let streamed = ask.stream && ask.dialect != Dialect::Embeddings;
    if !streamed && let Some(cut) = &reply.cut {
        return Verdict::ExplicitError(format!("the body broke off: {cut}"));
    }
    // Faults take something away; the whole is what was meant.
    let huge: Vec<Order> = orders.iter().copied().filter(|order| matches!(order, Order::Huge(_))).collect();
    let (wanted, found) = match self::reply(ask, &huge) {
        Reply::Document(document) => {
            (Meaning::of_document(ask.dialect, &document), Meaning::of_document(ask.dialect, body))
        }
        Reply::Stream(events) => (
            Meaning::of_stream(ask.dialect, &written(&events, &[]).concat()),
            Meaning::of_stream(ask.dialect, body),
        ),
    };
    if !wanted.text.starts_with(&found.text) {
        return Verdict::Violation(format!("another text: {}", shown(found.text.as_bytes())));
    }
    match (found.error, &reply.cut) {
        (Some(error), _) => Verdict::ExplicitError(error),
        (None, Some(cut)) => Verdict::ExplicitError(format!("the stream broke off: {cut}")),
        (None, None) if found.text == wanted.text && found.ended => Verdict::Exact,
        (None, None) => Verdict::Violation(format!(
            "a proper end after {} of {} bytes of text{}",
            found.text.len(),
            wanted.text.len(),
            if found.ended { "" } else { ", without the terminal event" }
        )),
    }
}

/// The seed of a mark that belongs to somebody else.
fn foreign(ask: &Ask, body: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(body);
    story::seeds_in(&text).into_iter().find(|seed| *seed != ask.seed)
}

fn holds(body: &[u8], wanted: &[u8]) -> bool {
    body.windows(wanted.len()).any(|window| window == wanted)
}

/// The body without its content coding; of one that broke off, nothing can be said but that it did.
fn decoded(reply: &Received) -> Result<Vec<u8>, String> {
    match reply.field("content-encoding") {
        None | Some("identity") => Ok(reply.body.clone()),
        Some(_) if reply.cut.is_some() => Err("a compressed body broke off".to_owned()),
        Some(name) => {
            coding::decode(name, &reply.body).map_err(|e| format!("a compressed body is torn: {e}"))
        }
    }
}

fn judge_document(ask: &Ask, orders: &[Order], reply: &Received, body: &[u8]) -> Verdict {
    if let Some(cut) = &reply.cut {
        return Verdict::ExplicitError(format!("the body broke off: {cut}"));
    }
    let expected = match self::reply(ask, orders) {
        Reply::Document(document) => document,
        Reply::Stream(_) => Vec::new(),
    };
    if expected == body {
        return Verdict::Exact;
    }
    let Ok(found) = serde_json::from_slice::<Value>(body) else {
        return Verdict::ExplicitError("the document is not JSON".to_owned());
    };
    if serde_json::from_slice::<Value>(&expected).ok().as_ref() != Some(&found) {
        return Verdict::Violation(format!("another document: {}", shown(body)));
    }
    Verdict::Violation("the document's bytes were changed".to_owned())
}

fn judge_stream(ask: &Ask, orders: &[Order], reply: &Received, body: &[u8]) -> Verdict {
    if !reply.field("content-type").unwrap_or_default().starts_with("text/event-stream") {
        return Verdict::Violation(format!("no event stream: {}", shown(body)));
    }
    // What an ordered fault leaves out is part of what was meant.
    let meant: Vec<Order> = orders.iter().copied().filter(|order| *order != Order::NoTerminal).collect();
    let Reply::Stream(sent) = self::reply(ask, &meant) else {
        return Verdict::Violation("the oracle has no stream to compare with".to_owned());
    };
    let expected = as_read(&sent, orders);
    // An end that is said on the last words: without it they are the upstream's too, but not the end.
    let unended = match self::reply(ask, orders) {
        Reply::Stream(events) => as_read(&events, orders),
        Reply::Document(_) => Vec::new(),
    };
    let ordered_error = orders.iter().find_map(|order| match order {
        Order::ErrorEvent(_, shape) => Some(*shape),
        _ => None,
    });
    let sse::Stream { mut events, pending } = sse::read(body);
    let whole = reply.cut.is_none();
    // Without its empty line, but all there: see the module.
    let last_pending = pending.filter(|event| whole && expected.last().is_some_and(|last| same(event, last)));
    let lacks_blank = last_pending.is_some();
    events.extend(last_pending);
    for (at, event) in events.iter().enumerate() {
        let sent = [expected.get(at), unended.get(at)];
        if !sent.into_iter().flatten().any(|wanted| same(event, wanted)) {
            return unexpected(ask, event, at, &expected);
        }
    }
    let ended = events.last().zip(expected.last()).is_none_or(|(found, wanted)| same(found, wanted));
    let complete = events.len() == expected.len() && ended;
    if let Some(shape) = ordered_error
        && events.len() + error_tail(ask, shape) >= expected.len()
    {
        // The error has come; whether its stream also ended as it should makes no difference to a reader.
        return Verdict::ExplicitError("the upstream's own error event".to_owned());
    }
    match (&reply.cut, complete) {
        (Some(cut), _) => Verdict::ExplicitError(format!("the stream broke off: {cut}")),
        (None, false) => {
            let (found, wanted) = (events.len(), expected.len());
            Verdict::Violation(format!(
                "a proper end after {found} of {wanted} events, without the terminal one"
            ))
        }
        (None, true) if !lacks_blank && written(&sent, &meant).concat() != body => {
            Verdict::Violation("the stream's bytes were changed".to_owned())
        }
        (None, true) => Verdict::Exact,
    }
}

/// Events behind an ordered error event that a reader need not have seen.
fn error_tail(ask: &Ask, shape: Shape) -> usize {
    match (shape, ask.dialect) {
        (Shape::Vllm, _) | (Shape::Own | Shape::Failed, Dialect::Chat | Dialect::Completions) => 1,
        (Shape::Own | Shape::Failed, _) => 0,
    }
}

fn same(found: &Read, wanted: &Event) -> bool {
    found.name == wanted.name.as_bytes() && found.data == wanted.data.as_bytes()
}

/// An event that does not belong where it stands: an error that the SDKs raise on, or a violation by name.
fn unexpected(ask: &Ask, event: &Read, at: usize, expected: &[Event]) -> Verdict {
    let data: Option<Value> = serde_json::from_slice(&event.data).ok();
    let raises = match ask.dialect.vendor() {
        Vendor::OpenAi => data.as_ref().and_then(|data| data.get("error")).is_some_and(truthy),
        Vendor::Anthropic => event.name == b"error",
        Vendor::Google => event.data.starts_with(GOOGLE_RAISES_ON),
    };
    if raises {
        return Verdict::ExplicitError(format!("an error event: {}", shown(&event.data)));
    }
    let known = expected.iter().position(|wanted| same(event, wanted));
    Verdict::Violation(match known {
        Some(place) if place < at => format!("event {place} came again, or late, in place {at}"),
        Some(place) => format!("events {at} to {place} are lost"),
        None if data.is_none() && event.data != b"[DONE]" => {
            return Verdict::ExplicitError(format!("an event that is not JSON: {}", shown(&event.data)));
        }
        None => format!("event {at} was changed: {}", shown(&event.data)),
    })
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(said) => *said,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// The head of a body, for messages.
fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::oracle::order::Plan;

    fn ask(dialect: Dialect, stream: bool) -> Ask {
        Ask { dialect, stream, usage: false, id: 1, seed: 7, events: 3, size: 20, plan: Plan::clean() }
    }

    fn received(ask: &Ask, body: Vec<u8>) -> Received {
        let media = if ask.stream { "text/event-stream" } else { "application/json" };
        Received { status: 200, fields: vec![("content-type".to_owned(), media.to_owned())], body, cut: None }
    }

    fn payload(ask: &Ask) -> Vec<u8> {
        crate::oracle::script::script(ask, &[]).payload
    }

    fn judged(ask: &Ask, reply: Received) -> Verdict {
        judge(ask, &[], Sameness::Bytes, &Outcome::Reply(reply))
    }

    #[test]
    fn compressed_bytes_that_look_like_a_mark_are_nobody_elses_content() {
        let ask = ask(Dialect::Chat, true);
        let mut gzip =
            flate2::GzBuilder::new().comment("⟦dead.0⟧").write(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&payload(&ask)).unwrap();
        let mut reply = received(&ask, gzip.finish().unwrap());
        reply.fields.push(("content-encoding".to_owned(), "gzip".to_owned()));
        assert_eq!(judged(&ask, reply), Verdict::Exact);
    }

    #[test]
    fn a_stream_is_judged_at_every_place_where_it_may_end() {
        let streamed = |dialect: &Dialect| *dialect != Dialect::Embeddings;
        for (dialect, seed) in Dialect::ALL.into_iter().filter(streamed).flat_map(|d| [(d, 6), (d, 7)]) {
            let ask = Ask { seed, ..ask(dialect, true) };
            let whole = payload(&ask);
            for upto in 0..=whole.len() {
                let reply = received(&ask, whole[..upto].to_vec());
                let torn = Received { cut: Some("torn".to_owned()), ..reply.clone() };
                assert!(matches!(judged(&ask, torn), Verdict::ExplicitError(_)), "{dialect:?} {upto}");
                match judged(&ask, reply) {
                    // Behind the terminal event only line ends are left.
                    Verdict::Exact => assert!(whole.len() - upto <= 2, "{dialect:?} {upto}"),
                    Verdict::Violation(_) => assert!(whole.len() - upto > 2, "{dialect:?} {upto}"),
                    Verdict::ExplicitError(why) => panic!("{dialect:?} {upto}: {why}"),
                }
            }
        }
    }

    #[test]
    fn a_reply_that_was_written_anew_is_judged_by_what_it_says() {
        for (dialect, stream) in Dialect::ALL.into_iter().flat_map(|d| [(d, true), (d, false)]) {
            let ask = ask(dialect, stream);
            let whole = payload(&ask);
            let judged =
                |body: Vec<u8>| judge(&ask, &[], Sameness::Meaning, &Outcome::Reply(received(&ask, body)));
            assert_eq!(judged(whole.clone()), Verdict::Exact, "{dialect:?} {stream}");
            let another = String::from_utf8(whole.clone()).unwrap().replace("oracle", "somebody");
            assert_eq!(judged(another.into_bytes()), Verdict::Exact, "{dialect:?} {stream}");
            let half = whole[..whole.len() / 2].to_vec();
            assert_ne!(judged(half), Verdict::Exact, "{dialect:?} {stream}");
        }
    }

    #[test]
    fn a_text_that_ends_early_as_if_it_were_whole_is_a_violation() {
        let ask = ask(Dialect::Chat, true);
        let whole = String::from_utf8(payload(&ask)).unwrap();
        let events: Vec<&str> = whole.split_inclusive("\n\n").collect();
        let (first, last) = (&events[..2], &events[events.len() - 2..]);
        let body = [first, last].concat().concat().into_bytes();
        let verdict = judge(&ask, &[], Sameness::Meaning, &Outcome::Reply(received(&ask, body)));
        assert!(matches!(verdict, Verdict::Violation(_)), "{verdict:?}");
    }

    #[test]
    fn all_words_without_the_reason_for_their_end_are_no_whole_reply() {
        for seed in [6, 7] {
            let ask = Ask { seed, ..ask(Dialect::Gemini, true) };
            let orders = [Order::NoTerminal];
            let reply = received(&ask, crate::oracle::script::script(&ask, &orders).payload);
            let torn = Received { cut: Some("torn".to_owned()), ..reply.clone() };
            let judged = |reply, sameness| judge(&ask, &orders, sameness, &Outcome::Reply(reply));
            for sameness in [Sameness::Bytes, Sameness::Meaning] {
                let verdict = judged(reply.clone(), sameness);
                let told =
                    matches!(&verdict, Verdict::Violation(why) if why.contains("without the terminal"));
                assert!(told, "{seed}: {verdict:?}");
                let verdict = judged(torn.clone(), sameness);
                assert!(matches!(verdict, Verdict::ExplicitError(_)), "{seed}: {verdict:?}");
            }
        }
    }

    #[test]
    fn any_changed_byte_of_a_document_is_no_exact_reply() {
        for dialect in Dialect::ALL {
            let ask = ask(dialect, false);
            let whole = payload(&ask);
            assert_eq!(judged(&ask, received(&ask, whole.clone())), Verdict::Exact);
            for at in 0..whole.len() {
                let mut changed = whole.clone();
                changed[at] ^= 1;
                assert_ne!(judged(&ask, received(&ask, changed)), Verdict::Exact, "{dialect:?} {at}");
            }
        }
    }
}
