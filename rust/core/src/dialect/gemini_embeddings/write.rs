//! The canonical form → requests and replies of the two dialects.

use super::TASKS;
use super::model::name;
use crate::embedding::{Content, Input, Part, Reply, Request, Vector};
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::{Losses, Text, Untranslatable};

/// Writes a request for one input.
pub(super) fn request(
    request: &Request<'_>,
    model: &str,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    let [input] = request.inputs.as_slice() else {
        let message =
            "holds several inputs, of which the provider's API takes one. hint: ask for each by itself";
        return Err(At::ROOT.member("input").error(message));
    };
    losses.add_if(request.user.is_some(), "user");
    out.push(b'{');
    members(request, input, model, out)
}

/// Writes a request for several, which one may be too.
pub(super) fn requests(
    request: &Request<'_>,
    model: &str,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    losses.add_if(request.user.is_some(), "user");
    out.push(b'{');
    out.key("requests").open(b'[');
    for input in &request.inputs {
        out.open(b'{');
        members(request, input, model, out)?;
    }
    out.close(b']');
    out.close(b'}');
    Ok(())
}

/// What stands behind the opening bracket of one request, and the closing one.
fn members(
    request: &Request<'_>,
    input: &Input<'_>,
    model: &str,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    out.key("model").string(&name(model));
    out.key("content").open(b'{');
    out.key("parts").open(b'[');
    match &input.content {
        Content::Text(text) => text_part(text, out),
        Content::Parts(parts) => parts.iter().for_each(|part| match part {
            Part::Text(text) => text_part(text, out),
            Part::Image { media_type, data } => {
                out.open(b'{');
                out.key("inlineData").open(b'{');
                out.key("mimeType").text(media_type);
                out.key("data").text(data);
                out.close(b'}');
                out.close(b'}');
            }
        }),
        Content::Tokens => return Err(At::ROOT.member("input").tokens()),
    }
    out.close(b']');
    out.close(b'}');
    if let Some((word, _)) = TASKS.iter().find(|(_, task)| Some(*task) == request.task) {
        out.key("taskType").string(word);
    }
    if let Some(title) = &input.title {
        out.key("title").text(title);
    }
    if let Some(dimensions) = request.dimensions {
        out.key("outputDimensionality").number(dimensions);
    }
    // Only where it is asked for: not every model takes the newer members.
    if let Some(cut) = request.too_long.said() {
        out.key("embedContentConfig").open(b'{');
        out.key("autoTruncate").raw(if cut { "true" } else { "false" });
        out.close(b'}');
    }
    out.close(b'}');
    Ok(())
}

fn text_part(text: &Text<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("text").text(text);
    out.close(b'}');
}

/// Writes the reply to a request for one input.
pub(super) fn reply(reply: &Reply<'_>, _model: &str, out: &mut Vec<u8>) {
    out.push(b'{');
    out.key("embedding");
    reply.vectors.iter().take(1).for_each(|vector| values(vector, out));
    usage(reply, out);
    out.close(b'}');
}

/// Writes the reply to a request for several.
pub(super) fn replies(reply: &Reply<'_>, _model: &str, out: &mut Vec<u8>) {
    out.push(b'{');
    out.key("embeddings").open(b'[');
    reply.vectors.iter().for_each(|vector| values(vector, out));
    out.close(b']');
    usage(reply, out);
    out.close(b'}');
}

fn values(vector: &Vector<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("values").raw(vector.json());
    out.close(b'}');
}

fn usage(reply: &Reply<'_>, out: &mut Vec<u8>) {
    if let Some(tokens) = reply.input_tokens {
        out.key("usageMetadata").open(b'{');
        out.key("promptTokenCount").number(tokens);
        out.close(b'}');
    }
}
