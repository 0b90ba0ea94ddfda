//! A request as it goes to one target: head written out, model name spliced in or the whole translated.

use std::borrow::Cow;
use std::rc::Rc;

use llm_edge_core::dialect::{Platform, Taker, fit_tool_ids, messages_form, unwrapped_question};
use llm_edge_core::embedding;
use llm_edge_core::http1::{Known, write};
use llm_edge_core::percent;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::scan::{Edit, PIECES_MAX, Text, escape_json, splice};
use llm_edge_core::snapshot::{ModelName, PathTemplate, Provider, Route, Served};
use llm_edge_core::span::Span;
use llm_edge_core::stream_usage;
use llm_edge_core::surface::{Dialect, Operation};
use llm_edge_core::translate::Losses;

use super::super::body::Envelope;
use super::super::guard::Screened;
use super::super::head::Head;
use super::translated::{self, Crossing, Names, Translation};
use crate::backends::upstream::Origin;
use crate::buffers::JOIN_BYTES_MAX;
use crate::caller_credential::Fields;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::{Account, LoadedProvider, Place};
use crate::shared::Credential;

/// A request as it goes to one target.
pub(super) struct Request {
    /// The provider's name, for messages: its address is nobody else's business.
    pub(super) provider: Rc<str>,
    pub(super) origin: Rc<Origin>,
    /// Which of the provider's credentials is in it.
    pub(super) credential: Option<usize>,
    /// What is spoken there.
    pub(super) dialect: Option<Dialect>,
    /// Request line and fields, ended by the empty line.
    pub(super) head: Vec<u8>,
    pub(super) body: Body,
    /// The body is in `head` too.
    pub(super) joined: bool,
}

/// What follows the head.
pub(super) enum Body {
    /// The client's own, with as little changed as can be.
    Own {
        model: Name,
        /// What is put in beside.
        added: Option<Edit<'static>>,
        /// The client's stream is asked for its usage, and the client did not ask.
        asks_usage: bool,
    },
    /// The client's own with more changed than can be done in pieces: names that it repeats, ids.
    Changed { body: Vec<u8>, asks_usage: bool, losses: Option<Box<Losses>> },
    /// In the words of another dialect.
    Translated { body: Vec<u8>, translation: Box<Translation> },
}

impl Request {
    /// `None` when the target's provider does not serve the operation, or has lost its credential. `asked` is
    /// the route whose rules hold.
    ///
    /// # Errors
    /// 400 where the request cannot be said in the target's dialect.
    pub(super) fn write(
        x: &Exchange,
        head: &Head,
        place: &Place,
        screened: &Screened,
        asked: &Route,
    ) -> Result<Option<Self>, Rejection> {
        fail_point!("send.request");
        let snapshot = &x.loaded.snapshot;
        let Some(target) = place.target(snapshot) else { return Ok(None) };
        let Some(config) = snapshot.providers.get(target.provider) else { return Ok(None) };
        let envelope = screened.envelope();
        let (Some(served), Some(provider)) =
            (config.serve(head.operation, envelope.stream), x.loaded.providers.get(target.provider))
        else {
            return Ok(None);
        };
        let body = match served.translation {
            None => match Body::own(x, head, place, screened, asked, config) {
                Some(own) if may_not_be_taken(x, head, place, config) => {
                    Some(own.fit(x, head, screened, asked, config)?)
                }
                own => own,
            },
            Some(between) => {
                let crossing = Crossing {
                    between,
                    stream: head.operation.streams(),
                    json_array: head.wants_array(),
                    chat_fields: config.chat_fields,
                    chat_members: &config.chat_members,
                    replays_reasoning: config.replays_reasoning,
                    tool_id_length: config.tool_id_length,
                    platform: config.platform,
                };
                Some(Body::translated(x, place, screened, asked, &target.model, crossing)?)
            }
        };
        let Some(mut body) = body else { return Ok(None) };
        let mut out = x.worker.buffers.take();
        // What is asked in the query is asked in the words of the surface.
        let mut query: &[u8] =
            if body.is_own() { head.query(&x.input) } else { served.operation.events_query().as_bytes() };
        if config.platform != Platform::Own && served.operation.dialect() == Some(Dialect::AnthropicMessages)
        {
            body.take_form(config.platform, served.path, screened.envelope().body.of(&x.input));
            // What Anthropic's clients ask in the query (`beta=true`), Google refuses there.
            query = b"";
        }
        if head.operation.keeps_path() {
            write_kept_line(&mut out, x, head, served.path, query);
        } else {
            let written = || written(x, place, envelope);
            write_line(&mut out, served.path, &target.model, written, envelope.stream, query)?;
        }
        out.extend_from_slice(&provider.fixed_fields);
        let scope = provider.scope.as_ref();
        let callers = x.credential_for(target.provider);
        let credential = if callers.is_some() { None } else { credential_at(x, provider, place) };
        let passing = callers.map_or(Fields::default(), |own| {
            own.passing(provider, (!body.is_own()).then_some(served.operation))
        });
        if let Some(own) = callers
            && passing.is_empty()
        {
            out.extend_from_slice(provider.auth_field(Some(served.operation)));
            out.extend_from_slice(own.bare());
            out.extend_from_slice(b"\r\n");
        }
        if let Some((_, credential)) = credential
            && scope.is_none()
        {
            out.extend_from_slice(provider.auth_field(Some(served.operation)));
            if !credential.write(&mut out) {
                return without(credential, &provider.name);
            }
            out.extend_from_slice(b"\r\n");
        }
        write_fields(&mut out, x, provider, &config.default_headers, body.is_own(), passing);
        write::field(&mut out, b"x-request-id", x.request_id.as_bytes());
        let pieces = body.pieces(x, screened);
        let sent_len: usize = pieces.iter().map(|piece| piece.len()).sum();
        // A GET without one has none: a length of 0 is more than some servers take (RFC 9110 §8.6).
        if sent_len > 0 || !x.request.method.of(&x.input).starts_with(b"G") {
            out.extend_from_slice(b"content-length: ");
            write::decimal(&mut out, sent_len as u64);
            out.extend_from_slice(b"\r\n");
        }
        // What is signed has to stand there.
        if let Some(scope) = scope
            && let Some((_, credential)) = credential
            && !credential.sign(&mut out, &pieces, scope)
        {
            return without(credential, &provider.name);
        }
        out.extend_from_slice(b"\r\n");
        let joined = out.len() + sent_len <= JOIN_BYTES_MAX;
        if joined {
            for piece in pieces {
                out.extend_from_slice(piece);
            }
        }
        Ok(Some(Self {
            provider: Rc::clone(&provider.name),
            origin: Rc::clone(&provider.origin),
            credential: credential.map(|(at, _)| at),
            dialect: served.operation.dialect(),
            head: out,
            body,
            joined,
        }))
    }

    /// The body as it is sent, in pieces.
    pub(super) fn pieces<'a>(&'a self, x: &'a Exchange, screened: &Screened) -> [&'a [u8]; PIECES_MAX] {
        self.body.pieces(x, screened)
    }

    /// Whether the stream tells its usage although its client did not ask for it.
    pub(super) fn asks_usage(&self) -> bool {
        self.body.asks_usage()
    }
}

/// Whether a request in the provider's own dialect may hold what that would refuse.
#[inline]
fn may_not_be_taken(x: &Exchange, head: &Head, place: &Place, config: &Provider) -> bool {
    match head.operation.dialect() {
        Some(Dialect::OpenaiChat) => place.route.mixes_reasoning,
        Some(Dialect::AnthropicMessages) if !config.is_anthropic || config.platform != Platform::Own => true,
        Some(dialect) => x.loaded.snapshot.foreign.holds(dialect),
        None => false,
    }
}

/// Ours, as the place wants it.
#[inline]
fn credential_at<'a>(
    x: &Exchange,
    provider: &'a LoadedProvider,
    place: &Place,
) -> Option<(usize, &'a Credential)> {
    match place.account {
        Account::Next => provider.credential(x.worker.deadlines.now_ms()),
        Account::Of(number) => provider.credential_by(number, x.worker.deadlines.now_ms()),
        Account::Only(at) => provider.credentials.get(at).map(|credential| (at, credential.as_ref())),
    }
}

impl Body {
    /// What the reply needs, where it comes in another dialect than the client's, and what was left out of a body
    /// that did not need to be translated.
    pub(super) fn into_rest(self) -> (Option<Box<Translation>>, Option<Box<Losses>>) {
        match self {
            Self::Own { .. } => (None, None),
            Self::Changed { losses, .. } => (None, losses),
            Self::Translated { translation, .. } => (Some(translation), None),
        }
    }

    fn own(
        x: &Exchange,
        head: &Head,
        place: &Place,
        screened: &Screened,
        asked: &Route,
        config: &Provider,
    ) -> Option<Self> {
        let envelope = screened.envelope();
        let model = &place.target(&x.loaded.snapshot)?.model;
        let body = envelope.body.of(&x.input);
        let Some(written) = envelope.scan.model else {
            // It goes into the path.
            let own = Self::Own { model: Name::Written, added: None, asks_usage: false };
            if head.operation.keeps_path() {
                return Some(own);
            }
            let written = envelope.path_model.as_deref()?;
            if head.operation.repeats_model() {
                return Some(Self::repeating(body, written, model));
            }
            if head.operation == Operation::GeminiCountTokens && config.platform == Platform::Vertex {
                return Some(own.unwrapped(body));
            }
            return Some(own);
        };
        let name = match model {
            _ if place.further > 0 => Name::Own(escaped(model.of(envelope.further_name(place.further)?))),
            ModelName::Same => Name::Written,
            // In a form nothing is escaped.
            ModelName::Fixed(name) if !body.starts_with(b"{") => Name::Own(name.as_bytes().to_vec()),
            ModelName::Fixed(name) => Name::Own(escaped(name)),
            ModelName::Rest if !written.escaped => {
                let cut = memchr::memchr(b'/', written.raw.of(body)).map_or(0, |at| at + 1);
                Name::Part(Span {
                    start: written.raw.start + u32::try_from(cut).unwrap_or(0),
                    end: written.raw.end,
                })
            }
            ModelName::Rest => Name::Own(escaped(model.of(&written.decode(body).ok()?))),
        };
        let usage = if asked.ask_usage && config.chat_members.knows("stream_options") {
            head.operation.dialect().and_then(|dialect| stream_usage::ask(body, dialect, &envelope.scan))
        } else {
            None
        };
        let own = Self::Own { model: name, added: usage, asks_usage: usage.is_some() };
        match config.tool_id_length {
            Some(length) if head.operation.dialect() == Some(Dialect::OpenaiChat) => {
                Some(own.with_tool_ids(x, screened, length))
            }
            _ => Some(own),
        }
    }

    /// Brings the client's own body, `written`, into the form of the platform that serves Anthropic's models; one
    /// that was translated is in it.
    #[inline(never)]
    fn take_form(&mut self, platform: Platform, path: &PathTemplate, written: &[u8]) {
        match self {
            Self::Own { model, added, .. } => {
                let changes = messages_form::changes(written, platform, path.after.is_some());
                if let Some(edit) = changes.model {
                    *model = Name::Member(edit);
                }
                *added = changes.version;
            }
            Self::Changed { body, .. } => {
                let changes = messages_form::changes(body, platform, path.after.is_some());
                *body = splice(body, changes.model, changes.version).concat();
            }
            Self::Translated { .. } => {}
        }
    }

    /// A body that says the model's name too, which must be the one in the path.
    #[cold]
    fn repeating(body: &[u8], written: &str, model: &ModelName) -> Self {
        match model.of(written) {
            sent if sent == written => Self::Own { model: Name::Written, added: None, asks_usage: false },
            sent => Self::changed(embedding::renamed(body, sent)),
        }
    }

    /// A question after tokens as Vertex AI knows it.
    #[cold]
    fn unwrapped(self, body: &[u8]) -> Self {
        match unwrapped_question(body) {
            Some(body) => Self::changed(body),
            None => self,
        }
    }

    /// With ids of tool calls as the provider wants them: the conversation may have begun with another one.
    #[cold]
    fn with_tool_ids(self, x: &Exchange, screened: &Screened, length: u8) -> Self {
        match fit_tool_ids(&self.pieces(x, screened), length) {
            Some(body) => Self::Changed { body, asks_usage: self.asks_usage(), losses: None },
            None => self,
        }
    }

    /// Without what this provider would refuse: see [`Taker`].
    ///
    /// # Errors
    /// 400 naming what would be left out, where the route is strict.
    #[cold]
    fn fit(
        self,
        x: &Exchange,
        head: &Head,
        screened: &Screened,
        asked: &Route,
        config: &Provider,
    ) -> Result<Self, Rejection> {
        let Some(dialect) = head.operation.dialect() else { return Ok(self) };
        let taker = Taker {
            dialect,
            platform: config.platform,
            is_anthropic: config.is_anthropic,
            replays_reasoning: config.replays_reasoning,
            takes_extra_content: config.takes_extra_content,
        };
        let Some((body, losses)) = taker.fit(&self.pieces(x, screened)) else { return Ok(self) };
        translated::refuse_losses(&losses, asked.translation, "does not take from another")?;
        if !losses.is_empty() {
            x.worker.bank.worker.reasoning_left_out.add(1);
        }
        let losses = (!losses.is_empty()).then(|| Box::new(losses));
        Ok(Self::Changed { body, asks_usage: self.asks_usage(), losses })
    }

    fn changed(body: Vec<u8>) -> Self {
        Self::Changed { body, asks_usage: false, losses: None }
    }

    fn asks_usage(&self) -> bool {
        matches!(self, Self::Own { asks_usage: true, .. } | Self::Changed { asks_usage: true, .. })
    }

    #[cold]
    fn translated(
        x: &Exchange,
        place: &Place,
        screened: &Screened,
        asked: &Route,
        model: &ModelName,
        crossing: Crossing<'_>,
    ) -> Result<Self, Rejection> {
        let written = written(x, place, screened.envelope())?.unwrap_or_default();
        let names = Names { asked: &written, sent: model.of(&written) };
        let (body, translation) = translated::body(x, screened, crossing, names, asked.translation)?;
        Ok(Self::Translated { body, translation: Box::new(translation) })
    }

    fn is_own(&self) -> bool {
        !matches!(self, Self::Translated { .. })
    }

    fn pieces<'a>(&'a self, x: &'a Exchange, screened: &Screened) -> [&'a [u8]; PIECES_MAX] {
        let envelope = screened.envelope();
        let body = envelope.body.of(&x.input);
        match self {
            Self::Own { model, added, .. } => {
                let name = envelope.scan.model.as_ref().and_then(|written| model.edit(body, written));
                splice(body, name, *added)
            }
            Self::Changed { body, .. } | Self::Translated { body, .. } => splice(body, None, None),
        }
    }
}

/// The model's name as it is sent.
pub(super) enum Name {
    /// As the client wrote it.
    Written,
    /// A part of what the client wrote.
    Part(Span),
    /// Another one, JSON-escaped.
    Own(Vec<u8>),
    /// Not in the body: its whole member gives way.
    Member(Edit<'static>),
}

impl Name {
    /// What has to be changed in the body, if anything has.
    fn edit<'a>(&'a self, body: &'a [u8], written: &Text) -> Option<Edit<'a>> {
        let text = match self {
            Self::Written => return None,
            Self::Part(part) => part.of(body),
            Self::Own(name) => name,
            Self::Member(edit) => return Some(*edit),
        };
        Some(Edit { span: written.raw, text })
    }
}

/// The name by which the client asks for the place.
///
/// # Errors
/// 400 where it is not UTF-8.
fn written<'a>(
    x: &'a Exchange,
    place: &Place,
    envelope: &'a Envelope,
) -> Result<Option<Cow<'a, str>>, Rejection> {
    match envelope.further_name(place.further) {
        Some(name) => Ok(Some(Cow::Borrowed(name))),
        None => envelope.model(&x.input),
    }
}

fn escaped(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    escape_json(&mut out, name);
    out
}

fn write_line<'a>(
    out: &mut Vec<u8>,
    template: &PathTemplate,
    model: &ModelName,
    written: impl FnOnce() -> Result<Option<Cow<'a, str>>, Rejection>,
    stream: bool,
    query: &[u8],
) -> Result<(), Rejection> {
    out.extend_from_slice(b"POST ");
    out.extend_from_slice(template.before.as_bytes());
    let mut has_query = template.before.contains('?');
    if let Some(after) = template.after(stream) {
        percent::encode(out, model.of(&written()?.unwrap_or_default()).as_bytes());
        out.extend_from_slice(after.as_bytes());
        has_query |= after.contains('?');
    }
    if !query.is_empty() {
        out.push(if has_query { b'&' } else { b'?' });
        out.extend_from_slice(query);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    Ok(())
}

/// The request line of what is passed on: the client's own method, and its path behind the provider's.
#[cold]
fn write_kept_line(out: &mut Vec<u8>, x: &Exchange, head: &Head, template: &PathTemplate, query: &[u8]) {
    out.extend_from_slice(x.request.method.of(&x.input));
    out.push(b' ');
    out.extend_from_slice(template.before.as_bytes());
    out.extend_from_slice(head.model_id.of(&x.input));
    let parts = [query, template.query.as_bytes()];
    for (part, before) in parts.into_iter().filter(|part| !part.is_empty()).zip([b'?', b'&']) {
        out.push(before);
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// Without its credential a request would only be refused as if it were the caller's fault.
#[cold]
fn without(credential: &Credential, provider: &str) -> Result<Option<Request>, Rejection> {
    let Some(reason) = credential.lost() else { return Ok(None) };
    let message = format!("provider `{provider}`: {reason}");
    Err(Rejection::new(Code::UpstreamCredential, message).should_retry(true))
}

/// A model's name that becomes a path segment must be one: `..` cannot be made harmless by encoding it, and
/// nothing is no segment (B22).
///
/// # Errors
/// 400 naming the field.
pub(super) fn check_segment(
    x: &Exchange,
    head: &Head,
    place: &Place,
    screened: &Screened,
) -> Result<(), Rejection> {
    let snapshot = &x.loaded.snapshot;
    let Some(target) = place.target(snapshot) else { return Ok(()) };
    let envelope = screened.envelope();
    let provider = snapshot.providers.get(target.provider);
    let served = provider.and_then(|provider| provider.serve(head.operation, envelope.stream));
    let Some(Served { path: PathTemplate { after: Some(_), .. }, .. }) = served else { return Ok(()) };
    let Some(decoded) = written(x, place, envelope)? else { return Ok(()) };
    if matches!(target.model.of(&decoded), "" | "." | "..") {
        let message = "this model's name becomes part of the upstream's path, where it means something else";
        return Err(Rejection::new(Code::InvalidField, message).param("model"));
    }
    Ok(())
}

/// Fields that concern one connection, or say who the caller is: one bit for each [`Known`].
const STAYS_HERE: u64 = {
    let stays = [
        Known::HopByHop,
        Known::Underscore,
        Known::Forwarded,
        Known::Edge,
        Known::Host,
        Known::ContentLength,
        Known::TransferEncoding,
        Known::Expect,
        Known::Authorization,
        Known::XApiKey,
        Known::ApiKey,
        Known::XGoogApiKey,
        Known::OtherKey,
        Known::Cookie,
        Known::AcceptEncoding,
        Known::XRequestId,
    ];
    let (mut bits, mut at) = (0, 0);
    while at < stays.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, within the array")]
        let known = stays[at];
        bits |= 1 << known as u64;
        at += 1;
    }
    bits
};

/// Fields of one vendor's API, which another one's does not understand, begin so.
const OF_A_DIALECT: [&[u8]; 4] = [b"anthropic-", b"openai-", b"x-goog-", b"x-stainless-"];

/// The client's fields that travel on: not what concerns one connection, not who the caller is (but for what is
/// `passing`), and nothing of the client's dialect where another one is spoken.
fn write_fields(
    out: &mut Vec<u8>,
    x: &Exchange,
    provider: &LoadedProvider,
    defaults: &[(String, String)],
    is_own: bool,
    passing: Fields,
) {
    let end = x.request.len.saturating_sub(2);
    let foreign = |name: &[u8]| {
        !is_own
            && OF_A_DIALECT.iter().any(|prefix| {
                name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            })
    };
    write::lines(out, &x.input, &x.request.fields, end, |field| {
        let name = field.name.of(&x.input);
        let travels = STAYS_HERE & (1 << field.known as u64) == 0;
        let replaced = || provider.replaced.iter().any(|own| own.eq_ignore_ascii_case(name));
        (travels && !replaced() && !foreign(name)) || passing.has(field.known)
    });
    for (name, value) in defaults {
        let sent = |field: &llm_edge_core::http1::Field| {
            field.name.of(&x.input).eq_ignore_ascii_case(name.as_bytes()) && !foreign(name.as_bytes())
        };
        if !x.request.fields.iter().any(sent) {
            write::field(out, name.as_bytes(), value.as_bytes());
        }
    }
}
