//! The verifier's own reader of event streams, to the letter of WHATWG HTML §9.2.6.

/// An event as it is dispatched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The last `event` field.
    pub name: Vec<u8>,
    /// The `data` fields, joined by line feeds.
    pub data: Vec<u8>,
}

/// What a whole body holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// The events that were dispatched, those without data left out.
    pub events: Vec<Read>,
    /// What stands at the end without its empty line: never dispatched.
    pub pending: Option<Read>,
}

/// Reads a body from its first byte.
pub fn read(body: &[u8]) -> Stream {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut stream = Stream::default();
    let (mut name, mut data) = (Vec::new(), Vec::new());
    for (line, ended) in lines(body) {
        if line.is_empty() {
            if ended && !data.is_empty() {
                let _ = data.pop();
                stream.events.push(Read { name: std::mem::take(&mut name), data: std::mem::take(&mut data) });
            } else if ended {
                name.clear();
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            _ => {}
        }
    }
    if !data.is_empty() {
        let _ = data.pop();
        stream.pending = Some(Read { name, data });
    }
    stream
}

/// The lines of a text, and whether each was ended; the last, empty one after a line end is left out.
fn lines(mut text: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let Some(at) = text.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            return Some((std::mem::take(&mut text), false));
        };
        let (line, rest) = text.split_at(at);
        let end = if rest.starts_with(b"\r\n") { 2 } else { 1 };
        text = rest.get(end..).unwrap_or_default();
        Some((line, true))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str) -> Vec<String> {
        let text = |event: &Read| {
            format!("{}|{}", String::from_utf8_lossy(&event.name), String::from_utf8_lossy(&event.data))
        };
        read(body.as_bytes()).events.iter().map(text).collect()
    }

    #[test]
    fn the_examples_of_the_standard_are_read_as_it_says() {
        assert_eq!(texts("data: YHOO\ndata: +2\ndata: 10\n\n"), ["|YHOO\n+2\n10"]);
        let second =
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        assert_eq!(texts(second), ["|first event", "|second event", "| third event"]);
        assert_eq!(texts("data\n\ndata\ndata\n\ndata:"), ["|", "|\n"]);
        assert_eq!(texts("data:test\n\ndata: test\n\n"), ["|test", "|test"]);
    }

    #[test]
    fn line_ends_of_all_kinds_end_lines() {
        assert_eq!(
            texts("event: a\r\ndata: 1\r\n\r\nevent: b\rdata: 2\r\rdata: 3\n\r\n"),
            ["a|1", "b|2", "|3"]
        );
        assert_eq!(texts("\u{feff}data: 1\n\n"), ["|1"]);
    }

    #[test]
    fn what_is_not_ended_is_not_dispatched() {
        for body in ["data: 1\n\ndata: 2", "data: 1\n\ndata: 2\n"] {
            let stream = read(body.as_bytes());
            assert_eq!(stream.events.len(), 1);
            assert_eq!(stream.pending.unwrap().data, b"2");
        }
    }
}
