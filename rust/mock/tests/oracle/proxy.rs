//! A proxy that buffers each reply, and is wrong in one way.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::translator;

/// In which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    RetriesAfterTheFirstByte,
    RepeatsFromTheStart,
    MakesUpTheTerminalEvent,
    EndsProperly,
    TakesTheEndForAFinishReason,
    LossyUtf8,
    DropsAnEvent,
    RepeatsAnEvent,
    SwapsTwoEvents,
    MergesTwoReplies,
    ChangesAWord,
    DropsComments,
    ExecutesTwice,
    ExecutesAgainLater,
    RefusesEverything,
    TakesTheOrdersOut,
    TurnsErrorsInto500,
    DoesNotTranslate,
}

/// Listens on a free port, in front of `upstream`.
pub(crate) async fn start(upstream: SocketAddr, bug: Bug) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let others = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let others = Arc::clone(&others);
            tokio::spawn(async move { serve(client, upstream, bug, others).await });
        }
    });
    address
}

async fn serve(mut client: TcpStream, upstream: SocketAddr, bug: Bug, others: Arc<Mutex<Vec<u8>>>) {
    let Some(mut request) = read_request(&mut client).await else { return };
    let translates = bug != Bug::DoesNotTranslate && translator::rewrite(&mut request);
    if bug == Bug::RefusesEverything {
        let refusal = b"HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
        drop(client.write_all(refusal).await);
        return;
    }
    if bug == Bug::TakesTheOrdersOut {
        request = without_orders(&request);
    }
    if bug == Bug::ExecutesTwice {
        fetch(upstream, &request).await;
    }
    let raw = fetch(upstream, &request).await;
    let mut reply = Reply::parse(&raw);
    match bug {
        Bug::RetriesAfterTheFirstByte if !reply.complete && !reply.chunks.is_empty() => {
            let again = Reply::parse(&fetch(upstream, &request).await);
            reply.chunks.extend(again.chunks);
            reply.complete = true;
        }
        Bug::RepeatsFromTheStart if !reply.complete => {
            let chunks = reply.chunks.clone();
            reply.chunks.extend(chunks);
        }
        Bug::MakesUpTheTerminalEvent if !reply.complete => {
            reply.chunks.push(terminal(&request));
            reply.complete = true;
        }
        Bug::EndsProperly => reply.complete = true,
        Bug::TakesTheEndForAFinishReason if is_gemini(&request) => reply.complete = true,
        Bug::LossyUtf8 => {
            let lossy = |piece: &[u8]| String::from_utf8_lossy(piece).into_owned().into_bytes();
            reply.chunks = reply.chunks.concat().chunks(97).map(lossy).collect();
        }
        Bug::DropsAnEvent if reply.chunks.len() > 6 => drop(reply.chunks.remove(5)),
        Bug::RepeatsAnEvent if reply.chunks.len() > 6 => reply.chunks.insert(6, reply.chunks[5].clone()),
        Bug::SwapsTwoEvents if reply.chunks.len() > 7 => reply.chunks.swap(5, 6),
        Bug::MergesTwoReplies if reply.chunks.len() > 6 => {
            let other = std::mem::replace(&mut *others.lock().unwrap(), reply.chunks[5].clone());
            if !other.is_empty() {
                reply.chunks[5] = other;
            }
        }
        Bug::ChangesAWord if reply.chunks.len() > 6 => {
            let text = String::from_utf8(reply.chunks[5].clone()).unwrap();
            reply.chunks[5] = text.replacen('⟧', "⟧ ", 1).into_bytes();
        }
        Bug::DropsComments => {
            for chunk in &mut reply.chunks {
                if chunk.starts_with(b":") {
                    let at = chunk.windows(2).position(|two| two == b"\n\n").unwrap();
                    chunk.drain(..at + 2);
                }
            }
        }
        Bug::TurnsErrorsInto500 => {
            let head = String::from_utf8(reply.head.clone()).unwrap();
            reply.head = head.replace("HTTP/1.1 529", "HTTP/1.1 500").into_bytes();
        }
        _ => {}
    }
    if translates {
        translator::tell(&mut reply);
    }
    drop(client.write_all(&reply.written()).await);
    drop(client.shutdown().await);
    if bug == Bug::ExecutesAgainLater {
        tokio::time::sleep(Duration::from_millis(100)).await;
        fetch(upstream, &request).await;
    }
}

/// A reply, taken apart; of one without chunks the rest is kept as it is.
pub(crate) struct Reply {
    pub(crate) head: Vec<u8>,
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) complete: bool,
    pub(crate) rest: Option<Vec<u8>>,
}

impl Reply {
    fn parse(raw: &[u8]) -> Self {
        let at = find(raw, b"\r\n\r\n").map_or(raw.len(), |at| at + 4);
        let (head, mut rest) = raw.split_at(at);
        let mut reply = Self { head: head.to_vec(), chunks: Vec::new(), complete: false, rest: None };
        if find(head, b"chunked").is_none() {
            reply.rest = Some(rest.to_vec());
            return reply;
        }
        while let Some(line_end) = find(rest, b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line_end]).unwrap(), 16).unwrap();
            if rest.len() < line_end + 2 + size + 2 {
                break;
            }
            if size == 0 {
                reply.complete = true;
                break;
            }
            reply.chunks.push(rest[line_end + 2..line_end + 2 + size].to_vec());
            rest = &rest[line_end + 2 + size + 2..];
        }
        reply
    }

    fn written(&self) -> Vec<u8> {
        let mut out = self.head.clone();
        if let Some(line_end) = find(&out, b"\r\n") {
            out.splice(line_end + 2..line_end + 2, *b"connection: close\r\n");
        }
        if let Some(rest) = &self.rest {
            out.extend_from_slice(rest);
            return out;
        }
        for chunk in self.chunks.iter().filter(|chunk| !chunk.is_empty()) {
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        if self.complete {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        out
    }
}

fn is_gemini(request: &[u8]) -> bool {
    find(request, b"/v1beta/models/").is_some()
}

fn terminal(request: &[u8]) -> Vec<u8> {
    if is_gemini(request) {
        let candidate =
            r#"{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}"#;
        return format!("data: {{\"candidates\":[{candidate}]}}\n\n").into_bytes();
    }
    if find(request, b"/v1/messages").is_some() {
        b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_vec()
    } else {
        b"data: [DONE]\n\n".to_vec()
    }
}

fn without_orders(request: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(request.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let from = body.find(" do=").unwrap();
    let to = from + body[from..].find('"').unwrap();
    let body = format!("{}{}", &body[..from], &body[to..]);
    let lines = head.split("\r\n").filter(|line| !line.starts_with("content-length"));
    let head = lines.collect::<Vec<_>>().join("\r\n");
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Sends the request on a connection of its own and reads to its end.
async fn fetch(upstream: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(upstream).await.unwrap();
    let at = find(request, b"\r\n").unwrap() + 2;
    let mut request = request.to_vec();
    request.splice(at..at, *b"connection: close\r\n");
    stream.write_all(&request).await.unwrap();
    let mut raw = Vec::new();
    drop(stream.read_to_end(&mut raw).await);
    raw
}

async fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = find(&bytes, b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            if bytes.len() >= at + 4 + length {
                return Some(bytes);
            }
        }
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
