//! The canonical form → requests of the dialect.
//!
//! Invariant: what grows from turn to turn, the contents, comes last, and a content depends on its own turns and on
//! the calls before it only; so a conversation's body is a prefix of its continuation's, which is what Google caches
//! by. Model and stream are named in the path, which is not written here.
//! Sources: see the dialect.

use super::contents::{Contents, merged, says_something, text_part};
use super::thinking::{Model, thinking};
use crate::dialect::Platform;
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::{Format, Losses, Part, Request, Target, Tool, ToolChoice, Untranslatable};

/// Most stop sequences that the API takes.
const STOP_MAX: usize = 5;

/// Writes a request.
pub(in crate::dialect) fn request(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    let turns = merged(request, losses);
    if turns.is_empty() {
        let error = "must hold something said by the user: this model does not answer a system prompt alone";
        return Err(At::ROOT.member("messages").error(error));
    }
    let model = Model::of(target.model);
    losses.add_if(request.user.is_some(), "user");
    out.push(b'{');
    generation_config(request, &model, losses, out);
    tools(request, target, losses, out);
    system(request, out)?;
    // A model goes on from what it said last in some of these APIs; here it answers it.
    losses.add_if(turns.last().is_some_and(|turn| turn.assistant), "prefill");
    Contents::new(model).write(&turns, losses, out)?;
    out.close(b'}');
    Ok(())
}

fn generation_config(request: &Request<'_>, model: &Model, losses: &mut Losses, out: &mut Vec<u8>) {
    out.key("generationConfig").open(b'{');
    if let Some(tokens) = request.max_tokens {
        out.key("maxOutputTokens").number(tokens);
    }
    sampling(request, losses, out);
    if !request.stop.is_empty() {
        losses.add_if(request.stop.len() > STOP_MAX, "stop");
        out.key("stopSequences").open(b'[');
        request.stop.iter().take(STOP_MAX).for_each(|stop| out.text(stop));
        out.close(b']');
    }
    // Models before Gemini 3 refuse JSON beside functions. Source: googleapis/python-genai, issue 867.
    let refused = model.is_old() && !request.tools.is_empty();
    losses.add_if(refused && request.format.is_some(), "response_format");
    if let Some(format) = request.format.as_ref().filter(|_| !refused) {
        out.key("responseMimeType").raw("\"application/json\"");
        if let Format::Schema(schema) = format {
            out.key("responseJsonSchema").raw(schema.alone(losses));
        }
    }
    thinking(request, model, losses, out);
    out.close(b'}');
}

fn sampling(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let sampling = &request.sampling;
    out.given(&[
        ("temperature", sampling.temperature),
        ("topP", sampling.top_p),
        ("topK", sampling.top_k),
        ("frequencyPenalty", sampling.frequency_penalty),
        ("presencePenalty", sampling.presence_penalty),
    ]);
    match sampling.seed {
        // The field has 32 bits.
        Some(seed) if seed.parse::<i32>().is_err() => losses.add("seed"),
        Some(seed) => out.key("seed").raw(seed),
        None => {}
    }
    // How many it shall be may be said only where they are asked for.
    let top = sampling.top_logprobs.filter(|count| sampling.logprobs.is_some() && *count != "0");
    let several = sampling.n.filter(|n| n.trim_end_matches(".0") != "1");
    out.given(&[("candidateCount", several)]);
    out.given(&[("responseLogprobs", sampling.logprobs), ("logprobs", top)]);
    // What the reply would hold for these cannot be told.
    losses.unlike_default(&[
        ("logit_bias", sampling.logit_bias, ""),
        ("top_logprobs", sampling.top_logprobs.filter(|_| sampling.logprobs.is_none()), "0"),
    ]);
}

fn tools(request: &Request<'_>, target: &Target<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    if request.tools.is_empty() {
        return;
    }
    losses.add_if(request.parallel_tools == Some(false), "parallel_tool_calls");
    let strict = request.tools.iter().any(|tool| tool.strict == Some(true));
    let mode = match &request.tool_choice {
        // Calls are then held to their schemas, as they are in `ANY` anyway.
        None | Some(ToolChoice::Auto) if strict => Some("VALIDATED"),
        None => None,
        Some(ToolChoice::Auto) => Some("AUTO"),
        Some(ToolChoice::None) => Some("NONE"),
        Some(ToolChoice::Any | ToolChoice::Named(_)) => Some("ANY"),
    };
    // Vertex AI counts tools and takes no word of how they are chosen.
    let is_told = !target.counts || target.platform != Platform::Vertex;
    if let Some(mode) = mode.filter(|_| is_told) {
        out.key("toolConfig").open(b'{');
        out.key("functionCallingConfig").open(b'{');
        out.key("mode").string(mode);
        if let Some(ToolChoice::Named(name)) = &request.tool_choice {
            out.key("allowedFunctionNames").open(b'[');
            out.text(name);
            out.close(b']');
        }
        out.close(b'}');
        out.close(b'}');
    }
    out.key("tools").open(b'[');
    out.open(b'{');
    out.key("functionDeclarations").open(b'[');
    request.tools.iter().for_each(|one| tool(one, out));
    out.close(b']');
    out.close(b'}');
    out.close(b']');
}

fn tool(tool: &Tool<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        out.key("description").text(description);
    }
    if let Some(schema) = &tool.schema {
        out.key("parametersJsonSchema").raw(schema);
    }
    out.close(b'}');
}

fn system(request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), Untranslatable> {
    let blocks: Vec<_> = request.system.iter().filter(|block| says_something(block)).collect();
    if blocks.is_empty() {
        return Ok(());
    }
    out.key("systemInstruction").open(b'{');
    out.key("parts").open(b'[');
    for block in blocks {
        let Part::Text(text) = &block.part else {
            return Err(At::ROOT.member("messages").error("holds a system prompt that is not text"));
        };
        text_part(text, None, out);
    }
    out.close(b']');
    out.close(b'}');
    Ok(())
}
