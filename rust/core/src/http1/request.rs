//! Request heads.
//!
//! Deviations from RFC 9112, all towards refusing: only origin-form targets and absolute ones that agree with
//! `Host`; one `Host`, never empty; nothing of what §2.2, §5.2 and §6.3 let a server repair.

use super::bytes::{self, span};
use super::field::is;
use super::head::{Facts, cut, options};
use super::{Field, HeadLimits, Http1Error, Known, Progress, Version};
use crate::span::Span;

/// Longest method we read; the longest registered one has 17 bytes.
const METHOD_BYTES_MAX: usize = 32;
/// What a request line holds besides its target, the empty line before it included.
const AROUND_TARGET_BYTES_MAX: usize = 2 + METHOD_BYTES_MAX + " ".len() + " HTTP/1.1\r\n".len();

/// How a request's body is delimited (RFC 9112 §6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestFraming {
    /// There is none.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// See [`super::Chunked`].
    Chunked,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The request line or an empty one.
    #[default]
    First,
    /// The request line, after an empty one.
    RequestLine,
    /// Fields.
    Fields,
}

/// A request head by its places in the buffer it was parsed from.
///
/// ```
/// use llm_edge_core::http1::{HeadLimits, Known, Progress, RequestFraming, RequestHead};
///
/// let limits = HeadLimits { head_bytes_max: 65_536, headers_max: 100, target_bytes_max: 8_192 };
/// let bytes = b"POST /v1/messages HTTP/1.1\r\nHost: edge\r\nContent-Length: 2\r\n\r\n{}";
/// let mut head = RequestHead::default();
/// assert_eq!(head.parse(bytes, &limits), Ok(Progress::Complete));
/// assert_eq!(head.target.of(bytes), b"/v1/messages");
/// assert_eq!(head.framing, RequestFraming::Length(2));
/// assert_eq!(bytes.get(head.len..), Some(&b"{}"[..]));
/// assert!(head.find(Known::Authorization).is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The method, as sent: methods are case-sensitive.
    pub method: Span,
    /// Path and query; begins with `/`. Of an absolute URI only that part.
    pub target: Span,
    /// The version.
    pub version: Version,
    /// The fields in the order they came.
    pub fields: Vec<Field>,
    /// How the body is delimited.
    pub framing: RequestFraming,
    /// Whether the client wants the connection kept open.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends a body.
    pub expect_continue: bool,
    /// Whether there was an `Upgrade`, which is ignored. What follows the request may then be another
    /// protocol: close after the reply.
    pub upgrade: bool,
    /// Bytes of the head from `buf[0]`, the empty line included; 0 until it is complete.
    pub len: usize,
    /// The value of `Host`; empty when there is none (HTTP/1.0).
    pub host: Span,
    /// The authority of an absolute target.
    authority: Span,
    stage: Stage,
    facts: Facts,
}

impl RequestHead {
    /// Looks at `buf`: all bytes of this message so far, from its first byte.
    ///
    /// Call it again with more bytes after [`Progress::Partial`]; it goes on where it stopped. One empty line
    /// before the request line is skipped (RFC 9112 §2.2). Call [`RequestHead::reset`] between messages.
    ///
    /// # Errors
    /// Why the request is refused. It is the same error however the bytes were cut.
    pub fn parse(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Progress, Http1Error> {
        if self.len != 0 {
            return Ok(Progress::Complete);
        }
        if self.stage != Stage::Fields && self.start(buf, limits)? == Progress::Partial {
            return Ok(Progress::Partial);
        }
        let (host, expect, version) = (&mut self.host, &mut self.expect_continue, self.version);
        let progress = self.facts.fields(buf, version, limits, &mut self.fields, |field| {
            match field.known {
                Known::Host => {
                    if !host.is_empty() {
                        return Err(Http1Error::HostRepeated);
                    }
                    if !is_host(buf, field.value) {
                        return Err(Http1Error::HostValue);
                    }
                    *host = field.value;
                }
                Known::Expect => {
                    if !is(field.value.of(buf), b"100-continue") {
                        return Err(Http1Error::Expectation);
                    }
                    *expect = true;
                }
                // Its client means to go on in another protocol, and would take a reply for that.
                Known::HopByHop if asks_for_websocket(field.name.of(buf), field.value.of(buf)) => {
                    return Err(Http1Error::WebSocket);
                }
                _ => {}
            }
            Ok(())
        })?;
        if progress == Progress::Complete {
            self.finish(buf)?;
        }
        Ok(progress)
    }

    /// Forgets the message and keeps the vector's room.
    pub fn reset(&mut self) {
        let mut fields = core::mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }

    /// The first field of that kind.
    #[inline]
    pub fn find(&self, known: Known) -> Option<&Field> {
        if !self.facts.has(known) && known != Known::HopByHop {
            return None;
        }
        self.fields.iter().find(|field| field.known == known)
    }

    /// Reads the request line.
    #[inline]
    fn start(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Progress, Http1Error> {
        // Without a bound of its own a target would be refused as too large a head.
        let max = limits.target_bytes_max.saturating_add(AROUND_TARGET_BYTES_MAX).min(limits.head_bytes_max);
        let view = cut(buf, max);
        loop {
            let start = self.facts.lines.start;
            let Some(length) = self.facts.lines.length(view.get(start..).unwrap_or_default())? else {
                return if view.len() >= max {
                    Err(Http1Error::TargetTooLong)
                } else {
                    Ok(Progress::Partial)
                };
            };
            self.facts.lines.advance(length);
            if length == 0 && self.stage == Stage::First {
                self.stage = Stage::RequestLine;
                continue;
            }
            self.request_line(view, start, start.wrapping_add(length), limits)?;
            self.stage = Stage::Fields;
            return Ok(Progress::Complete);
        }
    }

    /// Reads `view[start..end]` as `method SP target SP version`.
    #[inline]
    fn request_line(
        &mut self,
        view: &[u8],
        start: usize,
        end: usize,
        limits: &HeadLimits,
    ) -> Result<(), Http1Error> {
        let line = view.get(start..end).unwrap_or_default();
        let Some((rest, version)) = line.split_last_chunk::<9>() else {
            return Err(Http1Error::RequestLine);
        };
        self.version = match version {
            b" HTTP/1.1" => Version::Http11,
            b" HTTP/1.0" => Version::Http10,
            [b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(Http1Error::Version);
            }
            _ => return Err(Http1Error::RequestLine),
        };
        let method = start.wrapping_add(method_len(rest)?);
        self.method = span(start, method);
        let (target, target_end) = (method.wrapping_add(1), end.wrapping_sub(version.len()));
        if target_end.saturating_sub(target) > limits.target_bytes_max {
            return Err(Http1Error::TargetTooLong);
        }
        if !bytes::is_target(view, target, target_end) {
            return Err(Http1Error::TargetByte);
        }
        self.target = span(target, target_end);
        if view.get(target) != Some(&b'/') || target == target_end {
            self.absolute(view)?;
        }
        Ok(())
    }

    /// Splits an absolute target into authority and path.
    #[cold]
    fn absolute(&mut self, view: &[u8]) -> Result<(), Http1Error> {
        let target = self.target.of(view);
        let scheme = [&b"http://"[..], b"https://"]
            .into_iter()
            .find(|scheme| target.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme)))
            .ok_or(Http1Error::TargetForm)?
            .len();
        let authority = target.get(scheme..).unwrap_or_default();
        // A query straight after the authority has no path to be matched; `/` is what it should begin with.
        let length =
            authority.iter().position(|byte| matches!(byte, b'/' | b'?')).ok_or(Http1Error::TargetForm)?;
        if authority.get(length) != Some(&b'/') {
            return Err(Http1Error::TargetForm);
        }
        let (start, end) = (self.target.start as usize, self.target.end as usize);
        let path = start.saturating_add(scheme).saturating_add(length);
        self.authority = span(start.saturating_add(scheme), path);
        self.target = span(path, end);
        if self.authority.is_empty() { Err(Http1Error::TargetForm) } else { Ok(()) }
    }

    /// Draws the conclusions once all fields are there.
    #[inline]
    fn finish(&mut self, buf: &[u8]) -> Result<(), Http1Error> {
        if self.host.is_empty() && self.version == Version::Http11 {
            return Err(Http1Error::HostMissing);
        }
        if !self.authority.is_empty() && !self.authority.of(buf).eq_ignore_ascii_case(self.host.of(buf)) {
            return Err(Http1Error::TargetHost);
        }
        let facts = &self.facts;
        self.framing = match facts.length {
            _ if facts.chunked => RequestFraming::Chunked,
            Some(bytes) => RequestFraming::Length(bytes),
            None => RequestFraming::None,
        };
        self.keep_alive = facts.persistent(self.version);
        self.upgrade = facts.upgrade;
        // RFC 9110 §10.1.1: ignored in HTTP/1.0 and where no content follows.
        self.expect_continue &= self.version == Version::Http11
            && !matches!(self.framing, RequestFraming::None | RequestFraming::Length(0));
        self.len = facts.lines.start;
        Ok(())
    }
}

#[cold]
fn asks_for_websocket(name: &[u8], value: &[u8]) -> bool {
    is(name, b"upgrade") && options(value).any(|protocol| is(protocol, b"websocket"))
}

/// The length of the method at the beginning of `rest`, which a space must follow.
#[inline]
fn method_len(rest: &[u8]) -> Result<usize, Http1Error> {
    if rest.starts_with(b"POST ") {
        return Ok(4);
    }
    if rest.starts_with(b"GET ") {
        return Ok(3);
    }
    let length = rest.iter().position(|byte| *byte == b' ').ok_or(Http1Error::RequestLine)?;
    let method = rest.get(..length).unwrap_or_default();
    if method.is_empty() || length > METHOD_BYTES_MAX || !method.iter().all(|byte| bytes::is_token(*byte)) {
        return Err(Http1Error::Method);
    }
    Ok(length)
}

/// Whether `value` is a name or address, with or without a port (RFC 9110 §7.2).
#[inline]
fn is_host(buf: &[u8], value: Span) -> bool {
    let (start, end) = (value.start as usize, value.end as usize);
    let run = bytes::plain_run(buf, start, end);
    if run == end {
        return start != end;
    }
    if run != start && is_port(buf.get(run..end).unwrap_or_default()) {
        return true;
    }
    is_odd_host(value.of(buf))
}

/// A colon and up to five digits, possibly none (RFC 3986 §3.2.3).
#[inline]
fn is_port(port: &[u8]) -> bool {
    matches!(port.split_first(), Some((b':', digits)) if digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit))
}

/// An IPv6 address in brackets, or a name with other than the usual characters.
#[cold]
fn is_odd_host(host: &[u8]) -> bool {
    if let [b'[', rest @ ..] = host {
        let Some(close) = rest.iter().position(|byte| *byte == b']') else { return false };
        let (address, port) = rest.split_at_checked(close).unwrap_or_default();
        let port = port.get(1..).unwrap_or_default();
        return address.contains(&b':')
            && address.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
            && (port.is_empty() || is_port(port));
    }
    let name = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
    let (name, port) = host.split_at_checked(name).unwrap_or_default();
    !name.is_empty() && name.iter().all(|byte| bytes::is_host(*byte)) && (port.is_empty() || is_port(port))
}
