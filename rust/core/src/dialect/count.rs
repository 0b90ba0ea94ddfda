//! How the tokens of a request are counted in one wire format: what is asked, and where the answer has the number.
//!
//! What is counted is what a generation would be asked, less what is no part of the prompt.
//! Sources: Anthropic API reference, "Count tokens in a Message"; `OpenAI` API reference, "Get input token counts";
//! Gemini API reference, "Counting tokens"; Vertex AI API reference, `countTokens`; Amazon Bedrock API reference,
//! `CountTokens`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Dialect, Platform, anthropic_messages, bedrock_converse, gemini, openai_responses};
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::{Losses, Malformed, Request, Sampling, Target, Untranslatable};

type Read = for<'a> fn(&'a str, &mut Losses) -> Result<Request<'a>, Untranslatable>;
type Write = fn(&Request<'_>, &Target<'_>, &mut Losses, &mut Vec<u8>) -> Result<(), Untranslatable>;

/// What is read of a client that wants to know, and written to it.
pub(crate) struct CountClient {
    read: Read,
    /// Around the number.
    reply: [&'static str; 2],
}

/// What is written to an upstream that counts, and read of it.
pub(crate) struct CountUpstream {
    write: Write,
    /// The member of its reply.
    member: &'static str,
}

/// The client's half of `dialect`, where it has one.
pub(crate) const fn client(dialect: Dialect) -> Option<&'static CountClient> {
    match dialect {
        Dialect::AnthropicMessages => Some(&CountClient {
            read: anthropic_messages::request_to_count,
            reply: [r#"{"input_tokens":"#, "}"],
        }),
        Dialect::OpenaiResponses => Some(&CountClient {
            read: openai_responses::read_request,
            reply: [r#"{"object":"response.input_tokens","input_tokens":"#, "}"],
        }),
        Dialect::Gemini => Some(&CountClient { read: read_gemini, reply: [r#"{"totalTokens":"#, "}"] }),
        _ => None,
    }
}

/// The upstream's half of `dialect`, where it has one.
pub(crate) const fn upstream(dialect: Dialect) -> Option<&'static CountUpstream> {
    match dialect {
        Dialect::AnthropicMessages => {
            Some(&CountUpstream { write: anthropic_messages::write_request, member: "input_tokens" })
        }
        Dialect::OpenaiResponses => {
            Some(&CountUpstream { write: openai_responses::write_request, member: "input_tokens" })
        }
        Dialect::Gemini => Some(&CountUpstream { write: write_gemini, member: "totalTokens" }),
        Dialect::BedrockConverse => Some(&CountUpstream { write: write_bedrock, member: "inputTokens" }),
        _ => None,
    }
}

impl CountClient {
    /// Reads what is to be counted: settings that are no part of a prompt are passed over.
    pub(crate) fn read<'a>(&self, body: &'a str, losses: &mut Losses) -> Result<Request<'a>, Untranslatable> {
        let request = (self.read)(body, losses)?;
        Ok(Request {
            max_tokens: None,
            sampling: Sampling::default(),
            stop: Vec::new(),
            user: None,
            tier: None,
            stream: false,
            ..request
        })
    }

    /// Appends the answer.
    pub(crate) fn reply(&self, tokens: u64, out: &mut Vec<u8>) {
        let [before, after] = self.reply;
        out.extend_from_slice(before.as_bytes());
        out.number(tokens);
        out.extend_from_slice(after.as_bytes());
    }
}

impl CountUpstream {
    /// Writes the question.
    pub(crate) fn write(
        &self,
        request: &Request<'_>,
        target: &Target<'_>,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Untranslatable> {
        (self.write)(request, target, losses, out)
    }

    /// The number in its reply.
    pub(crate) fn tokens(&self, body: &str) -> Result<u64, Malformed> {
        let members: BTreeMap<&str, &RawValue> =
            serde_json::from_str(body).map_err(|error| Malformed::new(format!("not a count: {error}")))?;
        let found = members.get(self.member).and_then(|value| value.get().parse().ok());
        found.ok_or_else(|| Malformed::new(format!("`{}` is no number of tokens", self.member)))
    }
}

/// What clients of Google's own API may wrap what is counted into.
#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow, alias = "generate_content_request", rename = "generateContentRequest")]
    request: Option<&'a RawValue>,
}

/// A question of Google's own API as Vertex AI knows it, where what is counted stands alone: of the request that
/// would generate, what is a prompt's, as it was written. `None` where it stands alone already.
///
/// Source: Vertex AI API reference, `countTokens`.
pub fn unwrapped(body: &[u8]) -> Option<Vec<u8>> {
    let wrapped: Wrapped<'_> = serde_json::from_slice(body).ok()?;
    let request: BTreeMap<&str, &RawValue> = serde_json::from_str(wrapped.request?.get()).ok()?;
    let mut out = Vec::with_capacity(body.len());
    out.push(b'{');
    for name in [
        "contents",
        "systemInstruction",
        "system_instruction",
        "tools",
        "generationConfig",
        "generation_config",
    ] {
        if let Some(value) = request.get(name) {
            out.key(name).raw(value.get());
        }
    }
    out.close(b'}');
    Some(out)
}

/// What is counted is given alone, or as the request that would generate.
fn read_gemini<'a>(body: &'a str, losses: &mut Losses) -> Result<Request<'a>, Untranslatable> {
    let outer: Wrapped<'a> = At::ROOT.parse(body)?;
    gemini::read_request(outer.request.map_or(body, RawValue::get), losses)
}

fn write_gemini(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    if target.platform == Platform::Vertex {
        return gemini::write_request(request, target, losses, out);
    }
    out.push(b'{');
    out.key("generateContentRequest").open(b'{');
    out.key("model").string(&format!("models/{}", target.model));
    let opening = out.len();
    gemini::write_request(request, target, losses, out)?;
    // Its members follow the one that is there.
    if let Some(brace) = out.get_mut(opening) {
        *brace = b',';
    }
    out.close(b'}');
    Ok(())
}

fn write_bedrock(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    out.extend_from_slice(br#"{"input":{"converse":"#);
    bedrock_converse::write_request(request, target, losses, out)?;
    out.extend_from_slice(b"}}");
    Ok(())
}
