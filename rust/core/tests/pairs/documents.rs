//! What the translation makes, written down for judges of other making: the vendors' schemas.
//!
//! Each line of a file is one document, with the pair it was made by and the feature or answer it was made of.
//! Of a stream each event is one. Source of the judgement: `tests/schemas`.

use std::fmt::Write as _;
use std::path::Path;

use llm_edge_core::dialect::Dialect;
use llm_edge_core::translate::{Options, Pair, between};
use serde_json::{Value, json};

use crate::answers::{answers, events};
use crate::embeddings;
use crate::surfaces::{Feature, SURFACES, Surface};
use crate::targets::{Target, short};
use crate::{OPTIONS, context, pairs};

/// The variable that names the folder to write to, which must exist.
const FOLDER: &str = "TRANSLATED_TO";

/// Characters in a piece of a stream; more pieces are more of the same events.
const SIZE: usize = 3;

/// Documents of each kind, one a line.
#[derive(Default)]
struct Documents {
    /// For upstreams.
    requests: String,
    /// For clients: whole replies, events of streams, bodies of errors, events that tell an error.
    replies: String,
    events: String,
    errors: String,
    failures: String,
}

#[test]
fn what_is_made_can_be_judged_by_others() {
    let documents = all();
    let files = [
        ("requests", documents.requests),
        ("replies", documents.replies),
        ("events", documents.events),
        ("errors", documents.errors),
        ("failures", documents.failures),
    ];
    for (name, lines) in &files {
        for surface in SURFACES {
            let of = format!("{{\"surface\":\"{}\"", surface.dialect.name());
            assert!(lines.lines().any(|line| line.starts_with(&of)), "no {name} of {of}");
        }
    }
    if let Some(folder) = std::env::var_os(FOLDER) {
        for (name, lines) in files {
            std::fs::write(Path::new(&folder).join(name).with_extension("jsonl"), lines).unwrap();
        }
    }
}

fn all() -> Documents {
    let mut all = Documents::default();
    for (surface, target) in pairs() {
        let pair = between(surface.dialect, target.dialect).unwrap();
        all.asked(surface, target, pair);
        for answer in answers() {
            if (target.says)(&answer).is_some() {
                let (reply, stream) = ((target.reply)(&answer), (target.stream)(&answer, SIZE));
                all.told(surface, target, pair, answer.name, (&reply, &stream));
            }
        }
        for extra in (target.extras)() {
            all.told(surface, target, pair, extra.name, (&extra.reply, &extra.stream));
        }
        all.failed(surface, target, pair);
    }
    embeddings::documents(|kind, surface, target, name, document| {
        let lines = match kind {
            "requests" => &mut all.requests,
            "replies" => &mut all.replies,
            _ => &mut all.errors,
        };
        put(lines, surface, target, name, document);
    });
    all
}

/// What an upstream says of its failure, whole or, as most do, in an event.
const FAULT: &str =
    r#"{"type":"error","error":{"type":"mark_type","code":"mark_code","message":"mark_message"}}"#;

impl Documents {
    fn asked(&mut self, surface: &Surface, target: &Target, pair: Pair) {
        let marked = Options { cache_breakpoints: true, ..OPTIONS };
        let reply = (target.reply)(&short()).to_string();
        for Feature { name, with, without } in (surface.features)() {
            for (request, options) in [(&with, &OPTIONS), (&with, &marked), (&without, &OPTIONS)] {
                let (mut body, mut told) = (Vec::new(), Vec::new());
                let Ok(asked) =
                    pair.request(request.to_string().as_bytes(), target.model.0, options, &mut body)
                else {
                    continue;
                };
                line(&mut self.requests, surface, target, name, &String::from_utf8(body).unwrap());
                // A reply may repeat what was asked for.
                pair.reply(&asked.context, reply.as_bytes(), &mut told).unwrap();
                line(&mut self.replies, surface, target, name, &String::from_utf8(told).unwrap());
            }
        }
    }

    fn failed(&mut self, surface: &Surface, target: &Target, pair: Pair) {
        for status in [400, 401, 403, 404, 413, 429, 500, 503, 504, 529] {
            let mut out = Vec::new();
            pair.error(status, FAULT.as_bytes(), "req_1", &mut out);
            let name = status.to_string();
            line(&mut self.errors, surface, target, &name, &String::from_utf8(out).unwrap());
        }
        // How a client is told of it in a stream does not depend on the upstream.
        if matches!(target.dialect, Dialect::OpenaiChat | Dialect::AnthropicMessages) {
            let told = streamed(surface, pair, format!("data: {FAULT}\n\n").as_bytes());
            let (_, data) = events(&told).pop().unwrap();
            line(&mut self.failures, surface, target, "a stream that failed", data);
        }
    }

    fn told(
        &mut self,
        surface: &Surface,
        target: &Target,
        pair: Pair,
        name: &str,
        (reply, stream): (&Value, &[u8]),
    ) {
        let mut out = Vec::new();
        pair.reply(&context(surface, pair), reply.to_string().as_bytes(), &mut out).unwrap();
        line(&mut self.replies, surface, target, name, &String::from_utf8(out).unwrap());
        for (_, data) in events(&streamed(surface, pair, stream)) {
            // The only event that is no JSON.
            if data != "[DONE]" {
                line(&mut self.events, surface, target, name, data);
            }
        }
    }
}

fn streamed(surface: &Surface, pair: Pair, stream: &[u8]) -> String {
    let (mut translator, mut out) = (pair.stream(context(surface, pair)), Vec::new());
    translator.push(stream, &mut out).unwrap();
    translator.finish(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn line(lines: &mut String, surface: &Surface, target: &Target, name: &str, document: &str) {
    put(lines, surface.dialect, target.dialect, name, document);
}

fn put(lines: &mut String, surface: Dialect, target: Dialect, name: &str, document: &str) {
    let (surface, target) = (surface.name(), target.name());
    let name = json!(name);
    let _ = writeln!(
        lines,
        r#"{{"surface":"{surface}","target":"{target}","name":{name},"document":{document}}}"#
    );
}
