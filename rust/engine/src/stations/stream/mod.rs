//! Stream: the reply, whatever its source, on its way to the client.
//!
//! A door pulls: it writes the head, then [`Reply::advance`]s and writes what that yields until it is
//! finished. So a client that does not read stops the upstream's reads, and nothing piles up between them.

mod fields;
mod holdback;
mod inflate;
mod relay;
mod translate;

use std::sync::Arc;

use llm_edge_core::http1::write;
use llm_edge_core::rejection::Rejection;
use llm_edge_core::sse;

use super::admit::Admission;
use super::authorize::OwnReply;
use super::cache::Flight;
use super::send::Begun;
use crate::backends::cache::memory::Stored;
use crate::exchange::{Ending, Exchange, Source};
use crate::stamp::Stamp;

use fields::Media;
pub(crate) use relay::{Framing, Progress, RUNS_MAX, Relay, RunKind};
pub(crate) use translate::{Translated, source as translated};

/// A reply with the exchange it belongs to: dropping it settles.
pub(crate) struct Reply {
    pub(crate) exchange: Exchange,
    pub(crate) status: u16,
    /// Header fields, each ended by CRLF, without framing.
    pub(crate) fields: Vec<u8>,
    pub(crate) body: Body,
    /// The request's body was not read: the connection cannot carry another request.
    pub(crate) unread: bool,
}

/// What follows the head.
pub(crate) enum Body {
    /// Bytes that are there.
    Whole(Vec<u8>),
    /// Bytes the cache has.
    Stored(Arc<Stored>),
    /// Bytes that come from an upstream.
    Relay(Box<Relay>),
}

/// The reply for a source; the upstream's is relayed as it comes.
pub(crate) fn relay(x: Exchange, _: Admission, source: Source) -> Reply {
    match source {
        Source::Own(own) => from_own(x, own),
        Source::Stored(stored) => from_stored(x, stored),
        Source::Upstream(begun, flight) => from_upstream(x, begun, flight),
        Source::Translated(translated) => from_translated(x, translated),
    }
}

/// The reply for a rejection, in the shape of the surface that was called. The one renderer.
pub(crate) fn reject(mut x: Exchange, rejection: &Rejection) -> Reply {
    x.facts.rejection = Some(rejection.code);
    let mut fields = x.worker.buffers.take();
    write::field(&mut fields, b"content-type", b"application/json");
    fields::write_date(&mut fields);
    fields::write_ids(&mut fields, &x);
    if x.facts.attempts.get() > 0 {
        fields::write_attempts(&mut fields, &x);
    }
    if let Some(seconds) = rejection.retry_after_s {
        write::field(&mut fields, b"retry-after", seconds.to_string().as_bytes());
    }
    if let Some(safe) = rejection.should_retry {
        write::field(&mut fields, b"x-should-retry", if safe { b"true" } else { b"false" });
    }
    if let Some(allow) = rejection.allow {
        write::field(&mut fields, b"allow", allow.as_bytes());
    }
    if rejection.code.row().status == 401 {
        write::field(&mut fields, b"www-authenticate", b"Bearer");
    }
    let body = rejection.body(x.facts.surface, x.request_id.as_str());
    let unread = !x.client.request_is_read();
    Reply { status: rejection.code.row().status, fields, body: Body::Whole(body), unread, exchange: x }
}

fn from_own(x: Exchange, own: OwnReply) -> Reply {
    let mut fields = x.worker.buffers.take();
    own.write_fields(&mut fields);
    fields::write_date(&mut fields);
    fields::write_ids(&mut fields, &x);
    let unread = !x.client.request_is_read();
    Reply { status: own.status, fields, body: Body::Whole(own.body), unread, exchange: x }
}

fn from_stored(x: Exchange, stored: Arc<Stored>) -> Reply {
    let mut fields = x.worker.buffers.take();
    fields.extend_from_slice(&stored.fields);
    fields::write_ids(&mut fields, &x);
    let left = stored.left(x.facts.started).unwrap_or_default();
    let age = stored.ttl.saturating_sub(left);
    fields::write_hit(&mut fields, age.as_secs(), left.as_secs());
    Reply { status: stored.status, fields, body: Body::Stored(stored), unread: false, exchange: x }
}

fn from_translated(x: Exchange, translated: Translated) -> Reply {
    let Translated { status, mut fields, body } = translated;
    fields::write_ids(&mut fields, &x);
    fields::write_cache_state(&mut fields, &x);
    Reply { status, fields, body: Body::Whole(body), unread: false, exchange: x }
}

fn from_upstream(mut x: Exchange, begun: Begun, flight: Flight) -> Reply {
    let mut fields = x.worker.buffers.take();
    let status = begun.connection.head.status;
    match &begun.translation {
        None => fields::write_upstream(&mut fields, &x, &begun, Media::Upstream),
        Some(translation) => {
            fields::write_upstream(&mut fields, &x, &begun, Media::Own);
            let media_type =
                if translation.reply.wants_array() { "application/json" } else { sse::MEDIA_TYPE };
            write::field(&mut fields, b"content-type", media_type.as_bytes());
            translate::write_losses(&mut fields, &translation.losses);
        }
    }
    if let Some(losses) = &begun.losses {
        translate::write_losses(&mut fields, losses);
    }
    // What is kept is what another request will get: the upstream's fields, not this request's ids.
    let kept_fields = flight.keep.is_some().then(|| fields.clone());
    fields::write_upstream_id(&mut fields, &begun);
    fields::write_attempts(&mut fields, &x);
    fields::write_told(&mut fields, &begun);
    if begun.used_up {
        // We have asked again ourselves: once more is of no use.
        write::field(&mut fields, b"x-should-retry", b"false");
    }
    fields::write_ids(&mut fields, &x);
    fields::write_cache_state(&mut fields, &x);
    // What a fallback says is not what the route stands for.
    let keep = flight.keep.filter(|_| !begun.place.is_fallback(x.facts.route));
    let relay = Relay::new(begun, keep.zip(kept_fields));
    // The request has left: a stream that lasts for minutes need not hold its bytes.
    let input = std::mem::take(&mut x.input);
    x.worker.buffers.give(input);
    x.held = None;
    x.facts.streaming = relay.is_event_stream();
    if x.facts.streaming {
        x.worker.bank.worker.open_streams.add(1);
    }
    Reply { status, fields, body: Body::Relay(relay), unread: false, exchange: x }
}

impl Reply {
    /// The status, for settlement, once the head is about to be written.
    pub(crate) fn begin(&mut self) {
        self.exchange.facts.status = self.status;
    }

    /// Says that bytes of the reply have left.
    pub(crate) fn replied(&mut self) {
        let now = Stamp::now();
        let facts = &mut self.exchange.facts;
        facts.replied.get_or_insert(now);
        facts.written = Some(now);
    }

    /// Gives back what another exchange may use, and settles.
    pub(crate) fn finish(mut self, ending: Ending) {
        self.ended(ending);
        let Self { exchange, fields, body, .. } = self;
        exchange.worker.buffers.give(fields);
        if let Body::Relay(relay) = body {
            relay.give_back(&exchange);
        }
    }

    /// Says that the reply went out to its last byte, or was explicitly broken off.
    fn ended(&mut self, ending: Ending) {
        self.exchange.facts.ending = ending;
    }
}
