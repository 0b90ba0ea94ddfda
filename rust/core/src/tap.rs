//! Watches one reply as it passes and tells what happened in it: usage, end, failure.
//!
//! Invariant: the tap changes nothing and holds nothing up; what it reports depends on the payload only,
//! not on how it was cut into reads. Its memory is bounded by [`JSON_BYTES_MAX`] and the caps of [`sse`].
//! Most events pay for finding their end and one search for two words; only those that may carry usage or
//! an error are read, by the rules of [`scan`]. Of a dialect whose events all carry usage, all are read.
//!
//! Source: what each dialect says in [`crate::dialect`]. Usage is what the provider reported last, field by
//! field, never a sum: providers send running totals.
//!
//! [`sse`]: crate::sse
//! [`scan`]: mod@crate::scan

use std::sync::LazyLock;

use memchr::memmem::{Finder, FinderRev};

use crate::dialect::{Content, Dialect, Facts, Path, Terminal, facts};
use crate::scan::{Elements, Members, whole_number};
use crate::sse::{Event, SseScanner};

/// Most bytes of a JSON reply that are kept to read its usage, when it arrives in more than one piece.
pub const JSON_BYTES_MAX: usize = 1024 * 1024;

/// Buffers that have grown beyond this are given back when the tap is reset.
const KEPT_BYTES_MAX: usize = 64 * 1024;

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"usage\""));
static LAST_USAGE: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(b"\"usage\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"error\""));

/// What a reply consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Payload {
    /// Server-sent events.
    Sse,
    /// One JSON document; it may be a stream, where a dialect has streams in this form.
    Json,
    /// Something that is not looked into.
    #[default]
    Opaque,
}

/// Token counts as the provider reported them; 0 where it reported none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the whole prompt, those included that were read from or written to the provider's prompt cache,
    /// whatever the dialect counts as its input.
    pub input_tokens: u64,
    /// Tokens generated, reasoning included.
    pub output_tokens: u64,
    /// Prompt tokens read from the provider's prompt cache.
    pub cached_input_tokens: u64,
    /// Prompt tokens written to the provider's prompt cache.
    pub cache_write_tokens: u64,
    /// Of these, those that are to be kept there for an hour.
    pub cache_write_1h_tokens: u64,
    /// Generated tokens that were reasoning.
    pub reasoning_tokens: u64,
    /// Searches that a ranking is billed for.
    pub search_units: u64,
}

impl Usage {
    /// What was read from the cache or written to it.
    fn cache_tokens(&self) -> u64 {
        self.cached_input_tokens.saturating_add(self.cache_write_tokens)
    }
}

/// What happened in a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Last usage seen.
    pub usage: Option<Usage>,
    /// The reply says of itself that it is complete: its dialect's last event was seen, or the JSON object
    /// was closed. `true` where only the framing can tell: opaque replies, and JSON beyond the cap.
    pub terminal: bool,
    /// The upstream itself said that the reply failed. That is an explicit end too, but no good one.
    pub error_event: bool,
    /// Events with data, the terminal one included; 0 for JSON.
    pub events: u64,
    /// An event with something for the reader in it was seen, or the JSON object.
    pub content: bool,
}

/// Watches one reply.
#[derive(Debug)]
pub struct Tap {
    payload: Payload,
    facts: &'static Facts,
    scanner: SseScanner,
    /// A JSON reply in pieces.
    gathered: Vec<u8>,
    json: Json,
    seen: Outcome,
}

/// How far a JSON reply has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Json {
    /// No byte has come.
    #[default]
    Empty,
    /// It came whole and has been read.
    Read,
    /// It comes in pieces and is being gathered.
    Gathering,
    /// It is larger than the cap.
    TooLarge,
}

impl Default for Tap {
    fn default() -> Self {
        Self::none()
    }
}

impl Tap {
    /// A tap for a streamed reply.
    pub fn sse(dialect: Dialect) -> Self {
        Self::new(Payload::Sse, dialect)
    }

    /// A tap for a reply in one JSON document.
    pub fn json(dialect: Dialect) -> Self {
        Self::new(Payload::Json, dialect)
    }

    /// A tap that looks at nothing.
    pub fn none() -> Self {
        Self::new(Payload::Opaque, Dialect::OpenaiChat)
    }

    /// A tap for a reply of this kind.
    pub fn new(payload: Payload, dialect: Dialect) -> Self {
        Self {
            payload,
            facts: facts(dialect),
            scanner: SseScanner::new(),
            gathered: Vec::new(),
            json: Json::Empty,
            seen: Outcome::default(),
        }
    }

    /// Forgets the reply and gets ready for another one, keeping the buffers.
    pub fn reset(&mut self, payload: Payload, dialect: Dialect) {
        self.payload = payload;
        self.facts = facts(dialect);
        self.scanner.reset();
        self.gathered.clear();
        self.gathered.shrink_to(KEPT_BYTES_MAX);
        self.json = Json::Empty;
        self.seen = Outcome::default();
    }

    /// [`Self::push`] for a body that its framing says is all there, in one piece. A JSON document then needs
    /// to be read from its last `"usage"` only.
    pub fn push_whole(&mut self, document: &[u8]) {
        if self.payload == Payload::Json
            && self.json == Json::Empty
            && let Some(report) = usage_in_tail(self.facts, document)
        {
            self.seen.content = true;
            self.seen.terminal = true;
            self.seen.take_report(self.facts, report);
            self.json = Json::Read;
            return;
        }
        self.push(document);
    }

    /// Where in `bytes` usage or an error may first be told; one past their end when nowhere. One search over
    /// a whole read; a piece of it that ends before is then pushed as no suspect.
    pub fn first_suspect(&self, bytes: &[u8]) -> usize {
        if self.payload != Payload::Sse || matches!(self.facts.terminal, Terminal::Reason(_)) {
            return 0;
        }
        let usage = USAGE.find(bytes).unwrap_or(bytes.len());
        ERROR.find(bytes.get(..usage).unwrap_or_default()).unwrap_or(usage)
    }

    /// [`Self::push`] for a piece of bytes that [`Self::first_suspect`] was asked about.
    pub fn push_piece(&mut self, piece: &[u8], suspect: bool) {
        match self.payload {
            Payload::Sse => self.take_events(piece, suspect),
            Payload::Json => self.push_json(piece),
            Payload::Opaque => {}
        }
    }

    /// Somebody has looked already: something for the reader is in what comes, and need not be looked for.
    pub fn know_content(&mut self) {
        self.seen.content = true;
    }

    /// Looks at the next bytes of the payload (decoded from its transfer and content codings).
    pub fn push(&mut self, bytes: &[u8]) {
        match self.payload {
            Payload::Sse => self.push_sse(bytes),
            Payload::Json => self.push_json(bytes),
            Payload::Opaque => {}
        }
    }

    /// The reply is over: what happened in it. Call it once; [`Self::reset`] before the next reply.
    pub fn finish(&mut self) -> Outcome {
        match self.payload {
            Payload::Sse => {
                let Self { scanner, seen, facts, .. } = self;
                scanner.finish(|event| {
                    // Some servers leave out the empty line behind their last event. A half event is not one.
                    let marker =
                        matches!(facts.terminal, Terminal::Data(marker) if event.data == marker.as_bytes());
                    if marker || is_whole_object(event.data) {
                        seen.take(facts, &event);
                    }
                });
            }
            Payload::Json => {
                if self.json == Json::Gathering {
                    self.seen.take_gathered(self.facts, &self.gathered);
                }
                self.seen.terminal |= self.json == Json::TooLarge;
            }
            Payload::Opaque => self.seen.terminal = true,
        }
        self.seen
    }

    /// Whether the reply has already said that it is complete.
    pub fn terminal_seen(&self) -> bool {
        self.seen.terminal
    }

    /// The usage reported so far.
    pub fn usage(&self) -> Option<Usage> {
        self.seen.usage
    }

    /// Whether the reply has already said that it failed.
    pub fn error_seen(&self) -> bool {
        self.seen.error_event
    }

    /// Whether something for the reader has already come.
    pub fn content_seen(&self) -> bool {
        self.seen.content
    }

    /// Events with data so far.
    pub fn events(&self) -> u64 {
        self.seen.events
    }

    /// Whether a stream stands between two events, so that another one could be put in here.
    pub fn between_events(&self) -> bool {
        self.scanner.between_events()
    }

    fn push_sse(&mut self, bytes: &[u8]) {
        // One search over all the events of this read; only if it finds something are they looked at singly.
        let suspect = self.first_suspect(bytes) < bytes.len();
        self.take_events(bytes, suspect);
    }

    fn take_events(&mut self, bytes: &[u8], suspect: bool) {
        let Self { scanner, seen, facts, .. } = self;
        scanner.push(bytes, |event| {
            if suspect || !event.in_place {
                seen.take(facts, &event);
            } else {
                seen.take_plain(facts, &event);
            }
        });
    }

    fn push_json(&mut self, bytes: &[u8]) {
        match self.json {
            Json::Empty if bytes.is_empty() => return,
            Json::Empty if self.seen.take_json(self.facts, bytes) => {
                self.seen.terminal = true;
                self.json = Json::Read;
                return;
            }
            Json::Empty => self.json = Json::Gathering,
            Json::Read => {
                // Behind a whole object only white space may follow; it was not what it seemed otherwise.
                if !bytes.iter().all(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
                    self.seen = Outcome::default();
                }
                return;
            }
            Json::Gathering => {}
            Json::TooLarge => return,
        }
        if self.gathered.len() + bytes.len() > JSON_BYTES_MAX {
            self.json = Json::TooLarge;
            self.gathered = Vec::new();
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }
}

impl Outcome {
    /// An event that may be anything.
    fn take(&mut self, facts: &Facts, event: &Event<'_>) {
        self.take_plain(facts, event);
        if matches!(facts.terminal, Terminal::Reason(_)) {
            return;
        }
        if has_member_object(event.data) {
            self.take_usage(facts, event.data);
        }
        if ERROR.find(event.data).is_some() {
            self.error_event |= says_error(facts, event.data);
        }
    }

    /// An event that holds neither usage nor error.
    #[inline]
    fn take_plain(&mut self, facts: &Facts, event: &Event<'_>) {
        self.events += 1;
        let mut name = event.name;
        match facts.terminal {
            Terminal::Data(marker) => {
                if event.data == marker.as_bytes() {
                    self.terminal = true;
                    return;
                }
            }
            Terminal::Event(names) => {
                if name.is_empty() {
                    name = string_at(event.data, &["type"]).unwrap_or_default();
                }
                self.terminal |= one_of(names, name);
            }
            Terminal::Reason(reasons) => self.take_chunk(facts, reasons, event.data),
        }
        if !name.is_empty() {
            self.error_event |= one_of(facts.error_events, name);
        }
        if !self.content {
            self.content = match facts.content {
                Content::EventSuffix(suffix) => name.ends_with(suffix.as_bytes()),
                Content::Choice(member) => choice_has_content(event.data, member),
                Content::At(path) => first_at(event.data, path).is_some_and(is_filled),
                Content::None => false,
            };
        }
    }

    /// An event of a dialect whose every event may tell why the reply ends, usage and an error: one walk finds
    /// them all.
    fn take_chunk(&mut self, facts: &Facts, reasons: &[Path], document: &[u8]) {
        let Ok(mut members) = Members::of_document(document) else { return };
        while let Ok(Some(member)) = members.next() {
            let (key, value) = (member.key.raw.of(document), member.value(document));
            for report in facts.usage_at.iter().filter_map(|path| below(key, value, path)) {
                self.take_report(facts, report);
            }
            self.error_event |= facts
                .error_members
                .iter()
                .any(|path| below(key, value, path).is_some_and(|value| value != b"null"));
            self.terminal |= reasons.iter().any(|path| match path.split_first() {
                Some((name, deeper)) if name.as_bytes() == key => {
                    matches!(first_at(value, deeper), Some([b'"', _, .., b'"']))
                }
                _ => false,
            });
        }
    }

    /// A JSON reply that came in pieces, as far as it came.
    fn take_gathered(&mut self, facts: &Facts, document: &[u8]) {
        let (Terminal::Reason(reasons), Some(mut chunks)) = (facts.terminal, Elements::of(document)) else {
            self.terminal = self.take_json(facts, document);
            return;
        };
        loop {
            match chunks.next() {
                Ok(Some(chunk)) => {
                    self.content = true;
                    self.take_chunk(facts, reasons, chunk);
                }
                Ok(None) => {
                    self.terminal &= chunks.is_end_of_document();
                    return;
                }
                Err(_) => {
                    self.terminal = false;
                    return;
                }
            }
        }
    }

    /// A JSON reply; `false`, and nothing noted, when it is not one whole object. One walk over its members:
    /// this is paid for by every unary reply.
    fn take_json(&mut self, facts: &Facts, document: &[u8]) -> bool {
        let Ok(mut members) = Members::of_document(document) else { return false };
        let mut reports: [Option<&[u8]>; USAGE_PATHS_MAX] = [None; USAGE_PATHS_MAX];
        let mut failed = false;
        loop {
            let member = match members.next() {
                Ok(Some(member)) => member,
                Ok(None) if members.end_of_document().is_ok() => break,
                Ok(None) | Err(_) => return false,
            };
            let key = member.key.raw.of(document);
            for (path, report) in facts.usage_at.iter().zip(&mut reports) {
                if let Some(value) = below(key, member.value(document), path) {
                    *report = Some(value);
                }
            }
            failed |= match key {
                b"object" | b"type" => member.value(document) == b"\"error\"",
                _ => facts.error_members.iter().any(|path| {
                    below(key, member.value(document), path).is_some_and(|value| value != b"null")
                }),
            };
        }
        self.content = true;
        self.error_event |= failed;
        for report in reports.into_iter().flatten() {
            self.take_report(facts, report);
        }
        true
    }

    /// Notes the usage that `document` reports.
    fn take_usage(&mut self, facts: &Facts, document: &[u8]) {
        for path in facts.usage_at {
            if let Some(report) = value_at(document, path) {
                self.take_report(facts, report);
            }
        }
    }

    /// Notes a usage object, number by number.
    fn take_report(&mut self, facts: &Facts, report: &[u8]) {
        let Some(mut members) = Members::of_value(report, 0) else { return };
        let mut usage = self.usage.unwrap_or_default();
        if facts.usage.cache_apart {
            usage.input_tokens = usage.input_tokens.saturating_sub(usage.cache_tokens());
        }
        let mut found = false;
        while let Ok(Some(member)) = members.next() {
            let key = member.key.raw.of(report);
            for (path, number) in [
                (facts.usage.input, &mut usage.input_tokens),
                (facts.usage.output, &mut usage.output_tokens),
                (facts.usage.cached_input, &mut usage.cached_input_tokens),
                (facts.usage.cache_write, &mut usage.cache_write_tokens),
                (facts.usage.reasoning, &mut usage.reasoning_tokens),
            ] {
                if let Some(reported) = below(key, member.value(report), path).and_then(tokens) {
                    *number = reported;
                    found = true;
                }
            }
        }
        for (path, apart, number) in [
            (facts.usage.input, facts.usage.input_apart, &mut usage.input_tokens),
            (facts.usage.output, facts.usage.output_apart, &mut usage.output_tokens),
        ] {
            if !apart.is_empty()
                && let Some(more) = value_at(report, apart).and_then(tokens)
            {
                let told = value_at(report, path).and_then(tokens).unwrap_or_default();
                *number = told.saturating_add(more);
                found = true;
            }
        }
        for (path, number) in [
            (facts.usage.searches, &mut usage.search_units),
            (facts.usage.cache_write_1h, &mut usage.cache_write_1h_tokens),
        ] {
            if !path.is_empty()
                && let Some(reported) = value_at(report, path).and_then(tokens)
            {
                *number = reported;
                found = true;
            }
        }
        if facts.usage.cache_apart {
            usage.input_tokens = usage.input_tokens.saturating_add(usage.cache_tokens());
        }
        if found {
            self.usage = Some(usage);
        }
    }
}

/// The usage object of a whole document that ends as most do: a top-level `usage`, nothing about an error, and
/// from there on whole members up to the bracket that closes the document. In a whole document that walk
/// proves the depth, so that the content before it need not be looked at. `None`: look at it all.
fn usage_in_tail<'a>(facts: &Facts, document: &'a [u8]) -> Option<&'a [u8]> {
    const TOP: &[&str] = &["usage"];
    // Searches are told elsewhere.
    if !facts.usage_at.contains(&TOP)
        || !facts.usage.searches.is_empty()
        || !document.trim_ascii_start().starts_with(b"{")
    {
        return None;
    }
    let at = LAST_USAGE.rfind(document)?;
    // Behind a backslash it is the end of another name; an error wants the long look.
    let before = at.checked_sub(1).and_then(|before| document.get(before));
    if before == Some(&b'\\') || ERROR.find(document).is_some() {
        return None;
    }
    let mut members = Members::from_key(document, at);
    let usage = members.next().ok()??;
    let report = usage.value(document);
    while members.next().ok()?.is_some() {}
    members.end_of_document().ok()?;
    report.starts_with(b"{").then_some(report)
}

/// A number of tokens. Cohere writes some with a fraction, `18.0`.
fn tokens(value: &[u8]) -> Option<u64> {
    whole_number(value.strip_suffix(b".0").unwrap_or(value))
}

/// Most places where a dialect may report usage.
const USAGE_PATHS_MAX: usize = 4;

/// What `path` names, when its first step is the member `key` with this value.
#[inline]
fn below<'a>(key: &[u8], value: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    match path.split_first() {
        Some((name, [])) if name.as_bytes() == key => Some(value),
        Some((name, deeper)) if name.as_bytes() == key => value_at(value, deeper),
        _ => None,
    }
}

/// Whether `"usage"` is followed by a colon and an opening bracket somewhere: most events of a stream that
/// reports usage say `"usage":null`.
fn has_member_object(data: &[u8]) -> bool {
    USAGE.find_iter(data).any(|at| {
        let after = data.get(at + USAGE.needle().len()..).unwrap_or_default().trim_ascii_start();
        after.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"{"))
    })
}

/// Whether an event or a reply says of itself that it is an error.
fn says_error(facts: &Facts, document: &[u8]) -> bool {
    facts.error_members.iter().any(|path| value_at(document, path).is_some_and(|value| value != b"null"))
        || string_at(document, &["object"]) == Some(b"error")
        || string_at(document, &["type"]) == Some(b"error")
}

/// Whether the first of `choices` has something for the reader in `member`.
fn choice_has_content(document: &[u8], member: &str) -> bool {
    let Some([b'[', first @ ..]) = value_at(document, &["choices"]) else { return false };
    value_at(first, &[member]).is_some_and(is_filled)
}

/// Whether a value is, or an object holds, something that is neither null nor empty.
fn is_filled(content: &[u8]) -> bool {
    let filled = |value: &[u8]| !matches!(value, b"null" | b"\"\"" | b"[]" | b"{}");
    let Some(mut members) = Members::of_value(content, 0) else { return filled(content) };
    while let Ok(Some(part)) = members.next() {
        if part.key.raw.of(content) != b"role" && filled(part.value(content)) {
            return true;
        }
    }
    false
}

/// Whether the bytes are one JSON object, with nothing but white space around it.
fn is_whole_object(document: &[u8]) -> bool {
    let Ok(mut members) = Members::of_document(document) else { return false };
    loop {
        match members.next() {
            Ok(Some(_)) => {}
            Ok(None) => return members.end_of_document().is_ok(),
            Err(_) => return false,
        }
    }
}

/// The value at a path of member names; of equal names the last, as parsers take it. Escapes in names are
/// not resolved: no provider writes these names with any.
fn value_at<'a>(document: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    let (name, deeper) = path.split_first()?;
    let mut members = Members::of_value(document, document.len() - document.trim_ascii_start().len())?;
    let mut found = None;
    while let Ok(Some(member)) = members.next() {
        if member.key.raw.of(document) == name.as_bytes() {
            found = Some(member.value(document));
        }
    }
    if deeper.is_empty() { found } else { value_at(found?, deeper) }
}

/// The value at a path, where an array stands for the first of its elements.
fn first_at<'a>(document: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    let first = match Elements::of(document) {
        Some(mut elements) => elements.next().ok()??,
        None => document,
    };
    match path.split_first() {
        None => Some(first),
        Some((name, deeper)) => first_at(value_at(first, &[name])?, deeper),
    }
}

/// The string at a path, as written.
fn string_at<'a>(document: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    match value_at(document, path)? {
        [b'"', text @ .., b'"'] => Some(text),
        _ => None,
    }
}

fn one_of(names: &[&str], name: &[u8]) -> bool {
    names.iter().any(|known| known.as_bytes() == name)
}
