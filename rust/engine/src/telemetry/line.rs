//! Lines of the log: JSON objects, written member by member into a buffer that is reused.

use std::time::Duration;

use llm_edge_core::date;
use llm_edge_core::http1::write;
use llm_edge_core::scan::escape_json;

/// A JSON object of one line, member by member.
pub(crate) struct Line<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Line<'a> {
    /// A line with what every line has; `at` is the time since the epoch.
    pub(crate) fn begin(out: &'a mut Vec<u8>, at: Duration, level: &str, event: &str) -> Self {
        out.push(b'{');
        let mut line = Self { out, first: true };
        line.text("ts", &date::rfc3339_micros(at.as_secs(), at.subsec_micros()));
        line.text("level", level);
        line.text("event", event);
        line
    }

    /// Closes the object.
    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.raw(key);
        self.raw("\":");
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push(b'"');
        escape_json(self.out, value);
        self.out.push(b'"');
    }

    pub(crate) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        write::decimal(self.out, value);
    }
}
