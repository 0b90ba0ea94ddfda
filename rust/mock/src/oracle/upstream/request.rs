//! A request as the oracle reads it from HTTP/1.1: leniently, since judging requests is not its task.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A request that arrived whole.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) body: Vec<u8>,
    pub(super) keep_alive: bool,
}

const REQUEST_BYTES_MAX: usize = 64 << 20;

/// Reads the next request behind what is in `buffer` already; `None` when the peer leaves before its end.
pub(super) async fn read<S: AsyncRead + Unpin>(
    socket: &mut S,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(at) = find(buffer, b"\r\n\r\n") {
            break at;
        }
        if !more(socket, buffer).await? {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(buffer.get(..head_end).unwrap_or_default()).into_owned();
    drop(buffer.drain(..head_end + 4));
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut length, mut chunked, mut keep_alive) = (0_usize, false, true);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => keep_alive = !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let body = if chunked {
        let Some(body) = read_chunks(socket, buffer).await? else { return Ok(None) };
        body
    } else {
        while buffer.len() < length {
            if !more(socket, buffer).await? {
                return Ok(None);
            }
        }
        buffer.drain(..length).collect()
    };
    Ok(Some(Request { method, target, body, keep_alive }))
}

async fn read_chunks<S: AsyncRead + Unpin>(
    socket: &mut S,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let line_end = loop {
            if let Some(at) = find(buffer, b"\r\n") {
                break at;
            }
            if !more(socket, buffer).await? {
                return Ok(None);
            }
        };
        let line = String::from_utf8_lossy(buffer.get(..line_end).unwrap_or_default()).into_owned();
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(io::Error::other)?;
        let whole = line_end + 2 + size + 2;
        if whole > REQUEST_BYTES_MAX {
            return Err(io::Error::other("the request is too large"));
        }
        while buffer.len() < whole {
            if !more(socket, buffer).await? {
                return Ok(None);
            }
        }
        body.extend_from_slice(buffer.get(line_end + 2..line_end + 2 + size).unwrap_or_default());
        drop(buffer.drain(..whole));
        if size == 0 {
            return Ok(Some(body));
        }
    }
}

async fn more<S: AsyncRead + Unpin>(socket: &mut S, buffer: &mut Vec<u8>) -> io::Result<bool> {
    if buffer.len() > REQUEST_BYTES_MAX {
        return Err(io::Error::other("the request is too large"));
    }
    Ok(socket.read_buf(buffer).await? > 0)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
