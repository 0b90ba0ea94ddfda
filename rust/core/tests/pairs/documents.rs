//! What the translation makes, written down for judges of other making: the vendors' schemas.
//!
//! Each line of a file is one document, with the pair it was made by and the feature or answer it was made of.
//! Of a stream each event is one. With them go token counts, by the names of their operations, what is sent to
//! platforms that have an API of their own, by the provider's type, and what the gateway says itself.
//! Source of the judgement: `tests/schemas`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use llm_edge_core::dialect::{ChatFields, ChatMembers, Dialect, Platform};
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::surface::{Operation, Surface as Family};
use llm_edge_core::translate::{Options, Pair, between, between_counts};
use serde_json::{Value, json};

use crate::answers::{answers, events};
use crate::embeddings;
use crate::surfaces::{Feature, SURFACES, Surface};
use crate::targets::{Target, short};
use crate::{OPTIONS, context, pairs};

/// The variable that names the folder to write to, which must exist.
const FOLDER: &str = "TRANSLATED_TO";

/// The variable that names a file with what each provider of chat has of its own, by its type: what Python's
/// specifications say, so that it is written in one place.
const PROVIDERS: &str = "TRANSLATED_FOR";

/// What a provider of chat has of its own.
#[derive(serde::Deserialize)]
struct Provider {
    chat_fields: ChatFields,
    chat_members: ChatMembers,
    tool_id_length: Option<u8>,
}

fn providers() -> BTreeMap<String, Provider> {
    let Some(file) = std::env::var_os(PROVIDERS) else { return BTreeMap::new() };
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

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
    let providers = providers();
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
        all.counted(surface, target);
        all.on_vertex(surface, target, pair);
        all.asked_of_others(surface, target, pair, &providers);
    }
    all.rejected();
    embeddings::documents(|kind, surface, target, name, document| {
        let lines = match kind {
            "requests" => &mut all.requests,
            "replies" => &mut all.replies,
            _ => &mut all.errors,
        };
        put(lines, (surface.name(), target.name()), name, document);
    });
    all
}

/// What an upstream says of its failure, whole or, as most do, in an event.
const FAULT: &str =
    r#"{"type":"error","error":{"type":"mark_type","code":"mark_code","message":"mark_message"}}"#;

impl Documents {
    fn asked(&mut self, surface: &Surface, target: &Target, pair: Pair) {
        let marked = Options { cache_breakpoints: true, ..OPTIONS };
        let streamed = Options { stream: Some(true), ..OPTIONS };
        let reply = (target.reply)(&short()).to_string();
        for Feature { name, with, without } in (surface.features)() {
            for (request, options) in
                [(&with, &OPTIONS), (&with, &marked), (&with, &streamed), (&without, &OPTIONS)]
            {
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

    /// The question how many tokens a request has, and the answer to it.
    fn counted(&mut self, surface: &Surface, target: &Target) {
        let Some(pair) = between_counts(surface.dialect, target.dialect) else { return };
        let names = (count_of(surface.dialect), count_of(target.dialect));
        let member = match target.dialect {
            Dialect::Gemini => "totalTokens",
            Dialect::BedrockConverse => "inputTokens",
            _ => "input_tokens",
        };
        let reply = json!({member: 21}).to_string();
        let on_vertex = Options { platform: Platform::Vertex, ..OPTIONS };
        for Feature { name, with, .. } in (surface.features)() {
            for (options, target_name) in
                [(&OPTIONS, Some(names.1)), (&on_vertex, vertex_count(target.dialect))]
            {
                let (Some(target_name), mut body, mut told) = (target_name, Vec::new(), Vec::new()) else {
                    continue;
                };
                let Ok(asked) = pair.request(with.to_string().as_bytes(), target.model.0, options, &mut body)
                else {
                    continue;
                };
                let body = String::from_utf8(body).unwrap();
                put(&mut self.requests, (names.0, target_name), name, &body);
                pair.reply(&asked.context, reply.as_bytes(), &mut told).unwrap();
                put(&mut self.replies, names, name, &String::from_utf8(told).unwrap());
            }
        }
    }

    /// What Vertex AI is asked, which has the models of two vendors.
    fn on_vertex(&mut self, surface: &Surface, target: &Target, pair: Pair) {
        let names = match target.dialect {
            Dialect::Gemini => (surface.dialect.name(), "vertex"),
            Dialect::AnthropicMessages => (surface.dialect.name(), "vertex_anthropic"),
            _ => return,
        };
        let options = Options { platform: Platform::Vertex, ..OPTIONS };
        for Feature { name, with, .. } in (surface.features)() {
            let mut body = Vec::new();
            if pair.request(with.to_string().as_bytes(), target.model.0, &options, &mut body).is_ok() {
                put(&mut self.requests, names, name, &String::from_utf8(body).unwrap());
            }
        }
    }

    /// What providers are asked that took `OpenAI`'s APIs for theirs.
    fn asked_of_others(
        &mut self,
        surface: &Surface,
        target: &Target,
        pair: Pair,
        providers: &BTreeMap<String, Provider>,
    ) {
        let mut ask = |name: &str, options: Options<'_>| {
            for feature in (surface.features)() {
                for (request, stream) in
                    [(&feature.with, None), (&feature.with, Some(true)), (&feature.without, None)]
                {
                    let (options, mut body) = (Options { stream, ..options }, Vec::new());
                    let request = request.to_string();
                    if pair.request(request.as_bytes(), target.model.0, &options, &mut body).is_ok() {
                        let body = String::from_utf8(body).unwrap();
                        put(&mut self.requests, (surface.dialect.name(), name), feature.name, &body);
                    }
                }
            }
        };
        match target.dialect {
            Dialect::OpenaiChat => {
                for (name, provider) in providers {
                    let Provider { chat_fields, chat_members, tool_id_length } = provider;
                    let (chat_fields, tool_id_length) = (*chat_fields, *tool_id_length);
                    let options = Options { chat_fields, chat_members, tool_id_length, ..OPTIONS };
                    ask(&format!("chat_{name}"), options);
                }
            }
            Dialect::OpenaiResponses => {
                ask("common_responses", Options { chat_fields: ChatFields::Common, ..OPTIONS });
            }
            _ => {}
        }
    }

    /// Every "no" of the gateway's own, whole and as the event that ends a stream.
    fn rejected(&mut self) {
        let families = [
            (Family::OpenAi, Dialect::OpenaiChat),
            (Family::Anthropic, Dialect::AnthropicMessages),
            (Family::Gemini, Dialect::Gemini),
        ];
        for (family, dialect) in families {
            let names = (dialect.name(), "the gateway");
            for code in Code::ALL {
                let plain = Rejection::new(code, "mark_message");
                let full = Rejection::new(code, "mark_message").param("mark_field").retry_after_s(3);
                for rejection in [plain, full] {
                    let body = String::from_utf8(rejection.body(family, "req_1")).unwrap();
                    put(&mut self.errors, names, code.row().code, &body);
                    let event = String::from_utf8(rejection.stream_event(family, "req_1")).unwrap();
                    let (_, data) = events(&event).pop().unwrap();
                    put(&mut self.failures, names, code.row().code, data);
                    if family == Family::OpenAi {
                        let event = String::from_utf8(rejection.response_event(Some(7))).unwrap();
                        let names = (Dialect::OpenaiResponses.name(), "the gateway");
                        put(&mut self.failures, names, code.row().code, events(&event)[0].1);
                    }
                }
            }
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
    put(lines, (surface.dialect.name(), target.dialect.name()), name, document);
}

/// The name of the operation that counts in a dialect.
fn count_of(dialect: Dialect) -> &'static str {
    Operation::ALL.into_iter().find(|operation| operation.count() == Some(dialect)).unwrap().name()
}

/// How the row of its count is called where Vertex AI has the models of a dialect.
fn vertex_count(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::Gemini => Some("vertex_count_tokens"),
        // Claude's is asked as Anthropic is.
        Dialect::AnthropicMessages => Some(count_of(dialect)),
        _ => None,
    }
}

fn put(lines: &mut String, (surface, target): (&str, &str), name: &str, document: &str) {
    let name = json!(name);
    let _ = writeln!(
        lines,
        r#"{{"surface":"{surface}","target":"{target}","name":{name},"document":{document}}}"#
    );
}
