//! What Anthropic's models take of the numbers and words that steer them, by whichever API they are reached.
//!
//! Source: Anthropic API reference, "Create a Message"; "Adaptive thinking".

mod model;
mod thinking;

use super::json::Json;
use super::turns::is_blank;
use super::{Losses, Request, Sampling, Text, ToolChoice};

pub(crate) use thinking::Thinking;

/// The numbers that steer sampling, less those that the models refuse beside each other.
pub(crate) struct Steering<'a> {
    pub(crate) temperature: Option<&'a str>,
    pub(crate) top_p: Option<&'a str>,
    pub(crate) top_k: Option<&'a str>,
}

impl<'a> Steering<'a> {
    /// What is left of the request's beside what it says of thinking.
    pub(crate) fn of(request: &Request<'a>, thinking: &Thinking, losses: &mut Losses) -> Self {
        let sampling = &request.sampling;
        // The API refuses these beside thinking, and the newest models always.
        let (thinks, takes_any) = (thinking.thinks(), thinking.takes_sampling());
        let mut temperature = sampling.temperature.map(|number| at_most_one(number, losses));
        if thinks || !takes_any {
            losses.add_if(temperature.is_some_and(|number| !is_one(number)), "temperature");
            temperature = None;
        }
        // Current models take one of the two; at 1 it says nothing.
        let top_p = sampling.top_p.filter(|number| {
            takes_any && if thinks { is_near_one(number) } else { sampling.temperature.is_none() }
        });
        losses.add_if(top_p.is_none() && sampling.top_p.is_some_and(|number| !is_one(number)), "top_p");
        let top_k = sampling.top_k.filter(|_| takes_any && !thinks);
        losses.add_if(top_k.is_none() && sampling.top_k.is_some(), "top_k");
        Self { temperature, top_p, top_k }
    }
}

/// The temperature on a scale that ends at 1; elsewhere it ends at 2.
pub(crate) fn at_most_one<'a>(temperature: &'a str, losses: &mut Losses) -> &'a str {
    let high = temperature.parse().is_ok_and(|number: f64| number > 1.0);
    losses.add_if(high, "temperature");
    if high { "1" } else { temperature }
}

/// Names the numbers that only other models know, where they ask for something.
pub(crate) fn name_foreign(sampling: &Sampling<'_>, losses: &mut Losses) {
    losses.unlike_default(&[
        ("frequency_penalty", sampling.frequency_penalty, "0"),
        ("presence_penalty", sampling.presence_penalty, "0"),
        ("seed", sampling.seed, ""),
        ("logit_bias", sampling.logit_bias, ""),
        ("logprobs", sampling.logprobs, ""),
        ("top_logprobs", sampling.top_logprobs, "0"),
        ("n", sampling.n, "1"),
    ]);
}

/// What the API takes of `top_p` beside thinking: from 0.95 on. Source: "Extended thinking".
fn is_near_one(number: &str) -> bool {
    number.parse().is_ok_and(|number: f64| number >= 0.95)
}

fn is_one(number: &str) -> bool {
    number.parse().is_ok_and(|number: f64| (number - 1.0).abs() < f64::EPSILON)
}

/// The models refuse to think where they are told to call a tool.
fn is_forced(request: &Request<'_>) -> bool {
    matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_))) && !request.tools.is_empty()
}

/// Writes the stop sequences under this key, where there are any.
pub(crate) fn stop_sequences(key: &str, stop: &[Text<'_>], losses: &mut Losses, out: &mut Vec<u8>) {
    // The models refuse sequences of white space alone.
    losses.add_if(stop.iter().any(is_blank), "stop");
    if stop.iter().all(is_blank) {
        return;
    }
    out.key(key).open(b'[');
    stop.iter().filter(|text| !is_blank(text)).for_each(|text| out.text(text));
    out.close(b']');
}

/// An id in the alphabet of the models' own. One with other characters, some servers make such, has them
/// replaced, in the call and in its result alike.
pub(crate) fn tool_id<'a>(id: &Text<'a>) -> Text<'a> {
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.raw().chars().all(fit) {
        return id.clone();
    }
    Text::escaped(id.raw().replace(|c: char| !fit(c), "_"))
}
