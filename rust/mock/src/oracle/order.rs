//! Fault orders: what the upstream is told to do with one attempt, in words that travel in the prompt.
//!
//! A plan is a comma-separated list of attempts, the last of which stands for all that follow; an attempt is
//! a `+`-separated list of orders; an order is a name with arguments behind colons: `status:503:1,gzip+split:200`.

use std::fmt;
use std::str::FromStr;

/// One order. Offsets are in bytes of the reply as it leaves: over HTTP/1.1 counted from the status line,
/// framing included; over HTTP/2 in bytes of DATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing out of the ordinary.
    Clean,
    /// So many milliseconds before the first byte.
    Wait(u64),
    /// A reset behind `at` bytes (HTTP/2: `RST_STREAM` with `INTERNAL_ERROR`).
    Rst(u64),
    /// The end of the connection behind `at` bytes (HTTP/2: `END_STREAM`).
    Fin(u64),
    /// Silence behind `at` bytes, until the peer goes away.
    Stall(u64),
    /// Silence behind `at` bytes for a while, then the rest.
    Pause(u64, u64),
    /// Two writes, parted at this byte.
    Split(u64),
    /// Each byte in a write of its own.
    SplitEvery,
    /// Writes of so many bytes, so many milliseconds apart.
    Drip(u64, u64),
    /// A `Content-Length` that is larger by so much; then the end of the connection.
    LengthLong(u64),
    /// A `Content-Length` of exactly this, whatever is sent.
    LengthAt(u64),
    /// Neither length nor chunks: the end of the connection ends the reply.
    UntilClose,
    /// A stream with its right `Content-Length`, a document in chunks: the other framing.
    Reframed,
    /// The end of the connection in place of the last chunk.
    NoLastChunk,
    /// All but the terminal event (Google's: but the `finishReason`), ended properly.
    NoTerminal,
    /// An error of this status, `Retry-After` as said.
    Status(u16, Retry),
    /// Behind so many content events an error inside the 200, and the end.
    ErrorEvent(u64, Shape),
    /// Compressed, flushed behind each event.
    Coded(Coding),
    /// The first content event holds this many bytes more.
    Huge(u64),
    /// Bytes that are not HTTP in place of the reply.
    Garbage,
    /// A chunk size that is no number, behind so many chunks.
    BadChunk(u64),
    /// An interim reply before the final one.
    Interim(u16),
    /// Keep-alive comments between the events.
    Comments,
    /// Line ends of the stream.
    Ends(LineEnds),
    /// A byte order mark before the first event.
    Bom,
    /// No space behind the colon of a field.
    NoSpace,
    /// The data of each event over several lines.
    MultiLine,
    /// The empty line behind the last event is missing.
    NoLastBlank,
    /// Behind the reply, in the same write, a forged one that nobody asked for; the connection is kept.
    Surplus,
    /// HTTP/2: the stream is refused unprocessed (`REFUSED_STREAM`), before anything was executed.
    RefusedStream,
    /// HTTP/2: the reply comes whole, and the connection says `GOAWAY`.
    GoAway,
}

/// How `Retry-After` is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not at all.
    Unsaid,
    /// In seconds.
    Seconds(u64),
    /// As the date so many seconds from now.
    Date(u64),
}

/// How an error is said inside a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As the dialect's own vendor says it.
    Own,
    /// `{"object":"error",…}`, as vLLM does.
    Vllm,
    /// `response.failed`: responses only.
    Failed,
}

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// As `Content-Encoding` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Br => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Line ends of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// CR LF.
    Crlf,
    /// CR alone.
    Cr,
    /// All three in turn.
    Mixed,
}

/// Every order with its arguments, for messages and pages.
pub const KNOWN: &[(&str, &str)] = &[
    ("clean", "nothing out of the ordinary"),
    ("wait:MS", "milliseconds before the first byte"),
    ("rst:AT", "reset behind AT bytes of the reply"),
    ("fin:AT", "end of the connection behind AT bytes"),
    ("stall:AT", "silence behind AT bytes until the peer leaves"),
    ("pause:AT:MS", "silence behind AT bytes for MS, then the rest"),
    ("split:AT", "two writes, parted at byte AT"),
    ("split-every", "each byte in a write of its own"),
    ("drip:BYTES:MS", "writes of BYTES, MS apart"),
    ("length-long:N", "Content-Length larger by N, then the end"),
    ("length-at:N", "Content-Length of N whatever is sent"),
    ("until-close", "no length and no chunks"),
    ("reframed", "a stream with a length, a document in chunks"),
    ("no-last-chunk", "the end in place of the last chunk"),
    ("no-terminal", "no terminal event, ended properly"),
    ("status:CODE", "an error of this status"),
    ("status:CODE:S", "the same, Retry-After in seconds"),
    ("status:CODE:date:S", "the same, Retry-After as a date"),
    ("error:N", "an error event behind N content events"),
    ("error-vllm:N", "the same in vLLM's shape"),
    ("error-failed:N", "the same as response.failed"),
    ("gzip", "compressed, flushed behind each event"),
    ("br", "compressed, flushed behind each event"),
    ("zstd", "compressed, flushed behind each event"),
    ("huge:BYTES", "the first content event is larger by BYTES"),
    ("garbage", "bytes that are not HTTP"),
    ("bad-chunk:N", "no number for a chunk size behind N chunks"),
    ("interim:CODE", "an interim reply first"),
    ("comments", "keep-alive comments between events"),
    ("crlf", "line ends CR LF"),
    ("cr", "line ends CR"),
    ("mixed", "line ends of all kinds"),
    ("bom", "a byte order mark first"),
    ("no-space", "no space behind the colon"),
    ("multi-line", "data over several lines"),
    ("no-last-blank", "the last empty line is missing"),
    ("surplus", "a forged reply behind the reply, the connection kept"),
    ("refused-stream", "HTTP/2: REFUSED_STREAM, unprocessed"),
    ("goaway", "HTTP/2: GOAWAY behind a whole reply"),
];

/// Not an order: the message lists the known ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownOrder(String);

impl fmt::Display for UnknownOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown fault order `{}`. hint: the known ones are", self.0)?;
        for (at, (name, _)) in KNOWN.iter().enumerate() {
            write!(f, "{}`{name}`", if at == 0 { " " } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownOrder {}

impl FromStr for Order {
    type Err = UnknownOrder;

    fn from_str(text: &str) -> Result<Self, UnknownOrder> {
        let unknown = || UnknownOrder(text.to_owned());
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| unknown());
        let status = |digits: &str| match digits.parse::<u16>() {
            Ok(code @ 400..=599) => Ok(code),
            _ => Err(unknown()),
        };
        let parts: Vec<&str> = text.split(':').collect();
        Ok(match parts.as_slice() {
            ["clean"] => Self::Clean,
            ["wait", ms] => Self::Wait(number(ms)?),
            ["rst", at] => Self::Rst(number(at)?),
            ["fin", at] => Self::Fin(number(at)?),
            ["stall", at] => Self::Stall(number(at)?),
            ["pause", at, ms] => Self::Pause(number(at)?, number(ms)?),
            ["split", at] => Self::Split(number(at)?),
            ["split-every"] => Self::SplitEvery,
            ["drip", bytes, ms] => Self::Drip(number(bytes)?.max(1), number(ms)?),
            ["length-long", n] => Self::LengthLong(number(n)?.max(1)),
            ["length-at", n] => Self::LengthAt(number(n)?),
            ["until-close"] => Self::UntilClose,
            ["reframed"] => Self::Reframed,
            ["no-last-chunk"] => Self::NoLastChunk,
            ["no-terminal"] => Self::NoTerminal,
            ["status", code] => Self::Status(status(code)?, Retry::Unsaid),
            ["status", code, s] => Self::Status(status(code)?, Retry::Seconds(number(s)?)),
            ["status", code, "date", s] => Self::Status(status(code)?, Retry::Date(number(s)?)),
            ["error", n] => Self::ErrorEvent(number(n)?, Shape::Own),
            ["error-vllm", n] => Self::ErrorEvent(number(n)?, Shape::Vllm),
            ["error-failed", n] => Self::ErrorEvent(number(n)?, Shape::Failed),
            ["gzip"] => Self::Coded(Coding::Gzip),
            ["br"] => Self::Coded(Coding::Br),
            ["zstd"] => Self::Coded(Coding::Zstd),
            ["huge", bytes] => Self::Huge(number(bytes)?),
            ["garbage"] => Self::Garbage,
            ["bad-chunk", n] => Self::BadChunk(number(n)?),
            ["interim", code @ ("100" | "102" | "103")] => {
                Self::Interim(code.parse().map_err(|_| unknown())?)
            }
            ["comments"] => Self::Comments,
            ["crlf"] => Self::Ends(LineEnds::Crlf),
            ["cr"] => Self::Ends(LineEnds::Cr),
            ["mixed"] => Self::Ends(LineEnds::Mixed),
            ["bom"] => Self::Bom,
            ["no-space"] => Self::NoSpace,
            ["multi-line"] => Self::MultiLine,
            ["no-last-blank"] => Self::NoLastBlank,
            ["surplus"] => Self::Surplus,
            ["refused-stream"] => Self::RefusedStream,
            ["goaway"] => Self::GoAway,
            _ => return Err(unknown()),
        })
    }
}

/// The orders for each attempt; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    written: String,
    attempts: Vec<Vec<Order>>,
}

impl Plan {
    /// One attempt without a fault.
    pub fn clean() -> Self {
        Self { written: "clean".to_owned(), attempts: vec![vec![Order::Clean]] }
    }

    /// The orders of an attempt, counted from 0; the last ones stand for all that follow.
    pub fn attempt(&self, index: usize) -> &[Order] {
        self.attempts.get(index).or_else(|| self.attempts.last()).map_or(&[], Vec::as_slice)
    }
}

impl FromStr for Plan {
    type Err = UnknownOrder;

    fn from_str(text: &str) -> Result<Self, UnknownOrder> {
        let attempt = |orders: &str| orders.split('+').map(str::parse).collect::<Result<Vec<_>, _>>();
        let attempts = text.split(',').map(attempt).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { written: text.to_owned(), attempts })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_order_is_understood() {
        for (name, _) in KNOWN {
            let written = name
                .replace("CODE", if name.starts_with("interim") { "103" } else { "503" })
                .replace("BYTES", "7")
                .replace("AT", "7")
                .replace("MS", "7")
                .replace(":S", ":7")
                .replace(":N", ":7");
            assert!(written.parse::<Order>().is_ok(), "{written}");
        }
    }

    #[test]
    fn an_unknown_order_is_answered_with_the_known_ones() {
        for wrong in ["", "explode", "rst", "rst:x", "rst:1:2", "status:200", "interim:101", "Clean"] {
            let told = wrong.parse::<Plan>().unwrap_err().to_string();
            assert!(told.starts_with(&format!("unknown fault order `{wrong}`")), "{told}");
            assert!(KNOWN.iter().all(|(name, _)| told.contains(name)), "{told}");
        }
    }

    #[test]
    fn the_last_attempt_stands_for_all_that_follow() {
        let plan: Plan = "status:503:1,gzip+split:9".parse().unwrap();
        assert_eq!(plan.attempt(0), [Order::Status(503, Retry::Seconds(1))]);
        assert_eq!(plan.attempt(1), [Order::Coded(Coding::Gzip), Order::Split(9)]);
        assert_eq!(plan.attempt(1), plan.attempt(7));
    }
}
