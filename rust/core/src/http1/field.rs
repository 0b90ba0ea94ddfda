//! Fields, and which ones we act on.
//!
//! A field's name is classified once, while the head is parsed; after that nobody compares names again.

use super::bytes;
use crate::span::Span;

/// One field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name as it was sent.
    pub name: Span,
    /// The value without the white space around it; may be empty.
    pub value: Span,
    /// Which field it is.
    pub known: Known,
}

/// Which field a header is. Names are compared without regard to case.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// None of those below.
    Other,
    /// For one connection only: `Connection`, `Keep-Alive`, `Proxy-*`, `TE`, `Trailer`, `Upgrade`,
    /// `HTTP2-Settings`, and what `Connection` names.
    HopByHop,
    /// A name with an underscore: some servers read it as a hyphen, so it must not travel on.
    Underscore,
    /// `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `Via`.
    Forwarded,
    /// `X-LLM-Edge-*`: ours, never passed on.
    Edge,
    /// `Host`.
    Host,
    /// `Content-Length`.
    ContentLength,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Expect`.
    Expect,
    /// `Authorization`.
    Authorization,
    /// `X-Api-Key` (Anthropic).
    XApiKey,
    /// `Api-Key` (Azure).
    ApiKey,
    /// `X-Goog-Api-Key`.
    XGoogApiKey,
    /// `Cookie`.
    Cookie,
    /// `Set-Cookie`.
    SetCookie,
    /// `Content-Type`.
    ContentType,
    /// `Content-Encoding`.
    ContentEncoding,
    /// `Accept`.
    Accept,
    /// `Accept-Encoding`.
    AcceptEncoding,
    /// `Cache-Control`.
    CacheControl,
    /// `User-Agent`.
    UserAgent,
    /// `X-Request-Id`.
    XRequestId,
    /// `Request-Id` (Anthropic).
    RequestId,
    /// `Anthropic-Version`.
    AnthropicVersion,
    /// `Anthropic-Beta`.
    AnthropicBeta,
    /// A key of another gateway, which a client was moved here with: it is nobody's here.
    OtherKey,
    /// `Date`.
    Date,
    /// `Server`.
    Server,
    /// `Retry-After`.
    RetryAfter,
    /// `Retry-After-Ms` (`OpenAI`, Azure).
    RetryAfterMs,
    /// `X-Should-Retry`.
    XShouldRetry,
    /// `Idempotency-Key`.
    IdempotencyKey,
    /// `Traceparent` (W3C Trace Context).
    TraceParent,
    /// `Tracestate` (W3C Trace Context).
    TraceState,
    /// `Alt-Svc`: speaks of the upstream's own address, so it is wrong at ours.
    AltSvc,
    /// `Cache-Status` (RFC 9211).
    CacheStatus,
}

impl Known {
    /// The class of a field name. The name need not be valid; one that is not is [`Known::Other`].
    pub fn of(name: &[u8]) -> Self {
        if !name.iter().all(|byte| bytes::is_token(*byte)) {
            return Self::Other;
        }
        match Self::named(name) {
            Self::Other if name.contains(&b'_') => Self::Underscore,
            Self::Other => Self::beginning(name),
            known => known,
        }
    }

    /// The class of a whole name without control characters (see [`key`]). Anything but [`Known::Other`] means
    /// that the name is one of those here, and therefore valid.
    #[inline]
    pub(super) fn named(name: &[u8]) -> Self {
        let key = key(name);
        macro_rules! one_of {
            ($($text:literal => $known:ident,)*) => {{
                $(if key == const { self::key($text) } { return Self::$known; })*
            }};
        }
        match name.len() {
            2 => one_of! { b"te" => HopByHop, },
            3 => one_of! { b"via" => Forwarded, },
            4 => one_of! { b"host" => Host, b"date" => Date, },
            6 => one_of! {
                b"accept" => Accept, b"cookie" => Cookie, b"expect" => Expect, b"server" => Server,
            },
            7 => one_of! {
                b"x-bf-vk" => OtherKey,
                b"api-key" => ApiKey, b"upgrade" => HopByHop, b"trailer" => HopByHop, b"alt-svc" => AltSvc,
            },
            9 => one_of! { b"x-api-key" => XApiKey, b"forwarded" => Forwarded, b"x-real-ip" => Forwarded, },
            10 => one_of! {
                b"user-agent" => UserAgent, b"connection" => HopByHop, b"set-cookie" => SetCookie,
                b"request-id" => RequestId, b"keep-alive" => HopByHop, b"tracestate" => TraceState,
            },
            11 => one_of! { b"traceparent" => TraceParent, b"retry-after" => RetryAfter, },
            12 => one_of! {
                b"content-type" => ContentType, b"x-request-id" => XRequestId, b"cache-status" => CacheStatus,
            },
            13 => one_of! {
                b"authorization" => Authorization, b"cache-control" => CacheControl, b"helicone-auth" => OtherKey,
            },
            14 => one_of! {
                b"content-length" => ContentLength, b"x-goog-api-key" => XGoogApiKey,
                b"x-should-retry" => XShouldRetry, b"anthropic-beta" => AnthropicBeta,
                b"retry-after-ms" => RetryAfterMs, b"http2-settings" => HopByHop,
            },
            15 => one_of! { b"accept-encoding" => AcceptEncoding, b"idempotency-key" => IdempotencyKey, },
            16 => one_of! { b"content-encoding" => ContentEncoding, },
            17 => one_of! {
                b"transfer-encoding" => TransferEncoding, b"anthropic-version" => AnthropicVersion,
                b"x-litellm-api-key" => OtherKey, b"x-portkey-api-key" => OtherKey,
            },
            _ => {}
        }
        Self::Other
    }

    /// The class of a valid name by how it begins.
    #[inline]
    pub(super) fn beginning(name: &[u8]) -> Self {
        const PROXY: u64 = key(b"proxy-??").0 & PROXY_BYTES;
        const PROXY_BYTES: u64 = 0xffff_ffff_ffff;
        const FORWARDED: u64 = key(b"x-forwar").0;
        const EDGE: u64 = key(b"x-llm-ed").0;
        let begins = |with: &[u8]| name.get(..with.len()).is_some_and(|it| it.eq_ignore_ascii_case(with));
        if name.len() < 8 {
            return if begins(b"proxy-") { Self::HopByHop } else { Self::Other };
        }
        let (first, _, _) = key(name);
        match first {
            FORWARDED if begins(b"x-forwarded-") => Self::Forwarded,
            EDGE if begins(b"x-llm-edge-") => Self::Edge,
            _ if first & PROXY_BYTES == PROXY => Self::HopByHop,
            _ => Self::Other,
        }
    }
}

/// Whether `text`, which holds no control characters, is `lower` but for case. For texts of up to seventeen
/// bytes that are known when this is compiled, and costs a few instructions then.
#[inline]
pub(super) fn is(text: &[u8], lower: &'static [u8]) -> bool {
    text.len() == lower.len() && key(text) == key(lower)
}

/// The bytes of a name of up to seventeen bytes in two or three numbers, without regard to case: its first
/// and its last eight (or four, two) bytes, and the one between them.
///
/// Setting bit 5 folds letters, leaves digits and the hyphen alone, and maps only control characters onto
/// any of these; callers have excluded them. Two names of the same length have the same key exactly if they
/// are equal but for case.
#[inline]
const fn key(name: &[u8]) -> (u64, u64, u8) {
    const FOLD: u64 = 0x2020_2020_2020_2020;
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        // Only of a name of seventeen bytes does the ninth lie between the two.
        let between = match name {
            [_, _, _, _, _, _, _, _, ninth, ..] => *ninth | 0x20,
            _ => 0,
        };
        return (u64::from_le_bytes(*first) | FOLD, u64::from_le_bytes(*last) | FOLD, between);
    }
    if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        return (u32::from_le_bytes(*first) as u64 | FOLD, u32::from_le_bytes(*last) as u64 | FOLD, 0);
    }
    if let (Some(first), Some(last)) = (name.first_chunk::<2>(), name.last_chunk::<2>()) {
        return (u16::from_le_bytes(*first) as u64 | FOLD, u16::from_le_bytes(*last) as u64 | FOLD, 0);
    }
    (0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [(&str, Known); 44] = [
        ("te", Known::HopByHop),
        ("via", Known::Forwarded),
        ("host", Known::Host),
        ("date", Known::Date),
        ("accept", Known::Accept),
        ("cookie", Known::Cookie),
        ("expect", Known::Expect),
        ("server", Known::Server),
        ("api-key", Known::ApiKey),
        ("upgrade", Known::HopByHop),
        ("trailer", Known::HopByHop),
        ("alt-svc", Known::AltSvc),
        ("x-api-key", Known::XApiKey),
        ("forwarded", Known::Forwarded),
        ("x-real-ip", Known::Forwarded),
        ("user-agent", Known::UserAgent),
        ("connection", Known::HopByHop),
        ("set-cookie", Known::SetCookie),
        ("request-id", Known::RequestId),
        ("keep-alive", Known::HopByHop),
        ("tracestate", Known::TraceState),
        ("traceparent", Known::TraceParent),
        ("retry-after", Known::RetryAfter),
        ("content-type", Known::ContentType),
        ("x-request-id", Known::XRequestId),
        ("cache-status", Known::CacheStatus),
        ("authorization", Known::Authorization),
        ("cache-control", Known::CacheControl),
        ("content-length", Known::ContentLength),
        ("x-goog-api-key", Known::XGoogApiKey),
        ("x-should-retry", Known::XShouldRetry),
        ("anthropic-beta", Known::AnthropicBeta),
        ("retry-after-ms", Known::RetryAfterMs),
        ("http2-settings", Known::HopByHop),
        ("accept-encoding", Known::AcceptEncoding),
        ("idempotency-key", Known::IdempotencyKey),
        ("content-encoding", Known::ContentEncoding),
        ("transfer-encoding", Known::TransferEncoding),
        ("anthropic-version", Known::AnthropicVersion),
        ("proxy-authorization", Known::HopByHop),
        ("x-bf-vk", Known::OtherKey),
        ("helicone-auth", Known::OtherKey),
        ("x-litellm-api-key", Known::OtherKey),
        ("x-portkey-api-key", Known::OtherKey),
    ];

    #[test]
    fn names_are_known_in_any_case() {
        for (name, known) in NAMES {
            assert_eq!(Known::of(name.as_bytes()), known, "{name}");
            assert_eq!(Known::of(name.to_ascii_uppercase().as_bytes()), known, "{name}");
        }
    }

    #[test]
    fn a_name_with_any_one_byte_changed_is_another_name() {
        for (name, known) in NAMES {
            for place in 0..name.len() {
                for byte in 0..=u8::MAX {
                    let mut other = name.as_bytes().to_vec();
                    if other[place].eq_ignore_ascii_case(&byte) {
                        continue;
                    }
                    other[place] = byte;
                    let got = Known::of(&other);
                    // Every token that begins with `proxy-` is for one connection, whatever follows.
                    let proxy =
                        name.starts_with("proxy-") && place >= 6 && bytes::is_token(byte) && byte != b'_';
                    assert!(got != known || proxy, "{:?} as {name}", other.escape_ascii().to_string());
                }
            }
        }
    }

    #[test]
    fn names_are_known_by_how_they_begin() {
        assert_eq!(Known::of(b"X-Forwarded-For"), Known::Forwarded);
        assert_eq!(Known::of(b"x-forwarded-proto"), Known::Forwarded);
        assert_eq!(Known::of(b"X-LLM-Edge-Tags"), Known::Edge);
        assert_eq!(Known::of(b"Proxy-X"), Known::HopByHop);
        for name in
            [&b"x-forwarded"[..], b"x-llm-edg", b"proxy", b"x", b"p", b"", b"proxy- a", b"x-forwarded-for "]
        {
            assert_eq!(Known::of(name), Known::Other);
        }
    }

    #[test]
    fn an_underscore_is_not_taken_for_a_hyphen() {
        for name in [&b"content_length"[..], b"x_api_key", b"a_b", b"_", b"Transfer_Encoding"] {
            assert_eq!(Known::of(name), Known::Underscore);
        }
    }
}
