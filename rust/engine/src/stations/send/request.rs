//! A request as it goes to one target: head written out, model name spliced in or the whole translated.

use std::borrow::Cow;
use std::rc::Rc;

use llm_edge_core::dialect::Platform;
use llm_edge_core::http1::{Known, write};
use llm_edge_core::percent;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::scan::PIECES_MAX;
use llm_edge_core::snapshot::{ModelName, PathTemplate, Route, Served};
use llm_edge_core::surface::Dialect;

use super::super::guard::Screened;
use super::super::head::Head;
use super::request_body::{Body, written};
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
        let Some(mut body) = Body::of(x, head, place, screened, asked, config, served.translation)? else {
            return Ok(None);
        };
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
