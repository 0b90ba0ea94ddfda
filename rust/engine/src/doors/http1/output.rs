//! The reply's way out: head and first bytes in one write, chunks as they came.

use std::io::{self, IoSlice};
use std::pin::pin;

use llm_edge_core::http1::write as http;
use llm_edge_core::rejection::Rejection;

use super::wire::Wire;
use super::{After, unless_gone};
use crate::buffers::JOIN_BYTES_MAX;
use crate::exchange::{Body, Ending, Reply};
use crate::fail_points::fail_point;
use crate::panics::{Panic, caught};
use crate::stations::stream::{self, Framing, Progress, Relay, RunKind};

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes a reply and settles it.
pub(super) async fn write(wire: &Wire, reply: Reply, keep_alive: bool, takes_chunks: bool) -> After {
    fail_point!("http1.write");
    let keep_alive = keep_alive && !reply.unread && !reply.exchange.worker.shared.draining();
    match reply.body {
        Body::Relay(_) => relay(wire, reply, keep_alive, takes_chunks).await,
        Body::Whole(_) | Body::Stored(_) => whole(wire, reply, keep_alive, takes_chunks).await,
    }
}

async fn whole(wire: &Wire, mut reply: Reply, keep_alive: bool, http11: bool) -> After {
    reply.begin();
    let unread = reply.unread;
    let body = match &reply.body {
        Body::Whole(bytes) => bytes.as_slice(),
        Body::Stored(stored) => stored.body.as_slice(),
        Body::Relay(_) => &[],
    };
    let mut head = reply.exchange.worker.buffers.take();
    write_head(&mut head, &reply, Framing::Length(body.len() as u64), keep_alive, http11);
    // A reply to HEAD tells the length and has no body (RFC 9110 §9.3.2).
    let body = if reply.exchange.is_head_request() { &[] } else { body };
    let bytes = body.len() as u64;
    let written = if head.len() + body.len() <= JOIN_BYTES_MAX {
        head.extend_from_slice(body);
        wire.write(&mut [IoSlice::new(&head)]).await
    } else {
        wire.write(&mut [IoSlice::new(&head), IoSlice::new(body)]).await
    };
    reply.exchange.worker.buffers.give(head);
    reply.exchange.facts.reply_bytes = bytes;
    if written.is_err() {
        return After::Close;
    }
    reply.replied();
    reply.finish(Ending::Whole);
    match (keep_alive, unread) {
        (true, _) => After::Keep,
        (false, true) => After::Linger,
        (false, false) => After::Close,
    }
}

fn write_head(out: &mut Vec<u8>, reply: &Reply, framing: Framing, keep_alive: bool, http11: bool) {
    http::status_line(out, reply.status);
    out.extend_from_slice(&reply.fields);
    match framing {
        // A reply that has no body has no length either (RFC 9110 §8.6).
        Framing::Length(_) if matches!(reply.status, 204 | 304) => {}
        Framing::Length(n) => {
            out.extend_from_slice(b"content-length: ");
            http::decimal(out, n);
            out.extend_from_slice(b"\r\n");
        }
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Payload => {}
    }
    match (keep_alive, http11) {
        (false, _) => out.extend_from_slice(b"connection: close\r\n"),
        (true, false) => out.extend_from_slice(b"connection: keep-alive\r\n"),
        (true, true) => {}
    }
    out.extend_from_slice(b"\r\n");
}

async fn relay(wire: &Wire, mut reply: Reply, keep_alive: bool, http11: bool) -> After {
    reply.begin();
    let Body::Relay(mut relay) = std::mem::replace(&mut reply.body, Body::Whole(Vec::new())) else {
        return After::Close;
    };
    let framing = relay.framing(http11);
    let keep_alive = keep_alive && framing != Framing::Payload;
    let mut head = reply.exchange.worker.buffers.take();
    write_head(&mut head, &reply, framing, keep_alive, http11);
    let ended = pump(wire, &mut reply, &mut relay, framing, &mut head).await;
    let unsent = !head.is_empty();
    reply.exchange.worker.buffers.give(head);
    reply.body = Body::Relay(relay);
    match ended {
        Ok(None) => {
            reply.finish(Ending::Whole);
            if keep_alive { After::Keep } else { After::Close }
        }
        // Nothing has left yet: the client gets a plain error instead of a broken reply.
        Ok(Some(rejection)) if unsent => {
            let Reply { exchange, .. } = reply;
            whole(wire, stream::reject(exchange, &rejection), false, http11).await
        }
        Ok(Some(rejection)) => {
            let told = tell(wire, &reply, framing, &rejection).await;
            reply.finish(Ending::Cut(rejection.code));
            match (told, framing) {
                (Ok(Told::No), Framing::Payload) => After::Abort,
                (Ok(_), _) => After::Linger,
                (Err(_), _) => After::Close,
            }
        }
        // The client left or reads no more; the exchange settles as cancelled.
        Err(_) => After::Close,
    }
}

/// Moves the body. `head` goes out with the first bytes and is empty afterwards. Returns what broke it off.
async fn pump(
    wire: &Wire,
    reply: &mut Reply,
    relay: &mut Relay,
    framing: Framing,
    head: &mut Vec<u8>,
) -> io::Result<Option<Rejection>> {
    let gone = || io::Error::from(io::ErrorKind::ConnectionAborted);
    // An event stream's client learns at once that it has begun.
    if relay.is_event_stream() && !relay.has_more() {
        wire.write(&mut [IoSlice::new(head)]).await?;
        head.clear();
        reply.replied();
    }
    loop {
        let advanced = {
            let advance = pin!(async {
                fail_point!("stream.advance");
                relay.advance(&mut reply.exchange).await
            });
            unless_gone(wire, pin!(caught(advance))).await.ok_or_else(gone)?
        };
        let progress =
            advanced.unwrap_or_else(|Panic| relay.failed(&Panic::rejection(&reply.exchange.worker)));
        let broken = match progress {
            Progress::More => None,
            Progress::Whole => {
                write_runs(wire, reply, relay, framing, head, true).await?;
                return Ok(None);
            }
            Progress::Broken(rejection) => Some(rejection),
        };
        let (_, runs) = relay.runs();
        // The head of an event stream does not wait for an event that is kept back.
        let head_alone = broken.is_none() && relay.is_event_stream() && !head.is_empty();
        if !runs.is_empty() || head_alone {
            write_runs(wire, reply, relay, framing, head, false).await?;
        }
        if broken.is_some() {
            return Ok(broken);
        }
    }
}

/// Slices of one write: the head, three for each run at most, the last chunk.
const SLICES_MAX: usize = 2 + 3 * stream::RUNS_MAX;

async fn write_runs(
    wire: &Wire,
    reply: &mut Reply,
    relay: &Relay,
    framing: Framing,
    head: &mut Vec<u8>,
    last: bool,
) -> io::Result<()> {
    let (buffer, runs) = relay.runs();
    let mut sizes = [[0u8; 18]; stream::RUNS_MAX];
    let mut size_lens = [0usize; stream::RUNS_MAX];
    for ((run, size), len) in runs.iter().zip(&mut sizes).zip(&mut size_lens) {
        reply.exchange.facts.reply_bytes += (run.end - run.start) as u64;
        if framing == Framing::Chunked && run.kind == RunKind::Payload {
            *len = chunk_size(size, run.end - run.start);
        }
    }
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let mut count = 0;
    let mut push = |bytes| {
        if let Some(slot) = slices.get_mut(count) {
            *slot = IoSlice::new(bytes);
            count += 1;
        }
    };
    if !head.is_empty() {
        push(head.as_slice());
    }
    for ((run, size), len) in runs.iter().zip(&sizes).zip(size_lens) {
        let bytes = buffer.get(run.start..run.end).unwrap_or_default();
        if len > 0 {
            push(size.get(..len).unwrap_or_default());
            push(bytes);
            push(b"\r\n");
        } else {
            push(bytes);
        }
    }
    if last && framing == Framing::Chunked {
        push(LAST_CHUNK);
    }
    let slices = slices.get_mut(..count).unwrap_or_default();
    let total: usize = slices.iter().map(|slice| slice.len()).sum();
    if count > 1 && total <= JOIN_BYTES_MAX {
        let mut joined = reply.exchange.worker.buffers.take();
        for slice in slices.iter() {
            joined.extend_from_slice(slice);
        }
        let written = wire.write(&mut [IoSlice::new(&joined)]).await;
        reply.exchange.worker.buffers.give(joined);
        written?;
    } else if count > 0 {
        wire.write(slices).await?;
    }
    head.clear();
    reply.replied();
    Ok(())
}

/// Writes `n` in hexadecimal and CRLF to the front of `line`; returns the length.
fn chunk_size(line: &mut [u8; 18], n: usize) -> usize {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - n.leading_zeros()).div_ceil(4).max(1) as usize;
    for (at, slot) in line.iter_mut().take(digits).enumerate() {
        let nibble = (n >> (4 * (digits - 1 - at))) & 15;
        *slot = DIGITS.get(nibble).copied().unwrap_or(b'0');
    }
    for (slot, byte) in line.iter_mut().skip(digits).zip(*b"\r\n") {
        *slot = byte;
    }
    digits + 2
}

/// Whether an event in the stream says that it broke off.
enum Told {
    Yes,
    No,
}

/// Tells the client inside the stream that it broke off; the missing end says the same (B04).
async fn tell(wire: &Wire, reply: &Reply, framing: Framing, rejection: &Rejection) -> io::Result<Told> {
    let Body::Relay(relay) = &reply.body else { return Ok(Told::No) };
    let event = relay.farewell(&reply.exchange, rejection);
    if event.is_empty() {
        return Ok(Told::No);
    }
    let mut size = [0u8; 18];
    let len = chunk_size(&mut size, event.len());
    let line = size.get(..len).unwrap_or_default();
    if framing == Framing::Chunked {
        wire.write(&mut [IoSlice::new(line), IoSlice::new(&event), IoSlice::new(b"\r\n")]).await?;
    } else {
        wire.write(&mut [IoSlice::new(&event)]).await?;
    }
    Ok(Told::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_are_plain_hexadecimal() {
        for (n, text) in [
            (1, "1\r\n"),
            (15, "f\r\n"),
            (16, "10\r\n"),
            (0x3fff, "3fff\r\n"),
            (usize::MAX, "ffffffffffffffff\r\n"),
        ] {
            let mut line = [0; 18];
            let len = chunk_size(&mut line, n);
            assert_eq!(&line[..len], text.as_bytes());
        }
    }
}
