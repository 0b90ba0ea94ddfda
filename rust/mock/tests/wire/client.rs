//! A client that sees bytes: one request per connection, its reply read to the connection's end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A reply as it came.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its proper end.
    pub(crate) whole: bool,
}

pub(crate) fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut bytes = Vec::new();
    // A reset is one of the ways a cut reply may end; what came before it is kept.
    drop(stream.read_to_end(&mut bytes));
    parse(&bytes)
}

pub(crate) fn post(address: SocketAddr, path: &str, body: &Value) -> Reply {
    request(address, "POST", path, "content-type: application/json\r\n", body.to_string().as_bytes())
}

pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> Reply {
    request(address, "GET", path, headers, b"")
}

fn parse(bytes: &[u8]) -> Reply {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head[9..12].parse().unwrap();
    let raw = &bytes[end..];
    let (body, whole) = if header(&head, "transfer-encoding") == Some("chunked") {
        dechunk(raw)
    } else {
        let length = header(&head, "content-length").map_or(raw.len(), |length| length.parse().unwrap());
        (raw.to_vec(), raw.len() == length)
    };
    Reply { status, head, body, whole }
}

fn dechunk(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line) = raw.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&raw[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, &raw[line..] == b"\r\n\r\n");
        }
        let data = &raw[line + 2..];
        if data.len() < size + 2 {
            body.extend_from_slice(&data[..data.len().min(size)]);
            return (body, false);
        }
        body.extend_from_slice(&data[..size]);
        raw = &data[size + 2..];
    }
    (body, false)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, v)| v)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The events of a stream: name (empty when there is none) and data.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let text = std::str::from_utf8(&self.body).unwrap();
        assert!(text.is_empty() || text.ends_with("\n\n"), "the last event is unfinished");
        let event = |frame: &str| {
            let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
            let data = field("data: ").unwrap();
            let data =
                if data == "[DONE]" { Value::from("[DONE]") } else { serde_json::from_str(data).unwrap() };
            (field("event: ").unwrap_or("").to_owned(), data)
        };
        text.split_terminator("\n\n").map(event).collect()
    }

    /// The messages of an Amazon event stream: type and payload of each, both checksums and all headers right.
    pub(crate) fn messages(&self) -> Vec<(String, Value)> {
        let mut rest = self.body.as_slice();
        let mut messages = Vec::new();
        while !rest.is_empty() {
            let length = usize::try_from(number(&rest[..4])).unwrap();
            let (message, behind) = rest.split_at_checked(length).expect("a whole message");
            assert_eq!(number(&message[8..12]), crc32(&message[..8]), "the prelude's checksum");
            let (checked, checksum) = message.split_at(length - 4);
            assert_eq!(number(checksum), crc32(checked), "the message's checksum");
            let headers_end = 12 + usize::try_from(number(&message[4..8])).unwrap();
            let headers = message_headers(&checked[12..headers_end]);
            let [(event, kind), content_type, message_type] = headers.as_slice() else {
                panic!("{headers:?}")
            };
            assert_eq!(event, ":event-type");
            assert_eq!(*content_type, (":content-type".to_owned(), "application/json".to_owned()));
            assert_eq!(*message_type, (":message-type".to_owned(), "event".to_owned()));
            messages.push((kind.clone(), serde_json::from_slice(&checked[headers_end..]).unwrap()));
            rest = behind;
        }
        messages
    }

    /// The lines of a stream of JSON texts.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::str::from_utf8(&self.body).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "the last line is unfinished");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The names of a stream's events, repeated ones once.
    pub(crate) fn event_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.events().into_iter().map(|(name, _)| name).collect();
        names.dedup();
        names
    }

    /// The content of a streamed reply, put together: text, thinking and arguments alike.
    pub(crate) fn streamed_text(&self) -> String {
        self.events().iter().filter_map(|(_, data)| content(data)).collect()
    }

    pub(crate) fn content_events(&self) -> usize {
        self.events().iter().filter(|(_, data)| content(data).is_some_and(|text| !text.is_empty())).count()
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

/// Names and texts of the headers of a message, which all are texts.
fn message_headers(mut rest: &[u8]) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    while !rest.is_empty() {
        let (name, behind) = rest[1..].split_at(usize::from(rest[0]));
        assert_eq!(behind[0], 7, "a text");
        let (text, behind) = behind[3..].split_at(usize::from(behind[1]) << 8 | usize::from(behind[2]));
        headers.push((String::from_utf8(name.to_vec()).unwrap(), String::from_utf8(text.to_vec()).unwrap()));
        rest = behind;
    }
    headers
}

/// RFC 1952 §8, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc)))
}

fn content(data: &Value) -> Option<&str> {
    let places = [
        "/choices/0/delta/content",
        "/choices/0/delta/tool_calls/0/function/arguments",
        "/choices/0/text",
        "/delta/text",
        "/delta/partial_json",
        "/delta",
    ];
    places.iter().find_map(|place| data.pointer(place)?.as_str())
}
