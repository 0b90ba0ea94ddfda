//! Every way in which a peer's bytes are not HTTP/1.1 as we insist on it.
//!
//! One variant per class, so that tests and logs can tell them apart; the client is told by
//! [`Http1Error::message`], the status comes from [`Http1Error::code`].

use crate::rejection::Code;

/// Why a message was refused. After any of these the connection has no known state and must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Http1Error {
    /// A line feed without a carriage return before it.
    BareLf,
    /// A carriage return without a line feed after it.
    BareCr,
    /// A control character other than a tab, NUL among them.
    ControlByte,
    /// The head is longer than [`super::HeadLimits::head_bytes_max`].
    HeadTooLarge,
    /// More fields than [`super::HeadLimits::headers_max`].
    TooManyFields,
    /// The request line is not `method target version`.
    RequestLine,
    /// The method is not a token, or longer than any we know of.
    Method,
    /// The target holds a byte that no URI may hold.
    TargetByte,
    /// The target is neither a path nor an `http` or `https` URI with a path.
    TargetForm,
    /// The target is longer than [`super::HeadLimits::target_bytes_max`].
    TargetTooLong,
    /// The URI in the request line names another host than the `Host` field.
    TargetHost,
    /// A well-formed version that is not 1.0 or 1.1.
    Version,
    /// The status line is not `version status reason`, or its status is not in 100–599.
    StatusLine,
    /// `101 Switching Protocols`, which we never ask for.
    Switched,
    /// An interim response that announces a body.
    InterimBody,
    /// A line that begins with a space or tab (obsolete line folding).
    Folded,
    /// White space between a field's name and its colon.
    SpaceBeforeColon,
    /// A line without a colon, or a field name that is not a token.
    FieldName,
    /// No `Host` in an HTTP/1.1 request.
    HostMissing,
    /// More than one `Host`.
    HostRepeated,
    /// `Host` is not a name or address with an optional port.
    HostValue,
    /// `Content-Length` is not a plain decimal number below 10^19.
    LengthValue,
    /// More than one `Content-Length`, equal or not.
    LengthRepeated,
    /// `Content-Length` together with `Transfer-Encoding`.
    LengthAndCoding,
    /// `Transfer-Encoding` is not exactly `chunked`.
    CodingValue,
    /// More than one `Transfer-Encoding`.
    CodingRepeated,
    /// `Transfer-Encoding` in an HTTP/1.0 message.
    CodingInHttp10,
    /// `Expect` is not `100-continue`.
    Expectation,
    /// `Upgrade: websocket`, which is not offered. Other protocols are ignored, as RFC 9110 §7.8 allows:
    /// clients offer `h2c` and `TLS/1.2` without meaning to insist.
    WebSocket,
    /// `Connection` names more fields than anybody needs.
    ConnectionOptions,
    /// A chunk size that is not 1 to 16 hexadecimal digits followed by `;` or the end of the line.
    ChunkSize,
    /// A chunk larger than 2^63 bytes.
    ChunkTooLarge,
    /// A control character or bare line feed in a chunk extension.
    ChunkExtension,
    /// A chunk's payload is not followed by CRLF.
    ChunkEnd,
    /// A line of the trailer section that is not a field.
    Trailer,
    /// Chunk extensions and trailers together are longer than [`super::chunked::EXTRA_BYTES_MAX`].
    ExtraTooLarge,
}

impl Http1Error {
    /// Every error, for tables and tests.
    pub const ALL: [Self; 36] = [
        Self::BareLf,
        Self::BareCr,
        Self::ControlByte,
        Self::HeadTooLarge,
        Self::TooManyFields,
        Self::RequestLine,
        Self::Method,
        Self::TargetByte,
        Self::TargetForm,
        Self::TargetTooLong,
        Self::TargetHost,
        Self::Version,
        Self::StatusLine,
        Self::Switched,
        Self::InterimBody,
        Self::Folded,
        Self::SpaceBeforeColon,
        Self::FieldName,
        Self::HostMissing,
        Self::HostRepeated,
        Self::HostValue,
        Self::LengthValue,
        Self::LengthRepeated,
        Self::LengthAndCoding,
        Self::CodingValue,
        Self::CodingRepeated,
        Self::CodingInHttp10,
        Self::Expectation,
        Self::WebSocket,
        Self::ConnectionOptions,
        Self::ChunkSize,
        Self::ChunkTooLarge,
        Self::ChunkExtension,
        Self::ChunkEnd,
        Self::Trailer,
        Self::ExtraTooLarge,
    ];

    /// What a client that sent this is answered with. (From an upstream any of these is
    /// [`Code::UpstreamInvalid`], whatever it says here.)
    pub const fn code(self) -> Code {
        match self {
            Self::HeadTooLarge | Self::TooManyFields | Self::ConnectionOptions => Code::HeadTooLarge,
            Self::TargetTooLong => Code::TargetTooLong,
            Self::Version => Code::VersionNotSupported,
            Self::Expectation => Code::ExpectationFailed,
            Self::BareLf
            | Self::BareCr
            | Self::ControlByte
            | Self::RequestLine
            | Self::Method
            | Self::TargetByte
            | Self::TargetForm
            | Self::TargetHost
            | Self::StatusLine
            | Self::Switched
            | Self::WebSocket
            | Self::InterimBody
            | Self::Folded
            | Self::SpaceBeforeColon
            | Self::FieldName
            | Self::HostMissing
            | Self::HostRepeated
            | Self::HostValue
            | Self::LengthValue
            | Self::LengthRepeated
            | Self::LengthAndCoding
            | Self::CodingValue
            | Self::CodingRepeated
            | Self::CodingInHttp10
            | Self::ChunkSize
            | Self::ChunkTooLarge
            | Self::ChunkExtension
            | Self::ChunkEnd
            | Self::Trailer
            | Self::ExtraTooLarge => Code::BadHttp,
        }
    }

    /// What is wrong, where, and how to mend it.
    pub const fn message(self) -> &'static str {
        match self {
            Self::BareLf => {
                "line feed without carriage return in the request head. hint: end lines with CRLF"
            }
            Self::BareCr => {
                "carriage return without line feed in the request head. hint: end lines with CRLF"
            }
            Self::ControlByte => "control character in the request head. hint: send printable characters",
            Self::HeadTooLarge => "request head too large. hint: send fewer or shorter fields",
            Self::TooManyFields => "too many fields in the request head. hint: send fewer",
            Self::RequestLine => "malformed request line. hint: send `POST /v1/chat/completions HTTP/1.1`",
            Self::Method => "malformed method in the request line. hint: send `GET` or `POST`",
            Self::TargetByte => "illegal character in the request target. hint: percent-encode it",
            Self::TargetForm => "request target is not a path. hint: send one that starts with `/`",
            Self::TargetTooLong => "request target too long. hint: send parameters in the body",
            Self::TargetHost => "host in the request target differs from `Host`. hint: send the path alone",
            Self::Version => {
                "HTTP version not supported. hint: send HTTP/1.1, or HTTP/2 from the first byte on"
            }
            Self::StatusLine => "malformed status line. hint: check what listens at the upstream address",
            Self::Switched => "upstream switched protocols unasked. hint: check the upstream address",
            Self::InterimBody => "interim response with a body. hint: check the upstream server",
            Self::Folded => "folded line in the request head. hint: send each field on one line",
            Self::SpaceBeforeColon => "space between field name and colon. hint: remove it",
            Self::FieldName => "malformed field name in the request head. hint: send `name: value` lines",
            Self::HostMissing => "`Host` is missing. hint: send one `Host` field",
            Self::HostRepeated => "`Host` is repeated. hint: send one `Host` field",
            Self::HostValue => {
                "`Host` is not `name` or `name:port`. hint: send the host of the address alone"
            }
            Self::LengthValue => "`Content-Length` is not a decimal number. hint: send digits only",
            Self::LengthRepeated => "`Content-Length` is repeated. hint: send it once",
            Self::LengthAndCoding => {
                "`Content-Length` and `Transfer-Encoding` in one message. hint: send one of them"
            }
            Self::CodingValue => "`Transfer-Encoding` is not `chunked`. hint: send `chunked` alone",
            Self::CodingRepeated => "`Transfer-Encoding` is repeated. hint: send it once",
            Self::CodingInHttp10 => {
                "`Transfer-Encoding` in an HTTP/1.0 message. hint: send HTTP/1.1 or `Content-Length`"
            }
            Self::Expectation => "`Expect` is not `100-continue`. hint: leave it out",
            Self::WebSocket => "WebSockets are not offered here. hint: call the API over plain HTTP",
            Self::ConnectionOptions => "`Connection` names too many fields. hint: send at most 16",
            Self::ChunkSize => "malformed chunk size in the body. hint: send 1 to 16 hexadecimal digits",
            Self::ChunkTooLarge => "chunk too large in the body. hint: send smaller chunks",
            Self::ChunkExtension => "control character in a chunk extension. hint: send none",
            Self::ChunkEnd => "chunk in the body not followed by CRLF. hint: check the chunk's size",
            Self::Trailer => "malformed trailer field after the body. hint: send `name: value` lines",
            Self::ExtraTooLarge => {
                "chunk extensions and trailers too large. hint: send at most 8 KiB of them in a message"
            }
        }
    }
}

impl core::fmt::Display for Http1Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Http1Error {}
