//! What policy must know of a request body, found in one walk over its top-level members.
//!
//! Nothing is built and nothing is changed: the result is a handful of values and [`Span`]s into the body,
//! which goes upstream as it came. Values of other members are skipped by their brackets and quotes alone
//! ([`skip`], with SIMD in [`simd`]); what is inside them is not validated.
//!
//! Invariant: whatever a full JSON parser would take for the top-level fields of the body, this scan sees
//! the same, or refuses the body. So a field that is acted on may come once only, in its exact spelling
//! after unescaping; brackets must match; nothing may follow the object. UTF-8 is checked in keys and in the
//! strings that are read ([`Text::decode`]), not in skipped values: all structure is ASCII, and bytes of a
//! bad sequence can neither open nor close a string for a decoder that follows the Unicode standard.
//!
//! Source: RFC 8259; refusals beyond it: duplicate fields (its §4 leaves them undefined), and keys that
//! differ from a field only in case, which some parsers (Go's `encoding/json`) take for the field.

mod cut;
mod error;
mod members;
mod models;
#[cfg(target_arch = "x86_64")]
mod simd;
mod skip;
mod text;

pub(crate) use cut::{Cuts, elements, member, members};
pub(crate) use members::{Elements, Member, Members, whole_number};
pub(crate) use skip::white_space;
pub(crate) use text::{code_unit, escape};

pub use error::{ScanError, ScanErrorKind};
pub use models::{Models, with_model};
pub use skip::DEPTH_MAX;
pub use text::{Edit, PIECES_MAX, Text, escape_json, splice};

use crate::dialect::{Dialect, Field, facts};
use crate::span::Span;

/// Most members that [`Irrelevant`] can hold.
pub const IRRELEVANT_MAX: usize = 6;

/// What policy acts on, from one request body. Spans are in that body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// `model`; `None` when absent or null.
    pub model: Option<Text>,
    /// The whole member `models`; `None` when absent or null.
    pub models: Option<Span>,
    /// `stream`; `None` when absent or null.
    pub stream: Option<bool>,
    /// The bound on generated tokens: `max_completion_tokens` or `max_output_tokens` before `max_tokens`, or
    /// `generationConfig.maxOutputTokens`; `None` when absent or null.
    pub max_tokens: Option<u64>,
    /// `stream_options.include_usage`; `None` when absent or null.
    pub include_usage: Option<bool>,
    /// The value of `stream_options`, null included.
    pub stream_options: Option<Span>,
    /// Whether `tools` is an array with something in it.
    pub tools: bool,
    /// Members that cannot change the reply.
    pub irrelevant: Irrelevant,
}

/// Whole members, from the key's opening quote to the end of the value, that cannot change the reply: a
/// cache key leaves them out. In the order of the body; commas around them are not included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Irrelevant {
    spans: [Span; IRRELEVANT_MAX],
    count: u8,
}

impl Irrelevant {
    /// The members found.
    pub fn spans(&self) -> &[Span] {
        self.spans.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Keeps one more; what does not fit stays part of the cache key, which is safe.
    fn push(&mut self, span: Span) {
        if let Some(slot) = self.spans.get_mut(usize::from(self.count)) {
            *slot = span;
            self.count += 1;
        }
    }
}

/// Walks over the top-level members of `body`, a request in `dialect`.
///
/// # Errors
/// [`ScanError`] with the kind of the fault and its byte offset: no object, cut short, malformed structure,
/// bytes behind the object, a field that is acted on given twice, misspelt in case or of a wrong type.
pub fn scan(body: &[u8], dialect: Dialect) -> Result<Scan, ScanError> {
    scan_fields(body, facts(dialect).fields)
}

/// The same for a body of which only the model is known.
///
/// # Errors
/// As [`scan`].
pub fn scan_model(body: &[u8]) -> Result<Scan, ScanError> {
    scan_fields(body, &[("model", Field::Model)])
}

#[inline]
fn scan_fields(body: &[u8], fields: &'static [(&'static str, Field)]) -> Result<Scan, ScanError> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    if body.starts_with(BYTE_ORDER_MARK) {
        return Err(ScanError::new(ScanErrorKind::ByteOrderMark, 0));
    }
    if u32::try_from(body.len()).is_err() {
        return Err(ScanError::new(ScanErrorKind::Expected("a body below 4 GiB"), 0));
    }
    let mut found = Scan::default();
    let mut seen = 0_u32;
    let mut rank_taken = None;
    let mut members = Members::of_document(body)?;
    while let Some(member) = members.next()? {
        let Some(found_row) = member.field(body, fields)? else { continue };
        let (row, name, field) = unaliased(fields, found_row);
        let bit = 1_u32.wrapping_shl(row);
        if seen & bit != 0 {
            return Err(ScanError::new(ScanErrorKind::DuplicateField(name), member.start));
        }
        seen |= bit;
        match field {
            Field::Model => found.model = member.text(body, name)?,
            Field::Models if member.is_null(body) => {}
            Field::Models => found.models = Some(Span::new(member.start, member.value_end)),
            Field::Stream => found.stream = member.boolean(body, name)?,
            Field::MaxTokens { rank } => {
                let limit = member.count(body, name)?;
                if limit.is_some() && rank_taken <= Some(rank) {
                    (found.max_tokens, rank_taken) = (limit, Some(rank));
                }
            }
            Field::StreamOptions => {
                found.include_usage = include_usage(body, &member, name)?;
                found.stream_options = Some(Span::new(member.value_start, member.value_end));
            }
            Field::GenerationConfig => found.max_tokens = max_output_tokens(body, &member, name)?,
            Field::Tools => found.tools = member.filled_array(body, name)?,
            Field::Irrelevant => found.irrelevant.push(Span::new(member.start, member.value_end)),
            Field::Content | Field::Alias(_) => {}
        }
    }
    members.end_of_document()?;
    Ok(found)
}

/// A row of the table of fields, with its number.
type Row = (u32, &'static str, Field);

/// The row that another spelling stands for.
fn unaliased(fields: &'static [(&'static str, Field)], row: Row) -> Row {
    let (_, _, Field::Alias(of)) = row else { return row };
    let named = (0_u32..).zip(fields).find(|(_, (name, _))| *name == of);
    named.map_or(row, |(number, &(name, field))| (number, name, field))
}

/// The member of `stream_options` that is acted on.
const OPTIONS: &[(&str, Field)] = &[("include_usage", Field::Content)];

/// The place of the value if `member`, of `stream_options`, is `include_usage`.
pub(crate) fn included_usage(body: &[u8], member: &Member) -> Option<Span> {
    let is_it = matches!(member.field(body, OPTIONS), Ok(Some(_)));
    is_it.then(|| Span::new(member.value_start, member.value_end))
}

/// Reads `include_usage` out of the value of `stream_options`.
fn include_usage(body: &[u8], options: &Member, name: &'static str) -> Result<Option<bool>, ScanError> {
    const INCLUDE_USAGE: &str = "stream_options.include_usage";
    if options.is_null(body) {
        return Ok(None);
    }
    let Some(mut members) = Members::of_value(body, options.value_start) else {
        return Err(options.wrong_type(name, "an object"));
    };
    let found = only_one(body, &mut members, OPTIONS, INCLUDE_USAGE)?;
    found.map_or(Ok(None), |member| member.boolean(body, INCLUDE_USAGE))
}

/// The member of `generationConfig` that is acted on, in both spellings.
const CONFIG: &[(&str, Field)] =
    &[("maxOutputTokens", Field::Content), ("max_output_tokens", Field::Alias("maxOutputTokens"))];

/// Reads `maxOutputTokens` out of the value of `generationConfig`.
fn max_output_tokens(body: &[u8], config: &Member, name: &'static str) -> Result<Option<u64>, ScanError> {
    const MAX_OUTPUT_TOKENS: &str = "generationConfig.maxOutputTokens";
    if config.is_null(body) {
        return Ok(None);
    }
    let Some(mut members) = Members::of_value(body, config.value_start) else {
        return Err(config.wrong_type(name, "an object"));
    };
    let found = only_one(body, &mut members, CONFIG, MAX_OUTPUT_TOKENS)?;
    found.map_or(Ok(None), |member| member.count(body, MAX_OUTPUT_TOKENS))
}

/// The one member that `fields` name, whatever its spelling; `name` is what it is called when it comes twice.
fn only_one(
    body: &[u8],
    members: &mut Members<'_>,
    fields: &'static [(&'static str, Field)],
    name: &'static str,
) -> Result<Option<Member>, ScanError> {
    let mut found = None;
    while let Some(member) = members.next()? {
        if member.field(body, fields)?.is_some() && found.replace(member).is_some() {
            return Err(ScanError::new(ScanErrorKind::DuplicateField(name), member.start));
        }
    }
    Ok(found)
}
