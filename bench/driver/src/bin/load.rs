//! `bench-load PORT CONNECTIONS RATE SECONDS < request`: the same request at a constant rate, open loop.
//!
//! Latency counts from when a request was due, so that a stall is not left out by the requests it delays;
//! lateness of the sleeping thread itself does not count. Prints one JSON object, times in microseconds.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use llm_edge_bench::{Failure, message};
use serde_json::{Value, json};

const READ_BYTES: usize = 64 * 1024;
const STALL: Duration = Duration::from_secs(10);

/// What one connection saw.
#[derive(Default)]
struct Seen {
    whole: Vec<Duration>,
    first: Vec<Duration>,
    gaps: Vec<Duration>,
    failed: u64,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |name: &str| -> Result<u32, Failure> {
        Ok(arguments.next().ok_or_else(|| format!("{name} is missing"))?.parse()?)
    };
    let port = u16::try_from(number("PORT")?)?;
    let connections = number("CONNECTIONS")?.max(1);
    let rate = number("RATE")?.max(1);
    let span = Duration::from_secs(number("SECONDS")?.into());
    let mut request = Vec::new();
    std::io::stdin().read_to_end(&mut request)?;

    let every = Duration::from_secs(1) * connections / rate;
    let start = Instant::now() + Duration::from_millis(50);
    let threads: Vec<_> = (0..connections)
        .map(|at| {
            let request = request.clone();
            let first = start + every * at / connections;
            thread::spawn(move || run(port, &request, first, every, start + span))
        })
        .collect();
    let mut all = Seen::default();
    for thread in threads {
        let seen = thread.join().map_err(|_| "a connection's thread failed")??;
        all.whole.extend(seen.whole);
        all.first.extend(seen.first);
        all.gaps.extend(seen.gaps);
        all.failed += seen.failed;
    }
    let found = json!({
        "requests": all.whole.len(),
        "failed": all.failed,
        "latency_us": percentiles(all.whole),
        "first_byte_us": percentiles(all.first),
        "gap_us": percentiles(all.gaps),
    });
    writeln!(std::io::stdout(), "{found}")?;
    Ok(())
}

fn percentiles(mut all: Vec<Duration>) -> Value {
    all.sort_unstable();
    let at = |thousandth: usize| {
        let place = (all.len() * thousandth / 1000).min(all.len().saturating_sub(1));
        all.get(place).map(|span| span.as_secs_f64() * 1e6)
    };
    json!({"p50": at(500), "p90": at(900), "p99": at(990), "max": at(1000)})
}

fn run(port: u16, request: &[u8], first: Instant, every: Duration, end: Instant) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    let mut stream = connect(port)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut due = first;
    while due < end {
        let now = Instant::now();
        if now < due {
            thread::sleep(due - now);
        }
        let from = if now < due { Instant::now() } else { due };
        if let Ok(true) = ask(&mut stream, request, &mut buffer, from, &mut seen) {
            seen.whole.push(from.elapsed());
        } else {
            seen.failed += 1;
            stream = connect(port)?;
        }
        due += every;
    }
    Ok(seen)
}

fn connect(port: u16) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STALL))?;
    Ok(stream)
}

/// Sends one request and reads its reply; true when that is a whole 200.
fn ask(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut [u8],
    from: Instant,
    seen: &mut Seen,
) -> Result<bool, Failure> {
    stream.write_all(request)?;
    // Bytes of the reply so far, and the last few of them, in which a chunked body's end is looked for.
    let (mut got, mut tail) = (0, Vec::new());
    let mut head = None;
    let mut last = None;
    loop {
        let room = if head.is_none() { buffer.get_mut(got..) } else { Some(&mut *buffer) };
        let room = room.filter(|room| !room.is_empty()).ok_or("a reply's head over the buffer")?;
        let read = stream.read(room)?;
        if read == 0 {
            return Ok(false);
        }
        let now = Instant::now();
        match last {
            None => seen.first.push(now.saturating_duration_since(from)),
            Some(last) => seen.gaps.push(now - last),
        }
        last = Some(now);
        tail.extend_from_slice(room.get(read.saturating_sub(16)..read).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(16));
        got += read;
        if head.is_none() {
            head = message::head(buffer.get(..got).unwrap_or_default())?;
            if head.is_some() && message::status(buffer) != Some(200) {
                return Ok(false);
            }
        }
        let done = match head {
            None => false,
            Some(head) => match head.body {
                message::Body::Length(length) => got >= head.bytes + length,
                message::Body::Chunked => message::ends_chunked(&tail),
            },
        };
        if done {
            return Ok(true);
        }
    }
}
