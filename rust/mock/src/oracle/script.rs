//! A reply to the byte: what leaves, in which writes, where it breaks off and how.
//!
//! Invariant: a pure function of the question and the orders, so that the verifier knows every offset of it.

use std::time::{Duration, SystemTime};

use super::ask::Ask;
use super::coding;
use super::order::{Order, Retry};
use super::reply::{Reply, error_body, reply, written};
use super::story::{self, Numbers};
use crate::calendar::Moment;

/// How the reply ends when it has come as far as it is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The connection is kept.
    Keep,
    /// The connection ends properly, as was announced.
    Close,
    /// The connection ends early.
    Fin,
    /// The connection is reset.
    Rst,
    /// Nothing more comes.
    Stall,
}

/// The reply of one attempt.
#[derive(Clone, Debug)]
pub struct Script {
    /// Status.
    pub status: u16,
    /// Header fields, framing not among them.
    pub fields: Vec<(&'static str, String)>,
    /// The body in its content coding: payload, event by event.
    pub pieces: Vec<Vec<u8>>,
    /// The body's bytes without content coding: what a faithful gateway hands out.
    pub payload: Vec<u8>,
    /// All bytes of the reply over HTTP/1.1.
    pub wire: Vec<u8>,
    /// Where the body begins in `wire`.
    pub body_at: usize,
    /// Where the wire breaks off, at most its length.
    pub upto: usize,
    /// How.
    pub end: End,
    /// From which byte on the fault has been shown: a peer may rightly leave then.
    pub shown_at: usize,
    /// Silences: at which byte, for how long.
    pub silences: Vec<(usize, Duration)>,
    /// Borders of writes besides those of silences.
    pub borders: Vec<usize>,
    /// Asked for: `REFUSED_STREAM`, `GOAWAY`.
    pub refused: bool,
    /// See `refused`.
    pub goaway: bool,
}

/// The script of an attempt.
pub fn script(ask: &Ask, orders: &[Order]) -> Script {
    let mut script = Script {
        status: 200,
        fields: Vec::new(),
        pieces: Vec::new(),
        payload: Vec::new(),
        wire: Vec::new(),
        body_at: 0,
        upto: 0,
        end: End::Keep,
        shown_at: 0,
        silences: Vec::new(),
        borders: Vec::new(),
        refused: orders.contains(&Order::RefusedStream),
        goaway: orders.contains(&Order::GoAway),
    };
    let mut streamed = false;
    if let Some((status, retry)) = ordered_status(orders) {
        script.status = status;
        script.fields.push(("content-type", "application/json".to_owned()));
        script.fields.extend(retry_after(retry).map(|value| ("retry-after", value)));
        script.pieces = vec![error_body(ask.dialect, status, "an error on order")];
    } else {
        match reply(ask, orders) {
            Reply::Document(document) => {
                script.fields.push(("content-type", "application/json".to_owned()));
                script.pieces = vec![document];
            }
            Reply::Stream(events) => {
                streamed = true;
                script.fields.push(("content-type", "text/event-stream; charset=utf-8".to_owned()));
                script.pieces = written(&events, orders);
            }
        }
    }
    script.fields.push(("x-oracle-id", ask.id.to_string()));
    script.payload = script.pieces.concat();
    for order in orders {
        if let Order::Coded(wanted) = order
            && let Ok(coded) = coding::encode(*wanted, &script.pieces)
        {
            script.pieces = coded;
            script.fields.push(("content-encoding", wanted.name().to_owned()));
        }
    }
    frame(&mut script, orders, streamed);
    script.upto = script.wire.len();
    act(&mut script, ask, orders);
    script.shown_at = shown_at(&script, orders);
    script
}

fn ordered_status(orders: &[Order]) -> Option<(u16, Retry)> {
    orders.iter().find_map(|order| match order {
        Order::Status(status, retry) => Some((*status, *retry)),
        _ => None,
    })
}

fn retry_after(retry: Retry) -> Option<String> {
    match retry {
        Retry::Unsaid => None,
        Retry::Seconds(s) => Some(s.to_string()),
        Retry::Date(s) => Some(http_date(SystemTime::now() + Duration::from_secs(s))),
    }
}

/// `IMF-fixdate` (RFC 9110 §5.6.7).
fn http_date(at: SystemTime) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const WEEK: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let Moment { year, month, day, weekday, hour, minute, second } = Moment::of(seconds);
    let name = |names: &[&'static str], at: u64| {
        usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or_default()
    };
    format!(
        "{}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT",
        name(&WEEK, weekday),
        name(&MONTHS, month - 1),
    )
}

/// How the body is framed over HTTP/1.1.
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

fn frame(script: &mut Script, orders: &[Order], streamed: bool) {
    let length: usize = script.pieces.iter().map(Vec::len).sum();
    let length = length as u64;
    let mut framing = if streamed { Framing::Chunked } else { Framing::Length(length) };
    for order in orders {
        match order {
            Order::Reframed if streamed => framing = Framing::Length(length),
            Order::Reframed => framing = Framing::Chunked,
            Order::UntilClose => framing = Framing::UntilClose,
            Order::LengthLong(n) => framing = Framing::Length(length.saturating_add(*n)),
            Order::LengthAt(n) => framing = Framing::Length(*n),
            _ => {}
        }
    }
    let mut wire = Vec::with_capacity(script.payload.len() + 512);
    for order in orders {
        if let Order::Interim(code) = order {
            let link = if *code == 103 { "link: </style.css>; rel=preload\r\n" } else { "" };
            wire.extend_from_slice(format!("HTTP/1.1 {code} Interim\r\n{link}\r\n").as_bytes());
        }
    }
    wire.extend_from_slice(format!("HTTP/1.1 {} Oracle\r\n", script.status).as_bytes());
    for (name, value) in &script.fields {
        wire.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    match framing {
        Framing::Length(n) => {
            // What does not fit its length must not be taken for the next reply: the end is announced.
            let close = if n == length { "" } else { "connection: close\r\n" };
            wire.extend_from_slice(format!("{close}content-length: {n}\r\n\r\n").as_bytes());
        }
        Framing::Chunked => wire.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
        Framing::UntilClose => wire.extend_from_slice(b"connection: close\r\n\r\n"),
    }
    script.body_at = wire.len();
    let bad_chunk = orders.iter().find_map(|order| match order {
        Order::BadChunk(behind) => usize::try_from(*behind).ok(),
        _ => None,
    });
    let chunked = matches!(framing, Framing::Chunked);
    for (at, piece) in script.pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()) {
        if !chunked {
            wire.extend_from_slice(piece);
            continue;
        }
        if bad_chunk == Some(at) {
            wire.extend_from_slice(b"xyz\r\n");
        } else {
            wire.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        }
        wire.extend_from_slice(piece);
        wire.extend_from_slice(b"\r\n");
    }
    if chunked && bad_chunk.is_some_and(|at| at >= script.pieces.len()) {
        wire.extend_from_slice(b"xyz\r\n");
    } else if chunked && !orders.contains(&Order::NoLastChunk) {
        wire.extend_from_slice(b"0\r\n\r\n");
    }
    script.wire = wire;
    if matches!(framing, Framing::UntilClose) {
        script.end = End::Close;
    }
    if orders.contains(&Order::Surplus) {
        // Marked with a seed that nobody has: whoever gets it has got somebody else's.
        let body = format!("{{\"forged\":\"{}0.0⟧\"}}", story::mark(u64::MAX));
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
        script.wire.extend_from_slice(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes());
    }
}

/// Between rounds of tiny writes: each takes as much of the receiver's buffer as a large one, and a kernel whose
/// buffer is full of them drops what follows, for seconds.
const BREATH: Duration = Duration::from_millis(1);

/// What happens to the framed reply.
fn act(script: &mut Script, ask: &Ask, orders: &[Order]) {
    let length = script.wire.len();
    let within = |at: u64| usize::try_from(at).unwrap_or(length).min(length);
    // Writes fall apart somewhere else for every seed.
    let mut numbers = Numbers::new(ask.seed ^ 0x5eed);
    // What is forged comes with the last bytes: later, nobody could tell it from a reply.
    let borders = if orders.contains(&Order::Surplus) { 0 } else { numbers.below(4) };
    for _ in 0..borders {
        script.borders.push(within(numbers.below(length as u64)));
    }
    for order in orders {
        match order {
            Order::Wait(ms) => script.silences.push((0, Duration::from_millis(*ms))),
            Order::Pause(at, ms) => script.silences.push((within(*at), Duration::from_millis(*ms))),
            // Long enough for the first part to be read by itself, on a machine that is not idle too.
            Order::Split(at) => script.silences.push((within(*at), Duration::from_millis(2))),
            Order::SplitEvery => {
                script.borders = (0..length).collect();
                script.silences.extend((64..length).step_by(64).map(|at| (at, BREATH)));
            }
            Order::Drip(bytes, ms) => {
                let step = usize::try_from(*bytes).unwrap_or(length).max(1);
                let pause = Duration::from_millis(*ms);
                if pause.is_zero() {
                    script.borders = (0..length).step_by(step).collect();
                    let round = step.saturating_mul(64);
                    script.silences.extend((round..length).step_by(round).map(|at| (at, BREATH)));
                } else {
                    script.silences.extend((step..length).step_by(step).map(|at| (at, pause)));
                }
            }
            Order::Rst(at) => (script.upto, script.end) = (within(*at), End::Rst),
            Order::Fin(at) => (script.upto, script.end) = (within(*at), End::Fin),
            Order::Stall(at) => (script.upto, script.end) = (within(*at), End::Stall),
            Order::LengthLong(_) | Order::NoLastChunk | Order::BadChunk(_) => script.end = End::Fin,
            Order::LengthAt(_) => script.end = End::Close,
            Order::Garbage => {
                let bytes = (0..64).map(|_| u8::try_from(numbers.below(256)).unwrap_or(0));
                script.wire = b"\x16\x03\x01".iter().copied().chain(bytes).collect();
                (script.upto, script.end) = (script.wire.len(), End::Fin);
            }
            _ => {}
        }
    }
    script.silences.sort_unstable();
    script.borders.sort_unstable();
}

fn shown_at(script: &Script, orders: &[Order]) -> usize {
    let body = |at: usize| (script.body_at + at).min(script.upto);
    let behind = orders.iter().find_map(|order| match order {
        Order::LengthAt(n) => Some(body(usize::try_from(*n).unwrap_or(usize::MAX))),
        Order::BadChunk(n) => {
            let before = script.pieces.iter().take(usize::try_from(*n).unwrap_or(usize::MAX));
            let framed = |piece: &Vec<u8>| format!("{:x}", piece.len()).len() + piece.len() + 4;
            Some(body(before.map(framed).sum::<usize>() + 5))
        }
        Order::Garbage => Some(1),
        _ => None,
    });
    behind.unwrap_or(script.upto).min(script.upto)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_has_them() {
        let at = |s| http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(s));
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(951_827_696), "Tue, 29 Feb 2000 12:34:56 GMT");
        assert_eq!(at(1_798_761_599), "Thu, 31 Dec 2026 23:59:59 GMT");
    }
}
