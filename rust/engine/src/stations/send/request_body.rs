//! The body of a request as it goes to one upstream.
//!
//! Most often it is the client's own, in pieces where a name gives way; copied only where more than that changes, and
//! made anew where the upstream speaks another dialect.

use std::borrow::Cow;

use llm_edge_core::dialect::{Platform, Taker, fit_tool_ids, messages_form, unwrapped_question};
use llm_edge_core::embedding;
use llm_edge_core::rejection::Rejection;
use llm_edge_core::scan::{Edit, PIECES_MAX, Text, escape_json, splice};
use llm_edge_core::snapshot::{Between, ModelName, PathTemplate, Provider, Route};
use llm_edge_core::span::Span;
use llm_edge_core::stream_usage;
use llm_edge_core::surface::{Dialect, Operation};
use llm_edge_core::translate::Losses;

use super::super::body::Envelope;
use super::super::guard::Screened;
use super::super::head::Head;
use super::translated::{self, Crossing, Names, Translation};
use crate::exchange::Exchange;
use crate::loaded::Place;

/// What follows the head.
pub(super) enum Body {
    /// The client's own, with as little changed as can be.
    Own {
        model: Name,
        /// What is put in beside.
        added: Option<Edit<'static>>,
        /// The client's stream is asked for its usage, and the client did not ask.
        asks_usage: bool,
    },
    /// The client's own with more changed than can be done in pieces: names that it repeats, ids, what is left out.
    Changed { body: Vec<u8>, asks_usage: bool, losses: Option<Box<Losses>> },
    /// In the words of another dialect.
    Translated { body: Vec<u8>, translation: Box<Translation> },
}

/// Whether a request in the provider's own dialect may hold what that would refuse.
#[inline]
fn may_not_be_taken(x: &Exchange, head: &Head, place: &Place, config: &Provider) -> bool {
    match head.operation.dialect() {
        Some(Dialect::OpenaiChat) => place.route.mixes_reasoning,
        Some(Dialect::AnthropicMessages) if !config.is_anthropic || config.platform != Platform::Own => true,
        Some(dialect) => x.loaded.snapshot.foreign.holds(dialect),
        None => false,
    }
}

impl Body {
    /// The body for a target that is asked in these words; `None` where it has none of what is asked for.
    ///
    /// # Errors
    /// 400 where it cannot be said there, or not all of it and the route is strict.
    #[inline]
    pub(super) fn of(
        x: &Exchange,
        head: &Head,
        place: &Place,
        screened: &Screened,
        asked: &Route,
        config: &Provider,
        between: Option<Between>,
    ) -> Result<Option<Self>, Rejection> {
        if let Some(between) = between {
            let crossing = Crossing {
                between,
                stream: head.operation.streams(),
                json_array: head.wants_array(),
                chat_fields: config.chat_fields,
                chat_members: &config.chat_members,
                replays_reasoning: config.replays_reasoning,
                tool_id_length: config.tool_id_length,
                platform: config.platform,
            };
            return Self::translated(x, place, screened, asked, crossing).map(Some);
        }
        match Self::own(x, head, place, screened, asked, config) {
            Some(own) if may_not_be_taken(x, head, place, config) => {
                own.fit(x, head, screened, asked, config).map(Some)
            }
            own => Ok(own),
        }
    }

    /// What the reply needs, where it comes in another dialect than the client's, and what was left out of a body
    /// that did not need to be translated.
    pub(super) fn into_rest(self) -> (Option<Box<Translation>>, Option<Box<Losses>>) {
        match self {
            Self::Own { .. } => (None, None),
            Self::Changed { losses, .. } => (None, losses),
            Self::Translated { translation, .. } => (Some(translation), None),
        }
    }

    fn own(
        x: &Exchange,
        head: &Head,
        place: &Place,
        screened: &Screened,
        asked: &Route,
        config: &Provider,
    ) -> Option<Self> {
        let envelope = screened.envelope();
        let model = &place.target(&x.loaded.snapshot)?.model;
        let body = envelope.body.of(&x.input);
        let Some(written) = envelope.scan.model else {
            // It goes into the path.
            let own = Self::Own { model: Name::Written, added: None, asks_usage: false };
            if head.operation.keeps_path() {
                return Some(own);
            }
            let written = envelope.path_model.as_deref()?;
            if head.operation.repeats_model() {
                return Some(Self::repeating(body, written, model));
            }
            if head.operation == Operation::GeminiCountTokens && config.platform == Platform::Vertex {
                return Some(own.unwrapped(body));
            }
            return Some(own);
        };
        let name = match model {
            _ if place.further > 0 => Name::Own(escaped(model.of(envelope.further_name(place.further)?))),
            ModelName::Same => Name::Written,
            // In a form nothing is escaped.
            ModelName::Fixed(name) if !body.starts_with(b"{") => Name::Own(name.as_bytes().to_vec()),
            ModelName::Fixed(name) => Name::Own(escaped(name)),
            ModelName::Rest if !written.escaped => {
                let cut = memchr::memchr(b'/', written.raw.of(body)).map_or(0, |at| at + 1);
                Name::Part(Span {
                    start: written.raw.start + u32::try_from(cut).unwrap_or(0),
                    end: written.raw.end,
                })
            }
            ModelName::Rest => Name::Own(escaped(model.of(&written.decode(body).ok()?))),
        };
        let usage = if asked.ask_usage && config.chat_members.knows("stream_options") {
            head.operation.dialect().and_then(|dialect| stream_usage::ask(body, dialect, &envelope.scan))
        } else {
            None
        };
        let own = Self::Own { model: name, added: usage, asks_usage: usage.is_some() };
        match config.tool_id_length {
            Some(length) if head.operation.dialect() == Some(Dialect::OpenaiChat) => {
                Some(own.with_tool_ids(x, screened, length))
            }
            _ => Some(own),
        }
    }

    /// Brings the client's own body, `written`, into the form of the platform that serves Anthropic's models; one
    /// that was translated is in it.
    #[inline(never)]
    pub(super) fn take_form(&mut self, platform: Platform, path: &PathTemplate, written: &[u8]) {
        match self {
            Self::Own { model, added, .. } => {
                let changes = messages_form::changes(written, platform, path.after.is_some());
                if let Some(edit) = changes.model {
                    *model = Name::Member(edit);
                }
                *added = changes.version;
            }
            Self::Changed { body, .. } => {
                let changes = messages_form::changes(body, platform, path.after.is_some());
                *body = splice(body, changes.model, changes.version).concat();
            }
            Self::Translated { .. } => {}
        }
    }

    /// A body that says the model's name too, which must be the one in the path.
    #[cold]
    fn repeating(body: &[u8], written: &str, model: &ModelName) -> Self {
        match model.of(written) {
            sent if sent == written => Self::Own { model: Name::Written, added: None, asks_usage: false },
            sent => Self::changed(embedding::renamed(body, sent)),
        }
    }

    /// A question after tokens as Vertex AI knows it.
    #[cold]
    fn unwrapped(self, body: &[u8]) -> Self {
        match unwrapped_question(body) {
            Some(body) => Self::changed(body),
            None => self,
        }
    }

    /// With ids of tool calls as the provider wants them: the conversation may have begun with another one.
    #[cold]
    fn with_tool_ids(self, x: &Exchange, screened: &Screened, length: u8) -> Self {
        match fit_tool_ids(&self.pieces(x, screened), length) {
            Some(body) => Self::Changed { body, asks_usage: self.asks_usage(), losses: None },
            None => self,
        }
    }

    /// Without what this provider would refuse: see [`Taker`].
    ///
    /// # Errors
    /// 400 naming what would be left out, where the route is strict.
    #[cold]
    fn fit(
        self,
        x: &Exchange,
        head: &Head,
        screened: &Screened,
        asked: &Route,
        config: &Provider,
    ) -> Result<Self, Rejection> {
        let Some(dialect) = head.operation.dialect() else { return Ok(self) };
        let taker = Taker {
            dialect,
            platform: config.platform,
            is_anthropic: config.is_anthropic,
            replays_reasoning: config.replays_reasoning,
            takes_extra_content: config.takes_extra_content,
        };
        let Some((body, losses)) = taker.fit(&self.pieces(x, screened)) else { return Ok(self) };
        translated::refuse_losses(&losses, asked.translation, "does not take from another")?;
        let losses = (!losses.is_empty()).then(|| {
            x.worker.bank.worker.reasoning_left_out.add(1);
            Box::new(losses)
        });
        Ok(Self::Changed { body, asks_usage: self.asks_usage(), losses })
    }

    fn changed(body: Vec<u8>) -> Self {
        Self::Changed { body, asks_usage: false, losses: None }
    }

    pub(super) fn asks_usage(&self) -> bool {
        matches!(self, Self::Own { asks_usage: true, .. } | Self::Changed { asks_usage: true, .. })
    }

    #[cold]
    fn translated(
        x: &Exchange,
        place: &Place,
        screened: &Screened,
        asked: &Route,
        crossing: Crossing<'_>,
    ) -> Result<Self, Rejection> {
        let written = written(x, place, screened.envelope())?.unwrap_or_default();
        let model = place.target(&x.loaded.snapshot).map_or(&ModelName::Same, |target| &target.model);
        let names = Names { asked: &written, sent: model.of(&written) };
        let (body, translation) = translated::body(x, screened, crossing, names, asked.translation)?;
        Ok(Self::Translated { body, translation: Box::new(translation) })
    }

    pub(super) fn is_own(&self) -> bool {
        !matches!(self, Self::Translated { .. })
    }

    pub(super) fn pieces<'a>(&'a self, x: &'a Exchange, screened: &Screened) -> [&'a [u8]; PIECES_MAX] {
        let envelope = screened.envelope();
        let body = envelope.body.of(&x.input);
        match self {
            Self::Own { model, added, .. } => {
                let name = envelope.scan.model.as_ref().and_then(|written| model.edit(body, written));
                splice(body, name, *added)
            }
            Self::Changed { body, .. } | Self::Translated { body, .. } => splice(body, None, None),
        }
    }
}

/// The model's name as it is sent.
pub(super) enum Name {
    /// As the client wrote it.
    Written,
    /// A part of what the client wrote.
    Part(Span),
    /// Another one, JSON-escaped.
    Own(Vec<u8>),
    /// Not in the body: its whole member gives way.
    Member(Edit<'static>),
}

impl Name {
    /// What has to be changed in the body, if anything has.
    fn edit<'a>(&'a self, body: &'a [u8], written: &Text) -> Option<Edit<'a>> {
        let text = match self {
            Self::Written => return None,
            Self::Part(part) => part.of(body),
            Self::Own(name) => name,
            Self::Member(edit) => return Some(*edit),
        };
        Some(Edit { span: written.raw, text })
    }
}

/// The name by which the client asks for the place.
///
/// # Errors
/// 400 where it is not UTF-8.
pub(super) fn written<'a>(
    x: &'a Exchange,
    place: &Place,
    envelope: &'a Envelope,
) -> Result<Option<Cow<'a, str>>, Rejection> {
    match envelope.further_name(place.further) {
        Some(name) => Ok(Some(Cow::Borrowed(name))),
        None => envelope.model(&x.input),
    }
}

fn escaped(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    escape_json(&mut out, name);
    out
}
