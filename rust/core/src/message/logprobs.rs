//! How likely the tokens of an answer were, as the dialects of `OpenAI` and Google tell it.
//!
//! `OpenAI` tells each token with the bytes it stands for, since a character may be cut between two; Google tells the
//! token and its number in the model's vocabulary, which nobody else has, and is left out. Sources: `OpenAI` API
//! reference, "The chat completion object" and "The response object"; the discovery document of
//! `generativelanguage` v1beta (`LogprobsResult`).

use serde_json::value::RawValue;

use super::Text;
use super::json::Json;
use super::read::object;

/// A token of the answer, and those that were likely in its place.
#[derive(Debug)]
pub(crate) struct Logprob<'a> {
    pub(crate) chosen: Token<'a>,
    pub(crate) top: Vec<Token<'a>>,
}

#[derive(Debug)]
pub(crate) struct Token<'a> {
    pub(crate) text: Text<'a>,
    /// The logarithm of its probability, a number in JSON.
    pub(crate) logprob: &'a str,
    /// The bytes it stands for, an array in JSON, where they are told.
    pub(crate) bytes: Option<&'a str>,
}

object! {
    /// A token as `OpenAI` tells it.
    Told<'a> {
        token: Text<'a>,
        logprob: &'a RawValue,
        bytes: &'a RawValue,
        top_logprobs: Vec<Told<'a>>,
    }
}

/// Reads a list of tokens as `OpenAI`'s APIs have it; `None` where it is something else, for which no answer is given up.
pub(crate) fn of_openai<'a>(list: &'a RawValue) -> Option<Vec<Logprob<'a>>> {
    let told: Vec<Told<'a>> = serde_json::from_str(list.get()).ok()?;
    let read = |mut told: Told<'a>| {
        let top = told.top_logprobs.take().unwrap_or_default();
        Some(Logprob { top: top.into_iter().map(token).collect::<Option<_>>()?, chosen: token(told)? })
    };
    told.into_iter().map(read).collect()
}

fn token(told: Told<'_>) -> Option<Token<'_>> {
    let logprob = told.logprob.map(RawValue::get)?;
    let is_number = logprob.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    Some(Token {
        text: told.token?,
        logprob: is_number.then_some(logprob)?,
        bytes: told.bytes.map(RawValue::get).filter(|bytes| bytes.starts_with('[')),
    })
}

/// What of the bytes is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// Null where they are not told.
    OrNull,
    /// Those of the token's text where they are not told.
    Always,
    /// The place has no member for them.
    Never,
}

/// Appends tokens as elements of an array of `OpenAI`'s APIs.
pub(crate) fn openai(list: &[Logprob<'_>], bytes: Bytes, out: &mut Vec<u8>) {
    for one in list {
        out.open(b'{');
        members(&one.chosen, bytes, out);
        out.key("top_logprobs").open(b'[');
        for token in &one.top {
            out.open(b'{');
            members(token, bytes, out);
            out.close(b'}');
        }
        out.close(b']');
        out.close(b'}');
    }
}

fn members(token: &Token<'_>, bytes: Bytes, out: &mut Vec<u8>) {
    out.key("token").text(&token.text);
    out.key("logprob").raw(token.logprob);
    match (token.bytes, bytes) {
        (_, Bytes::Never) => {}
        (Some(told), _) => {
            // An event ends at a line end, and between the numbers one may stand.
            let digits = told.bytes().filter(|byte| !byte.is_ascii_whitespace());
            out.key("bytes").extend(digits);
        }
        (None, Bytes::OrNull) => out.key("bytes").raw("null"),
        (None, Bytes::Always) => {
            out.key("bytes").open(b'[');
            let text = token.text.borrowed().decode().unwrap_or_default();
            text.bytes().for_each(|byte| out.number(byte.into()));
            out.close(b']');
        }
    }
}

/// Appends tokens as elements of Google's two arrays: those chosen, and for each those that were likely.
pub(crate) fn google(list: &[Logprob<'_>], chosen: &mut Vec<u8>, top: &mut Vec<u8>) {
    fn token(token: &Token<'_>, out: &mut Vec<u8>) {
        out.open(b'{');
        out.key("token").text(&token.text);
        out.key("logProbability").raw(token.logprob);
        out.close(b'}');
    }
    for one in list {
        token(&one.chosen, chosen);
        top.open(b'{');
        top.key("candidates").open(b'[');
        one.top.iter().for_each(|one| token(one, top));
        top.close(b']');
        top.close(b'}');
    }
}
