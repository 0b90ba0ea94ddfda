//! A provider: an upstream system, where it is, how it is called.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::SnapshotError;
use super::fact::{KnownModels, KnownModelsDoc};
use crate::address::AddressRange;
use crate::dialect::{ChatFields, ChatMembers, Platform, ReplayedReasoning};
use crate::embedding;
use crate::sigv4::Scope;
use crate::surface::{Dialect, Operation};
use crate::translate;

/// An upstream system, ready to be called.
#[derive(Debug)]
pub struct Provider {
    /// Name in the configuration, unique.
    pub name: String,
    /// Where to connect.
    pub origin: Origin,
    /// Value of `Host`.
    pub host_header: String,
    /// Which members of chat requests it knows.
    pub chat_fields: ChatFields,
    /// What of them it calls otherwise, or does not know.
    pub chat_members: ChatMembers,
    /// Where its chat takes the reasoning of earlier turns back, if it does.
    pub replays_reasoning: Option<ReplayedReasoning>,
    /// Of how many letters and digits ids of tool calls must be, where it insists.
    pub tool_id_length: Option<u8>,
    /// Whether it turns to the models of a request's `models` itself.
    pub takes_models: bool,
    /// Whether what it serves as messages is Anthropic's own.
    pub is_anthropic: bool,
    /// Whether it takes Google's signatures on tool calls in chat messages.
    pub takes_extra_content: bool,
    /// Where its APIs are served, as far as requests differ there.
    pub platform: Platform,
    /// Path and query for each operation it serves, by [`Operation`] order.
    pub operations: [Option<PathTemplate>; Operation::ALL.len()],
    /// How the credential is presented, if there is one.
    pub auth: Option<Auth>,
    /// How it is presented for operations that want it in another way.
    pub operation_auth: BTreeMap<Operation, AuthField>,
    /// Fields sent always, instead of the client's of the same name (lower case).
    pub headers: Vec<(String, String)>,
    /// Fields sent when the client sent none of that name (lower case).
    pub default_headers: Vec<(String, String)>,
    /// Fields of the client's that are not passed on (lower case).
    pub withheld_headers: Vec<String>,
    /// Credential slots (set with `Engine.set_credential`), taken in turn.
    pub credentials: Vec<String>,
    /// For each, the word by which its account is known wherever it is used.
    pub accounts: Vec<String>,
    /// For each, its share of the requests, relative to the others; above 0.
    pub credential_weights: Vec<u32>,
    /// How it is asked whether it is there; `None`: not.
    pub health: Option<HealthProbe>,
    /// What is known of its models, for targets that leave them to the client.
    pub models: KnownModels,
}

/// A question that costs no tokens, asked again and again. Any reply below 500 is a good one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthProbe {
    /// Path and query that are asked for.
    pub path: String,
    /// From one question to the next, in milliseconds.
    pub interval_ms: u32,
    /// For the whole answer, in milliseconds.
    pub timeout_ms: u32,
    /// Questions in a row that fail before the provider counts as down.
    pub failures: u32,
}

impl Provider {
    /// The path of an operation, if this provider serves it.
    pub fn path(&self, operation: Operation) -> Option<&PathTemplate> {
        self.operations.get(operation as usize).and_then(Option::as_ref)
    }

    /// How it serves an operation, whose reply is to be a stream or not: as it is, or else translated into one
    /// that it has.
    #[inline]
    pub fn serve(&self, asked: Operation, stream: bool) -> Option<Served<'_>> {
        match self.path(asked) {
            Some(path) => Some(Served { operation: asked, path, translation: None }),
            None => self.serve_translated(asked, stream),
        }
    }

    /// Whether it is asked in another dialect than this for a generation that is wanted in this one.
    pub fn translates(&self, surface: Operation) -> bool {
        self.path(surface).is_none()
            && [false, true].iter().any(|stream| self.serve_translated(surface, *stream).is_some())
    }

    fn serve_translated(&self, asked: Operation, stream: bool) -> Option<Served<'_>> {
        if let Some(surface) = asked.count() {
            return COUNTS.into_iter().find_map(|operation| {
                let pair = translate::between_counts(surface, operation.count()?)?;
                Some(Served {
                    operation,
                    path: self.path(operation)?,
                    translation: Some(Between::Generation(pair)),
                })
            });
        }
        let Some(surface) = asked.generation() else { return self.embed_translated(asked) };
        let fits = |operation: &Operation| operation.streams().is_none_or(|streams| streams == stream);
        BY_FIDELITY.into_iter().filter(fits).find_map(|operation| {
            let pair = translate::between(surface, operation.generation()?)?;
            let translation = Some(Between::Generation(pair));
            Some(Served { operation, path: self.path(operation)?, translation })
        })
    }

    fn embed_translated(&self, asked: Operation) -> Option<Served<'_>> {
        let surface = asked.embedding()?;
        EMBEDDINGS_BY_FIDELITY.into_iter().find_map(|operation| {
            let pair = embedding::between(surface, operation.embedding()?)?;
            let translation = Some(Between::Embeddings(pair));
            Some(Served { operation, path: self.path(operation)?, translation })
        })
    }

    /// The field that carries the credential, where one does.
    pub fn auth_field(&self) -> Option<&AuthField> {
        match &self.auth {
            Some(Auth::Field(field)) => Some(field),
            Some(Auth::Signature(_)) | None => None,
        }
    }

    /// What its requests are signed for, where they are.
    #[inline]
    pub fn signature(&self) -> Option<&Scope> {
        match &self.auth {
            Some(Auth::Signature(scope)) => Some(scope),
            Some(Auth::Field(_)) | None => None,
        }
    }

    /// The dialects it speaks, in declaration order, without repetition.
    pub fn dialects(&self) -> Vec<Dialect> {
        Dialect::ALL
            .into_iter()
            .filter(|d| Operation::ALL.into_iter().any(|o| o.dialect() == Some(*d) && self.path(o).is_some()))
            .collect()
    }
}

/// What a request is put into, best first: in the API of its own a maker's models say all they have to say;
/// responses are last, because servers that only follow `OpenAI` may be listed with them and lack them.
const BY_FIDELITY: [Operation; 9] = [
    Operation::Messages,
    Operation::GenerateContent,
    Operation::StreamGenerateContent,
    Operation::Converse,
    Operation::ConverseStream,
    Operation::CohereChat,
    Operation::OllamaChat,
    Operation::ChatCompletions,
    Operation::Responses,
];

/// Where tokens are counted.
const COUNTS: [Operation; 4] = [
    Operation::CountTokens,
    Operation::GeminiCountTokens,
    Operation::BedrockCountTokens,
    Operation::InputTokens,
];

/// The same for embeddings. One input may be asked for as several are.
const EMBEDDINGS_BY_FIDELITY: [Operation; 5] = [
    Operation::BatchEmbedContents,
    Operation::EmbedContent,
    Operation::CohereEmbed,
    Operation::OllamaEmbed,
    Operation::Embeddings,
];

/// Two dialects that differ, of what is asked.
#[derive(Clone, Copy, Debug)]
pub enum Between {
    /// Of chat-like generation.
    Generation(translate::Pair),
    /// Of embeddings.
    Embeddings(embedding::Pair),
}

/// How a provider serves an operation.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// What it is asked to do.
    pub operation: Operation,
    /// Where.
    pub path: &'a PathTemplate,
    /// Between the dialect that was asked in and its own, where they differ.
    pub translation: Option<Between>,
}

/// Scheme, host and port, with what TLS needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// PEM certificates to trust instead of the platform's roots.
    pub ca_pem: Option<String>,
    /// What we show when we are asked who we are.
    pub client_certificate: Option<ClientCertificate>,
    /// The proxy that leads there.
    pub proxy: Option<Proxy>,
    /// Whether HTTP/2 is spoken.
    pub http2: Http2,
    /// What the host's name may lead to although [`reserved`](crate::address::reserved) says otherwise.
    pub allow_addresses: Vec<AddressRange>,
}

/// A certificate of ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// PEM certificates, leaf first.
    pub cert_pem: String,
    /// Slot of its private key (set with `Engine.set_private_key`).
    pub key: String,
}

/// An HTTP proxy that is asked to connect (`CONNECT`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Slot of the value of `Proxy-Authorization` (set with `Engine.set_credential`).
    pub credential: Option<String>,
}

/// When HTTP/2 is spoken to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Http2 {
    /// Not at all.
    Never,
    /// Where TLS finds that both sides do (ALPN); never without TLS.
    Auto,
    /// And nothing else: by ALPN with TLS, by prior knowledge without.
    Always,
}

/// See [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

/// Path and query, with at most one place for the model name (`{model}`), which is percent-encoded there. Behind
/// it, `{whole|stream}` is the one word or the other, as the reply is to be. Of an operation that keeps the
/// client's path, that follows before the query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathTemplate {
    /// Up to the model name, or all of it.
    pub before: String,
    /// What follows the model name; `None` when the path does not hold it.
    pub after: Option<String>,
    /// What follows it instead where the reply is to be a stream, if that is something else.
    pub after_for_stream: Option<String>,
    /// What is asked in the query besides what the client asks there, where its path is kept; or nothing.
    pub query: String,
}

impl PathTemplate {
    fn parse(template: String) -> Self {
        let Some((before, after)) = template.split_once("{model}") else {
            return Self { before: template, ..Self::default() };
        };
        let (whole, stream) = match alternatives(after) {
            Some([start, whole, stream, end]) => {
                ([start, whole, end].concat(), Some([start, stream, end].concat()))
            }
            None => (after.to_owned(), None),
        };
        Self { before: before.to_owned(), after: Some(whole), after_for_stream: stream, query: String::new() }
    }

    /// One that the client's own path follows, before the query.
    fn parse_beginning(template: &str) -> Option<Self> {
        let (path, query) = template.split_once('?').unwrap_or((template, ""));
        (path.ends_with('/') && !template.contains('{')).then(|| Self {
            before: path.to_owned(),
            query: query.to_owned(),
            ..Self::default()
        })
    }

    /// What follows the model's name, where the path holds it.
    #[inline]
    pub fn after(&self, stream: bool) -> Option<&str> {
        match &self.after_for_stream {
            Some(after) if stream => Some(after),
            _ => self.after.as_deref(),
        }
    }
}

/// What stands before, in and behind `{one|other}`.
fn alternatives(text: &str) -> Option<[&str; 4]> {
    let (start, rest) = text.split_once('{')?;
    let (one, rest) = rest.split_once('|')?;
    let (other, end) = rest.split_once('}')?;
    Some([start, one, other, end])
}

/// How a provider is told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// A header field carries the credential.
    Field(AuthField),
    /// The credential is an access key (see [`Key`](crate::sigv4::Key)) that signs the request for this.
    Signature(Scope),
}

/// The header field that carries the credential.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthField {
    /// Field name, lower case.
    pub header: String,
    /// Put before the credential, such as `Bearer `.
    pub prefix: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderDoc {
    name: String,
    origin: Origin,
    host_header: String,
    chat_fields: ChatFields,
    chat_members: ChatMembers,
    replays_reasoning: Option<ReplayedReasoning>,
    tool_id_length: Option<u8>,
    takes_models: bool,
    is_anthropic: bool,
    takes_extra_content: bool,
    platform: Platform,
    operations: BTreeMap<Operation, String>,
    auth: Option<AuthField>,
    operation_auth: BTreeMap<Operation, AuthField>,
    sigv4: Option<Scope>,
    headers: Vec<(String, String)>,
    default_headers: Vec<(String, String)>,
    withheld_headers: Vec<String>,
    credentials: Vec<String>,
    accounts: Vec<String>,
    credential_weights: Vec<u32>,
    health: Option<HealthProbe>,
    models: KnownModelsDoc,
}

impl ProviderDoc {
    pub(super) fn resolve(self, path: &str) -> Result<Provider, SnapshotError> {
        let operations = templates(self.operations, path)?;
        let auth = match (self.auth, self.sigv4) {
            (None, None) => None,
            (Some(field), None) => {
                check_field(&format!("{path}.auth.header"), &field.header, &field.prefix)?;
                Some(Auth::Field(field))
            }
            (None, Some(scope)) => {
                for (name, part) in [("region", &scope.region), ("service", &scope.service)] {
                    check_scope(format!("{path}.sigv4.{name}"), part)?;
                }
                Some(Auth::Signature(scope))
            }
            (Some(_), Some(_)) => {
                return Err(SnapshotError::at(format!("{path}.sigv4"), "stands beside `auth`"));
            }
        };
        for (operation, auth) in &self.operation_auth {
            let at = format!("{path}.operation_auth.{}.header", operation.name());
            check_field(&at, &auth.header, &auth.prefix)?;
        }
        for (list, fields) in [("headers", &self.headers), ("default_headers", &self.default_headers)] {
            for (at, (name, value)) in fields.iter().enumerate() {
                check_field(&format!("{path}.{list}[{at}]"), name, value)?;
            }
        }
        for (at, name) in self.withheld_headers.iter().enumerate() {
            check_field(&format!("{path}.withheld_headers[{at}]"), name, "")?;
        }
        if self.accounts.len() != self.credentials.len() {
            let message = format!("{} of {} credentials", self.accounts.len(), self.credentials.len());
            return Err(SnapshotError::at(format!("{path}.accounts"), message));
        }
        if self.credential_weights.len() != self.credentials.len() || self.credential_weights.contains(&0) {
            let message = format!("must be {} numbers above 0", self.credentials.len());
            return Err(SnapshotError::at(format!("{path}.credential_weights"), message));
        }
        check_field(&format!("{path}.host_header"), "host", &self.host_header)?;
        check_field(&format!("{path}.origin.host"), "host", &self.origin.host)?;
        if let Some(health) = &self.health {
            let at = |name: &str| format!("{path}.health.{name}");
            if !health.path.starts_with('/') || !health.path.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(SnapshotError::at(
                    at("path"),
                    "must start with `/` and hold printable ASCII only",
                ));
            }
            for (name, value) in [
                ("interval_ms", health.interval_ms),
                ("timeout_ms", health.timeout_ms),
                ("failures", health.failures),
            ] {
                if value == 0 {
                    return Err(SnapshotError::at(at(name), "must be above 0"));
                }
            }
        }
        Ok(Provider {
            name: self.name,
            origin: self.origin,
            host_header: self.host_header,
            chat_fields: self.chat_fields,
            chat_members: self.chat_members,
            replays_reasoning: self.replays_reasoning,
            tool_id_length: self.tool_id_length,
            takes_models: self.takes_models,
            is_anthropic: self.is_anthropic,
            takes_extra_content: self.takes_extra_content,
            platform: self.platform,
            operations,
            auth,
            operation_auth: self.operation_auth,
            headers: self.headers,
            default_headers: self.default_headers,
            withheld_headers: self.withheld_headers,
            credentials: self.credentials,
            accounts: self.accounts,
            credential_weights: self.credential_weights,
            health: self.health,
            models: self.models.resolve(&format!("{path}.models"))?,
        })
    }
}

/// The path of each operation, by [`Operation`] order.
fn templates(
    written: BTreeMap<Operation, String>,
    path: &str,
) -> Result<[Option<PathTemplate>; Operation::ALL.len()], SnapshotError> {
    let mut operations = [const { None }; Operation::ALL.len()];
    for (operation, template) in written {
        let slot = operations.get_mut(operation as usize);
        let at = || format!("{path}.operations.{}", operation.name());
        if operation.is_answered_here() {
            return Err(SnapshotError::at(at(), "is answered by the gateway itself"));
        }
        if !template.starts_with('/') || !template.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SnapshotError::at(at(), "must start with `/` and hold printable ASCII only"));
        }
        let parsed = if operation.keeps_path() {
            PathTemplate::parse_beginning(&template).ok_or_else(|| {
                SnapshotError::at(at(), "must end with `/`, which the client's path follows")
            })?
        } else {
            PathTemplate::parse(template)
        };
        if let Some(slot) = slot {
            *slot = Some(parsed);
        }
    }
    Ok(operations)
}

/// Parts of a scope are put together with `/` and stand in a header field.
fn check_scope(path: String, part: &str) -> Result<(), SnapshotError> {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if part.is_empty() || !part.bytes().all(word) {
        return Err(SnapshotError::at(path, format!("`{part}` is not a word of `a-z`, `0-9` and `-`")));
    }
    Ok(())
}

/// A header field that could end a line early would be a hole in every request to that upstream.
fn check_field(path: &str, name: &str, value: &str) -> Result<(), SnapshotError> {
    let token = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'));
    if !token {
        return Err(SnapshotError::at(path, format!("`{name}` is not a lower-case header name")));
    }
    if !value.bytes().all(|b| b == b'\t' || (0x20..0x7f).contains(&b)) {
        return Err(SnapshotError::at(
            path,
            format!("the value of `{name}` holds a control or non-ASCII character"),
        ));
    }
    Ok(())
}
