//! Replies of an upstream that speaks another dialect than the client.
//!
//! A stream is said anew event by event as it passes; anything else is read whole first, since its head must
//! tell how long it is and whether it could be read at all. The rules are [`llm_edge_core::translate`]'s.

use std::time::Duration;

use llm_edge_core::http1::write;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::tap::{Outcome, Usage};
use llm_edge_core::translate::{Losses, Malformed, StreamTranslator};

use super::fields::{self, Media};
use super::relay::{Progress, Relay};
use crate::backends::cache::memory::Stored;
use crate::breaking;
use crate::exchange::{Exchange, Source};
use crate::fail_points::fail_point;
use crate::stamp::Stamp;
use crate::stations::cache::Flight;
use crate::stations::send::{Awaited, Begun, Translation};

/// A whole reply in the client's dialect.
pub(crate) struct Translated {
    pub(super) status: u16,
    pub(super) fields: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// Puts one event stream into the client's dialect.
pub(super) struct Translator {
    stream: StreamTranslator,
    /// What is written is one JSON array.
    is_array: bool,
    has_begun: bool,
    /// The client passes over comments.
    reads_comments: bool,
}

impl Translator {
    /// `None` for what does not come as a stream.
    pub(super) fn new(translation: Translation) -> Option<Self> {
        let is_array = translation.reply.wants_array();
        match translation.reply {
            Awaited::Generation { pair, context } => {
                let reads_comments = pair.reads_comments() && !is_array;
                Some(Self { stream: pair.stream(context), is_array, has_begun: false, reads_comments })
            }
            Awaited::Embeddings { .. } => None,
        }
    }

    pub(super) fn push(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        fail_point!("translate.reply");
        let before = out.len();
        let pushed = self.stream.push(payload, out);
        self.has_begun |= out.len() > before;
        pushed
    }

    /// The upstream has ended; what got lost is said behind the last event, in a comment, where no reader minds one.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.stream.finish(out)?;
        if !self.losses().is_empty() && self.reads_comments {
            out.extend_from_slice(b": x-llm-edge-dropped: ");
            out.extend_from_slice(self.losses().to_string().as_bytes());
            out.extend_from_slice(b"\n\n");
        }
        Ok(())
    }

    /// How an error is told as the last element, where the stream is an array.
    pub(super) fn last_element(&self, error: &[u8]) -> Option<Vec<u8>> {
        let before: &[u8] = if self.has_begun { b",\r\n" } else { b"[" };
        self.is_array.then(|| [before, error, b"]"].concat())
    }

    /// The number that the next event would have, where the client's API numbers them.
    pub(super) fn sequence_number(&self) -> Option<u64> {
        self.stream.sequence_number()
    }

    pub(super) fn losses(&self) -> &Losses {
        self.stream.losses()
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.stream.outcome()
    }
}

/// The reply to a translated request, as the relay or the door can take it.
///
/// # Errors
/// The reply broke off, or is not what its dialect says.
pub(crate) async fn source(x: &mut Exchange, begun: Begun, flight: Flight) -> Result<Source, Rejection> {
    if begun.connection.head.status < 300 && begun.is_event_stream() {
        return Ok(Source::Upstream(begun, flight));
    }
    let is_good = begun.connection.head.status < 400;
    let read = whole(x, begun, flight).await;
    if let Err(rejection) = &read
        && is_good
        && rejection.code != Code::Draining
    {
        // Its head had counted as a good answer.
        breaking::upstream_failed_later(x);
    }
    read.map(Source::Translated)
}

async fn whole(x: &mut Exchange, mut begun: Begun, flight: Flight) -> Result<Translated, Rejection> {
    let Some(translation) = begun.translation.take() else {
        return Err(Rejection::new(Code::Internal, "a reply without its translation"));
    };
    let Translation { reply, losses } = *translation;
    let status = begun.connection.head.status;
    let is_own_route = x.facts.route == Some(begun.place.route.index);
    let mut fields = x.worker.buffers.take();
    fields::write_upstream(&mut fields, x, &begun, Media::Own);
    write::field(&mut fields, b"content-type", b"application/json");
    write_losses(&mut fields, &losses);
    let mut ids = x.worker.buffers.take();
    fields::write_upstream_id(&mut ids, &begun);
    fields::write_attempts(&mut ids, x);
    fields::write_told(&mut ids, &begun);
    if begun.used_up {
        write::field(&mut ids, b"x-should-retry", b"false");
    }
    let body = read(x, begun).await?;
    let mut out = x.worker.buffers.take();
    if status >= 300 {
        reply.write_error(status, &body, x.request_id.as_str(), &mut out);
    } else {
        let replied = reply.write(&body, &mut out).map_err(|fault| malformed(&fault))?;
        x.facts.usage =
            x.facts.usage.or_else(|| Some(replied.usage).filter(|usage| *usage != Usage::default()));
        x.worker.count_translated(false, !replied.losses.is_empty());
        write_losses(&mut fields, &replied.losses);
    }
    if let Some(keep) = flight.keep.filter(|keep| {
        status == 200 && is_own_route && !x.facts.error_event && out.len() as u64 <= keep.reply_bytes_max
    }) {
        let stored = Stored {
            status,
            fields: fields.clone(),
            body: out.clone(),
            since: Stamp::now(),
            ttl: Duration::from_millis(keep.ttl_ms),
        };
        x.worker.shared.cache.store(keep.key, stored);
        x.worker.bank.worker.cache_stored.add(1);
    }
    fields.extend_from_slice(&ids);
    x.worker.buffers.give(ids);
    x.worker.buffers.give(body);
    Ok(Translated { status, fields, body: out })
}

/// A reply that is not what its dialect says.
pub(super) fn malformed(fault: &Malformed) -> Rejection {
    let message = format!("the upstream's reply cannot be translated: {}", fault.message);
    Rejection::new(Code::UpstreamInvalid, message)
}

/// What could not be carried over, by name.
pub(super) fn write_losses(out: &mut Vec<u8>, losses: &Losses) {
    if !losses.is_empty() {
        write::field(out, b"x-llm-edge-dropped", losses.to_string().as_bytes());
    }
}

/// The whole body, decoded from its framing.
async fn read(x: &mut Exchange, begun: Begun) -> Result<Vec<u8>, Rejection> {
    let max = x.loaded.snapshot.limits.body_bytes_max;
    let mut relay = Relay::new(begun, None);
    if relay.is_coded() {
        let message = "the upstream has compressed its reply although it was asked not to, so that it cannot be translated";
        return Err(Rejection::new(Code::UpstreamInvalid, message));
    }
    let mut body = x.worker.buffers.take();
    loop {
        let progress = relay.advance(x).await;
        let (buffer, runs) = relay.runs();
        for run in runs {
            body.extend_from_slice(buffer.get(run.start..run.end).unwrap_or_default());
        }
        if body.len() as u64 > max {
            let message = format!(
                "the upstream's reply is larger than {max} bytes (`limits.body_bytes_max`), so that it is not translated"
            );
            return Err(Rejection::new(Code::UpstreamInvalid, message));
        }
        match progress {
            Progress::More => {}
            Progress::Whole => {
                relay.give_back(x);
                return Ok(body);
            }
            Progress::Broken(rejection) => return Err(rejection),
        }
    }
}
