//! `bench-storm PORT RATE MILLISECONDS < request`: the same request at a constant rate, whatever comes back.
//!
//! Open loop without a bound on what is under way: a request that finds no idle connection opens one, so that
//! a slow server gets no fewer requests than a fast one. Whole replies, refusals and failures are counted
//! apart. Prints one JSON object, times in microseconds, `late_us` being what the sender itself lagged.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::rc::Rc;
use std::time::{Duration, Instant};

use llm_edge_bench::{Failure, message};
use memchr::memmem;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const READ_BYTES: usize = 64 * 1024;
const REPLY_S: u64 = 30;
const TICK: Duration = Duration::from_millis(1);

/// How one request ended.
enum Ending {
    /// A whole 200.
    Accepted,
    /// 503; whether it said when to come back.
    Refused {
        retry_after: bool,
    },
    Failed(&'static str),
}

#[derive(Default)]
struct Seen {
    accepted: Vec<Duration>,
    first_byte: Vec<Duration>,
    refused: Vec<Duration>,
    refused_without_retry_after: u64,
    failed: BTreeMap<&'static str, u64>,
    late: Vec<Duration>,
    /// When the last request was due that was not accepted, since the start.
    last_not_accepted: Duration,
}

struct Storm {
    port: u16,
    request: Vec<u8>,
    start: Instant,
    idle: RefCell<Vec<TcpStream>>,
    buffers: RefCell<Vec<Vec<u8>>>,
    seen: RefCell<Seen>,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |name: &str| -> Result<u64, Failure> {
        Ok(arguments.next().ok_or_else(|| format!("{name} is missing"))?.parse()?)
    };
    let port = u16::try_from(number("PORT")?)?;
    let rate = number("RATE")?.max(1);
    let span = Duration::from_millis(number("MILLISECONDS")?);
    let mut request = Vec::new();
    std::io::stdin().read_to_end(&mut request)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = tokio::task::LocalSet::new().block_on(&runtime, storm(port, request, rate, span));
    writeln!(std::io::stdout(), "{found}")?;
    Ok(())
}

async fn storm(port: u16, request: Vec<u8>, rate: u64, span: Duration) -> Value {
    let storm = Rc::new(Storm {
        port,
        request,
        start: Instant::now(),
        idle: RefCell::default(),
        buffers: RefCell::default(),
        seen: RefCell::default(),
    });
    let count = u64::try_from(span.as_micros()).unwrap_or(u64::MAX).saturating_mul(rate) / 1_000_000;
    let mut sent = 0;
    let mut tasks = Vec::new();
    while sent < count {
        let now = storm.start.elapsed();
        while sent < count {
            let due = Duration::from_micros(sent * 1_000_000 / rate);
            if due > now {
                break;
            }
            storm.seen.borrow_mut().late.push(storm.start.elapsed().saturating_sub(due));
            tasks.push(tokio::task::spawn_local(one(Rc::clone(&storm), due)));
            sent += 1;
        }
        tokio::time::sleep(TICK).await;
    }
    for task in tasks {
        // A task that failed has counted nothing: the sum tells.
        drop(task.await);
    }
    let seen = storm.seen.take();
    json!({
        "sent": sent,
        "seconds": span.as_secs_f64(),
        "accepted": seen.accepted.len(),
        "refused": seen.refused.len(),
        "refused_without_retry_after": seen.refused_without_retry_after,
        "failed": seen.failed,
        "accepted_us": percentiles(seen.accepted),
        "first_byte_us": percentiles(seen.first_byte),
        "refused_us": percentiles(seen.refused),
        "late_us": percentiles(seen.late),
        "last_not_accepted_s": seen.last_not_accepted.as_secs_f64(),
    })
}

fn percentiles(mut all: Vec<Duration>) -> Value {
    all.sort_unstable();
    let at = |thousandth: usize| {
        let place = (all.len() * thousandth / 1000).min(all.len().saturating_sub(1));
        all.get(place).map(|span| span.as_secs_f64() * 1e6)
    };
    json!({"p50": at(500), "p90": at(900), "p99": at(990), "max": at(1000)})
}

async fn one(storm: Rc<Storm>, due: Duration) {
    let sent = Instant::now();
    let idle = storm.idle.borrow_mut().pop();
    let asked = match idle {
        Some(stream) => Ok(stream),
        None => TcpStream::connect(("127.0.0.1", storm.port)).await,
    };
    let mut buffer = storm.buffers.borrow_mut().pop().unwrap_or_else(|| vec![0; READ_BYTES]);
    let mut first_byte = None;
    let (ending, stream) = match asked {
        Err(_) => (Ending::Failed("connect"), None),
        Ok(stream) => {
            let asked = ask(stream, &storm.request, &mut buffer, &mut first_byte);
            match tokio::time::timeout(Duration::from_secs(REPLY_S), asked).await {
                Ok(Ok((ending, stream))) => (ending, stream),
                Ok(Err(_)) => (Ending::Failed("reset"), None),
                Err(_) => (Ending::Failed("timeout"), None),
            }
        }
    };
    storm.buffers.borrow_mut().push(buffer);
    storm.idle.borrow_mut().extend(stream);
    let mut seen = storm.seen.borrow_mut();
    let took = sent.elapsed();
    match ending {
        Ending::Accepted => {
            seen.accepted.push(took);
            seen.first_byte.extend(first_byte.map(|at: Instant| at - sent));
            return;
        }
        Ending::Refused { retry_after } => {
            seen.refused.push(took);
            seen.refused_without_retry_after += u64::from(!retry_after);
        }
        Ending::Failed(how) => *seen.failed.entry(how).or_default() += 1,
    }
    seen.last_not_accepted = seen.last_not_accepted.max(due);
}

/// Sends the request and reads its reply; the connection comes back when it may be used again.
async fn ask(
    mut stream: TcpStream,
    request: &[u8],
    buffer: &mut [u8],
    first_byte: &mut Option<Instant>,
) -> std::io::Result<(Ending, Option<TcpStream>)> {
    stream.set_nodelay(true)?;
    stream.write_all(request).await?;
    let mut got = 0;
    let mut head = None;
    let mut tail = Vec::new();
    let mut refused = None;
    loop {
        // Once the head is known only the end of the body matters.
        let room = if head.is_none() { buffer.get_mut(got..) } else { Some(&mut *buffer) };
        let room = room.unwrap_or_default();
        let read = stream.read(room).await?;
        if read == 0 {
            return Ok((Ending::Failed("cut"), None));
        }
        first_byte.get_or_insert_with(Instant::now);
        tail.extend_from_slice(room.get(read.saturating_sub(16)..read).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(16));
        got += read;
        if head.is_none() {
            let bytes = buffer.get(..got).unwrap_or_default();
            head = message::head(bytes).unwrap_or_default();
            match head.and_then(|_| message::status(bytes)) {
                None | Some(200) => {}
                Some(503) => {
                    let lines = head.and_then(|head| bytes.get(..head.bytes)).unwrap_or_default();
                    let retry_after = memmem::find(&lines.to_ascii_lowercase(), b"\r\nretry-after: ");
                    refused = Some(Ending::Refused { retry_after: retry_after.is_some() });
                }
                Some(_) => return Ok((Ending::Failed("status"), None)),
            }
        }
        let whole = head.is_some_and(|head| match head.body {
            message::Body::Length(length) => got >= head.bytes + length,
            message::Body::Chunked => message::ends_chunked(&tail),
        });
        if whole {
            let kept = head.is_some_and(|head| !head.close).then_some(stream);
            return Ok((refused.unwrap_or(Ending::Accepted), kept));
        }
    }
}
