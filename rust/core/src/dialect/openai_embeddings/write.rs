//! The canonical form → requests and replies of the dialect.

use crate::embedding::{Reply, Request};
use crate::message::json::Json;
use crate::message::{Losses, Untranslatable};

/// Writes a request. How numbers are written is left to the server: not all of them know base64.
pub(super) fn request(
    request: &Request<'_>,
    model: &str,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    out.push(b'{');
    out.key("model").string(model);
    out.key("input").open(b'[');
    for input in &request.inputs {
        out.text(&input.text(losses)?);
    }
    out.close(b']');
    if let Some(dimensions) = request.dimensions {
        out.key("dimensions").number(dimensions);
    }
    if let Some(user) = &request.user {
        out.key("user").text(user);
    }
    out.close(b'}');
    losses.add_if(request.inputs.iter().any(|input| input.title.is_some()), "title");
    losses.add_if(request.task.is_some(), "input_type");
    // What is too long is refused.
    losses.add_if(request.too_long.said() == Some(true), "truncate");
    Ok(())
}

/// Writes a reply.
pub(super) fn reply(reply: &Reply<'_>, model: &str, out: &mut Vec<u8>) {
    out.push(b'{');
    out.key("object").raw("\"list\"");
    out.key("data").open(b'[');
    for (index, vector) in (0_u64..).zip(&reply.vectors) {
        out.open(b'{');
        out.key("object").raw("\"embedding\"");
        out.key("index").number(index);
        out.key("embedding").raw(vector.json());
        out.close(b'}');
    }
    out.close(b']');
    match &reply.model {
        Some(model) => out.key("model").text(model),
        None => out.key("model").string(model),
    }
    let tokens = reply.input_tokens.unwrap_or_default();
    out.key("usage").open(b'{');
    out.key("prompt_tokens").number(tokens);
    out.key("total_tokens").number(tokens);
    out.close(b'}');
    out.close(b'}');
}
