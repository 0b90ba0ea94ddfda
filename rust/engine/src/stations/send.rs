//! Send: the request goes upstream, and the head of the reply comes back.
//!
//! Another target or connection is tried only while no byte of the request was written anywhere (B03).

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::time::Instant;

use llm_edge_core::http1::{Known, write};
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::scan::{Text, escape_json, splice_model};
use llm_edge_core::snapshot::{ModelName, PathTemplate};
use llm_edge_core::span::Span;

use super::admit::Admission;
use super::guard::Screened;
use super::head::Head;
use super::route::Plan;
use crate::backends::upstream::{Connection, Origin, ReadError};
use crate::buffers::JOIN_BYTES_MAX;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::LoadedProvider;

/// An upstream's reply whose head is there.
pub(crate) struct Begun {
    pub(crate) connection: Connection,
    pub(crate) origin: Rc<Origin>,
    pub(crate) target: usize,
    pub(crate) progress_ms: u32,
    /// On the worker's coarse clock; `u64::MAX` for none.
    pub(crate) latest_ms: u64,
}

/// Interim replies (1xx) before the final one that are put up with.
const INTERIM_MAX: u32 = 16;

/// How an attempt failed.
enum Failed {
    /// No byte of the request was written: another attempt is safe.
    Unsent(Rejection),
    /// It may have been executed.
    Sent(Rejection),
}

/// Sends the request to the plan's targets, one after the other, until one begins to reply.
///
/// # Errors
/// 502 or 504; with `x-should-retry: true` where no byte of the request was written.
pub(crate) async fn first_byte(
    x: &mut Exchange,
    head: &Head,
    _: &Admission,
    plan: &Plan,
    screened: &Screened,
) -> Result<Box<Begun>, Rejection> {
    fail_point!("send");
    let total_ms = plan.deadlines.total_ms;
    let latest_ms =
        if total_ms == 0 { u64::MAX } else { x.worker.deadlines.now_ms() + u64::from(total_ms) + 25 };
    let mut last = None;
    for target in plan.targets() {
        check_segment(x, head, plan, target, screened)?;
        let Some(request) = Request::write(x, head, plan, target, screened) else { continue };
        x.facts.target = Some(target);
        let result = attempt(x, plan, &request, screened, latest_ms).await;
        let cells = plan.route.targets.get(target);
        let count = |at: usize| {
            if let Some(cell) = cells.and_then(|cells| cells.attempts.get(at)) {
                cell.add(1);
            }
        };
        x.worker.buffers.give(request.head);
        match result {
            Ok(connection) => {
                count(0);
                let progress_ms = plan.deadlines.progress_ms;
                return Ok(Box::new(Begun {
                    connection,
                    origin: request.origin,
                    target,
                    progress_ms,
                    latest_ms,
                }));
            }
            Err(Failed::Sent(rejection)) => {
                count(result_of(rejection.code));
                return Err(rejection);
            }
            Err(Failed::Unsent(rejection)) => {
                count(result_of(rejection.code));
                last = Some(rejection.should_retry(true));
            }
        }
    }
    Err(last.unwrap_or_else(|| {
        Rejection::new(Code::Internal, "no target of this route is ready to serve the operation")
    }))
}

/// Index into [`crate::telemetry::bank::ATTEMPT_RESULTS`].
fn result_of(code: Code) -> usize {
    match code {
        Code::UpstreamUnreachable => 1,
        Code::UpstreamTimeout => 3,
        Code::UpstreamInvalid => 4,
        _ => 2,
    }
}

/// A request as it goes to one target.
struct Request {
    /// The provider's name, for messages: its address is nobody else's business.
    provider: Rc<str>,
    origin: Rc<Origin>,
    /// Request line and fields, ended by the empty line.
    head: Vec<u8>,
    model: Name,
    /// The body is in `head` too.
    joined: bool,
}

impl Request {
    /// `None` when the target's provider does not serve the operation, or has lost its credential.
    fn write(x: &Exchange, head: &Head, plan: &Plan, target: usize, screened: &Screened) -> Option<Self> {
        let snapshot = &x.loaded.snapshot;
        let target = snapshot.routes.get(plan.route.index)?.targets.get(target)?;
        let template = snapshot.providers.get(target.provider)?.path(head.operation)?;
        let provider = x.loaded.providers.get(target.provider)?;
        let envelope = screened.envelope();
        let body = envelope.body.of(&x.input);
        let written = envelope.scan.model?;
        let model = match &target.model {
            ModelName::Same => Name::Written,
            ModelName::Fixed(name) => Name::Own(escaped(name)),
            ModelName::Rest if !written.escaped => {
                let cut = memchr::memchr(b'/', written.raw.of(body)).map_or(0, |at| at + 1);
                Name::Part(Span {
                    start: written.raw.start + u32::try_from(cut).unwrap_or(0),
                    end: written.raw.end,
                })
            }
            ModelName::Rest => Name::Own(escaped(name_for(&target.model, &written.decode(body).ok()?))),
        };
        let (before, name, after) = model.pieces(body, &written);
        let sent_len = before.len() + name.len() + after.len();
        let mut out = x.worker.buffers.take();
        write_line(&mut out, x, head, template, &target.model, &envelope.scan.model?, body);
        out.extend_from_slice(&provider.fixed_fields);
        if let Some(credential) = provider.credential() {
            let before = out.len();
            out.extend_from_slice(&provider.auth_field);
            if credential.write(&mut out) {
                out.extend_from_slice(b"\r\n");
            } else {
                // Without its credential a request would only be refused as if it were the caller's fault.
                out.truncate(before);
                return None;
            }
        }
        write_fields(&mut out, x, provider, &snapshot.providers.get(target.provider)?.default_headers);
        write::field(&mut out, b"x-request-id", x.request_id.as_bytes());
        out.extend_from_slice(b"content-length: ");
        write::decimal(&mut out, sent_len as u64);
        out.extend_from_slice(b"\r\n\r\n");
        let joined = out.len() + sent_len <= JOIN_BYTES_MAX;
        if joined {
            out.extend_from_slice(before);
            out.extend_from_slice(name);
            out.extend_from_slice(after);
        }
        Some(Self {
            provider: Rc::clone(&provider.name),
            origin: Rc::clone(&provider.origin),
            head: out,
            model,
            joined,
        })
    }
}

/// The model's name as it is sent.
enum Name {
    /// As the client wrote it.
    Written,
    /// A part of what the client wrote.
    Part(Span),
    /// Another one, JSON-escaped.
    Own(Vec<u8>),
}

impl Name {
    /// The body as it is sent: what is before the name, the name, what is after it.
    fn pieces<'a>(&'a self, body: &'a [u8], written: &Text) -> (&'a [u8], &'a [u8], &'a [u8]) {
        let name = match self {
            Self::Written => return (body, &[], &[]),
            Self::Part(part) => part.of(body),
            Self::Own(name) => name,
        };
        let (before, after) = splice_model(body, written);
        (before, name, after)
    }
}

fn escaped(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    escape_json(&mut out, name);
    out
}

fn write_line(
    out: &mut Vec<u8>,
    x: &Exchange,
    head: &Head,
    template: &PathTemplate,
    model: &ModelName,
    written: &Text,
    body: &[u8],
) {
    out.extend_from_slice(b"POST ");
    out.extend_from_slice(template.before.as_bytes());
    let mut has_query = template.before.contains('?');
    if let Some(after) = &template.after {
        let decoded = written.decode(body).unwrap_or_default();
        percent_encode(out, name_for(model, &decoded).as_bytes());
        out.extend_from_slice(after.as_bytes());
        has_query |= after.contains('?');
    }
    let query = head.query.of(&x.input);
    if !query.is_empty() {
        out.push(if has_query { b'&' } else { b'?' });
        out.extend_from_slice(query);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// A model's name that becomes a path segment must be one: `..` cannot be made harmless by encoding it, and
/// nothing is no segment (B22).
///
/// # Errors
/// 400 naming the field.
fn check_segment(
    x: &Exchange,
    head: &Head,
    plan: &Plan,
    target: usize,
    screened: &Screened,
) -> Result<(), Rejection> {
    let snapshot = &x.loaded.snapshot;
    let Some(target) = snapshot.routes.get(plan.route.index).and_then(|route| route.targets.get(target))
    else {
        return Ok(());
    };
    let path = snapshot.providers.get(target.provider).and_then(|provider| provider.path(head.operation));
    let envelope = screened.envelope();
    let (Some(PathTemplate { after: Some(_), .. }), Some(written)) = (path, &envelope.scan.model) else {
        return Ok(());
    };
    let body = envelope.body.of(&x.input);
    let decoded = written.decode(body).map_err(|e| e.rejection(body))?;
    if matches!(name_for(&target.model, &decoded), "" | "." | "..") {
        let message = "this model's name becomes part of the upstream's path, where it means something else";
        return Err(Rejection::new(Code::InvalidField, message).param("model"));
    }
    Ok(())
}

/// The name to send for what the client wrote.
fn name_for<'a>(model: &'a ModelName, written: &'a str) -> &'a str {
    match model {
        ModelName::Fixed(name) => name,
        ModelName::Same => written,
        ModelName::Rest => written.split_once('/').map_or(written, |(_, rest)| rest),
    }
}

/// Everything but unreserved characters (RFC 3986 §2.3), so that a name cannot leave its path segment (B22).
fn percent_encode(out: &mut Vec<u8>, name: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in name {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(*byte);
        } else {
            let digit = |n: u8| DIGITS.get(usize::from(n)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
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

/// The client's fields that travel on: not what concerns one connection, not who the caller is.
fn write_fields(out: &mut Vec<u8>, x: &Exchange, provider: &LoadedProvider, defaults: &[(String, String)]) {
    let end = x.request.len.saturating_sub(2);
    write::lines(out, &x.input, &x.request.fields, end, |field| {
        let name = field.name.of(&x.input);
        let travels = STAYS_HERE & (1 << field.known as u64) == 0;
        let replaced = || provider.replaced.iter().any(|own| own.eq_ignore_ascii_case(name));
        travels && !replaced()
    });
    for (name, value) in defaults {
        let sent = |field: &llm_edge_core::http1::Field| {
            field.name.of(&x.input).eq_ignore_ascii_case(name.as_bytes())
        };
        if !x.request.fields.iter().any(sent) {
            write::field(out, name.as_bytes(), value.as_bytes());
        }
    }
}

async fn attempt(
    x: &mut Exchange,
    plan: &Plan,
    request: &Request,
    screened: &Screened,
    latest_ms: u64,
) -> Result<Connection, Failed> {
    loop {
        x.facts.attempts += 1;
        let mut connection = match request.origin.take_idle() {
            Some(idle) => idle,
            None => Box::pin(connect(x, plan, request, latest_ms)).await?,
        };
        connection.buffer = x.worker.buffers.take();
        x.client.timer().arm_before(plan.deadlines.first_byte_ms, latest_ms);
        match write_request(x, request, screened, &mut connection).await {
            Ok(()) => {}
            // The upstream had closed a kept-alive connection just then: take another one.
            Err(Failed::Unsent(_)) if connection.reused => {
                x.worker.buffers.give(connection.buffer);
                continue;
            }
            Err(failed) => return Err(failed),
        }
        x.facts.sent = Some(Instant::now());
        read_reply(x, request, &mut connection).await.map_err(Failed::Sent)?;
        x.facts.first_byte = Some(Instant::now());
        return Ok(connection);
    }
}

async fn connect(x: &Exchange, plan: &Plan, request: &Request, latest_ms: u64) -> Result<Connection, Failed> {
    let timer = x.client.timer();
    timer.arm_before(plan.deadlines.connect_ms, latest_ms);
    match timer.limit(request.origin.connect(plan.deadlines.connect_ms)).await {
        Ok(Ok(connection)) => {
            x.worker.bank.worker.upstream_connections_opened.add(1);
            Ok(connection)
        }
        Ok(Err(e)) => Err(Failed::Unsent(Rejection::new(
            Code::UpstreamUnreachable,
            format!("provider `{}` cannot be reached: {e}", request.provider),
        ))),
        Err(lapse) => Err(Failed::Unsent(lapse.rejection(&format!(
            "provider `{}` did not accept the connection within {} ms (`deadlines.connect_ms`)",
            request.provider, plan.deadlines.connect_ms
        )))),
    }
}

async fn write_request(
    x: &Exchange,
    request: &Request,
    screened: &Screened,
    connection: &mut Connection,
) -> Result<(), Failed> {
    let envelope = screened.envelope();
    let mut slices = [IoSlice::new(&request.head), IoSlice::new(&[]), IoSlice::new(&[]), IoSlice::new(&[])];
    let mut count = 1;
    if let (false, Some(written)) = (request.joined, &envelope.scan.model) {
        let (before, name, after) = request.model.pieces(envelope.body.of(&x.input), written);
        slices = [IoSlice::new(&request.head), IoSlice::new(before), IoSlice::new(name), IoSlice::new(after)];
        count = slices.len();
    }
    let slices = slices.get_mut(..count).unwrap_or_default();
    match x.client.timer().limit(connection.send(slices, &x.loaded.upstream_head_limits)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => {
            let rejection = closed(request, &failure.error);
            if failure.written == 0 { Err(Failed::Unsent(rejection)) } else { Err(Failed::Sent(rejection)) }
        }
        Err(lapse) => Err(Failed::Sent(lapse.rejection("the upstream stopped reading the request"))),
    }
}

async fn read_reply(x: &Exchange, request: &Request, connection: &mut Connection) -> Result<(), Rejection> {
    let limits = &x.loaded.upstream_head_limits;
    let mut interim = 0;
    loop {
        match x.client.timer().limit(connection.read_head(limits)).await {
            Ok(Ok(())) if connection.head.status < 200 && interim < INTERIM_MAX => {
                interim += 1;
                connection.skip_head();
            }
            Ok(Ok(())) if connection.head.status < 200 => {
                return Err(Rejection::new(
                    Code::UpstreamInvalid,
                    format!("provider `{}` sent one interim reply after the other", request.provider),
                ));
            }
            Ok(Ok(())) => return Ok(()),
            Ok(Err(ReadError::Closed(e))) => return Err(closed(request, &e)),
            Ok(Err(ReadError::Invalid(e))) => {
                return Err(Rejection::new(
                    Code::UpstreamInvalid,
                    format!("provider `{}` did not send valid HTTP/1.1: {}", request.provider, e.message()),
                ));
            }
            Err(lapse) => {
                let message = format!(
                    "provider `{}` did not begin its reply in time (`deadlines.first_byte_ms`, `deadlines.total_ms`)",
                    request.provider
                );
                return Err(lapse.rejection(&message));
            }
        }
    }
}

fn closed(request: &Request, error: &io::Error) -> Rejection {
    let what = if error.kind() == io::ErrorKind::UnexpectedEof { "closed" } else { "broke" };
    Rejection::new(
        Code::UpstreamClosed,
        format!("provider `{}` {what} the connection before it replied", request.provider),
    )
}
