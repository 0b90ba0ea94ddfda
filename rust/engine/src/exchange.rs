//! The story: what happens to a request, from its head to its settlement.
//!
//! One pipeline for every surface and operation. A station returns the value the next one needs, and the
//! value is the proof that it ran. An [`Exchange`] settles when it is dropped, whatever ended it: an answer,
//! a client that left, a panic.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use llm_edge_core::http1::{Field, Known, RequestHead};
use llm_edge_core::principal::Principal;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::surface::{Operation, Surface};
use llm_edge_core::tap::Usage;

use crate::caller_credential::CallerCredential;
use crate::doors::Client;
use crate::load::Busy;
use crate::loaded::{Loaded, Place};
use crate::shared::HeldBytes;
use crate::stamp::Stamp;
use crate::stations::admit::Admission;
use crate::stations::cache::{Flight, Lookup};
use crate::stations::head::Checked;
use crate::stations::{
    admit, authenticate, authorize, body, cache, estimate, guard, head, policy, route, send, settle, stream,
};
use crate::worker::Worker;

pub(crate) use crate::stations::stream::{Body, Reply};

/// A request and all that is known of it. One pointer, since it is handed from station to door and back.
pub(crate) struct Exchange(Box<State>);

/// See [`Exchange`].
pub(crate) struct State {
    pub(crate) worker: Rc<Worker>,
    /// The snapshot this request started with, and ends with.
    pub(crate) loaded: Rc<Loaded>,
    pub(crate) client: Client,
    /// Head and body as they came.
    pub(crate) input: Vec<u8>,
    pub(crate) request: RequestHead,
    pub(crate) request_id: RequestId,
    pub(crate) held: Option<HeldBytes>,
    /// What the caller has brought for a provider, where its route passes that on.
    pub(crate) caller_credential: Option<Box<CallerCredential>>,
    /// The target that works on it, where its route's strategy goes by that.
    pub(crate) busy: Option<Box<Busy>>,
    pub(crate) facts: Facts,
}

/// What settlement reports; filled in along the way.
pub(crate) struct Facts {
    pub(crate) started: Stamp,
    /// The whole request was there.
    pub(crate) read: Option<Stamp>,
    /// The request had left for the upstream.
    pub(crate) sent: Option<Stamp>,
    /// The first byte of the upstream's reply was there.
    pub(crate) first_byte: Option<Stamp>,
    /// The reply's first bytes had left for the client.
    pub(crate) replied: Option<Stamp>,
    /// The reply's last bytes so far had left.
    pub(crate) written: Option<Stamp>,
    pub(crate) surface: Surface,
    pub(crate) operation: Option<Operation>,
    pub(crate) principal: Option<Arc<Principal>>,
    /// Index of the route that was asked for.
    pub(crate) route: Option<usize>,
    /// How it was routed, for whoever asks.
    pub(crate) decision: Option<Box<str>>,
    /// For the same: the model as the client calls it, and those that it would have asked next.
    pub(crate) names: Option<Box<[Box<str>]>>,
    /// The last place that was tried.
    pub(crate) place: Option<Place>,
    pub(crate) attempts: Cell<u32>,
    pub(crate) status: u16,
    pub(crate) rejection: Option<Code>,
    pub(crate) cache: CacheResult,
    /// The reply is an event stream that is being relayed, and counted as open.
    pub(crate) streaming: bool,
    pub(crate) usage: Option<Usage>,
    /// The upstream said inside a good status that it failed.
    pub(crate) error_event: bool,
    pub(crate) reply_bytes: u64,
    pub(crate) ending: Ending,
}

/// What the cache had to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheResult {
    /// The route has no cache.
    None,
    Hit,
    Miss,
    /// The client asked to go without.
    Bypass,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing was written to the end: the client left, or the worker was cut.
    Cancelled,
    /// The reply went out whole.
    Whole,
    /// The reply broke off, and the client was told.
    Cut(Code),
}

/// The id of a request, as the client chose it or ours.
#[derive(Clone, Copy)]
pub(crate) struct RequestId {
    bytes: [u8; 64],
    len: u8,
}

impl RequestId {
    /// The client's id, if it is sane: 1 to 64 letters, digits, `-`, `_`, `.`.
    pub(crate) fn accept(value: &[u8]) -> Option<Self> {
        let sane = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if value.is_empty() || value.len() > 64 || !value.iter().all(sane) {
            return None;
        }
        let mut bytes = [0; 64];
        bytes.get_mut(..value.len())?.copy_from_slice(value);
        Some(Self { bytes, len: u8::try_from(value.len()).ok()? })
    }

    /// `req_` and 24 hexadecimal digits.
    pub(crate) fn make(worker: &Worker) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bytes = [0; 64];
        let random = (u128::from(worker.random()) << 64) | u128::from(worker.random());
        for (into, byte) in bytes.iter_mut().zip(*b"req_") {
            *into = byte;
        }
        for (pair, byte) in
            bytes.get_mut(4..28).unwrap_or_default().as_chunks_mut().0.iter_mut().zip(random.to_le_bytes())
        {
            let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        Self { bytes, len: 28 }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// Where the reply comes from.
pub(crate) enum Source {
    /// We know the answer ourselves: a probe, a list of models.
    Own(authorize::OwnReply),
    /// The cache has it.
    Stored(Arc<crate::backends::cache::memory::Stored>),
    /// An upstream has begun to send it.
    Upstream(send::Begun, Flight),
    /// An upstream has answered in another dialect than the client's, and it was put into that.
    Translated(stream::Translated),
}

/// Takes a request through all stations. The reply owns the exchange; dropping it settles.
pub(crate) async fn serve(mut x: Exchange) -> Reply {
    match journey(&mut x).await {
        Ok((admission, source)) => stream::relay(x, admission, source),
        Err(rejection) => stream::reject(x, &rejection),
    }
}

async fn journey(x: &mut Exchange) -> Result<(Admission, Source), Rejection> {
    let head = match head::check(x)? {
        Checked::Api(head) => head,
        Checked::Probe(reply) => return Ok((Admission::exempt(), Source::Own(reply))),
    };
    let caller = authenticate::run(x, &head)?;
    if let Some(reason) = admit::pressed(x) {
        return Err(Box::pin(admit::shed(x, reason)).await);
    }
    let mut envelope = body::read(x, &head).await?;
    let route = match authorize::run(x, &head, &caller, &mut envelope)? {
        authorize::Authorized::Route(route) => route,
        authorize::Authorized::Listing(reply) => return Ok((Admission::exempt(), Source::Own(reply))),
    };
    let admission = admit::reserve(x, &caller, &route, &envelope)?;
    let screened = guard::screen(x, &route, envelope)?;
    let source = match cache::look_up(x, &head, &caller, &route, &screened) {
        Lookup::Hit(stored) => Source::Stored(stored),
        Lookup::Miss(flight) => {
            let Some(mut plan) = route::plan(x, &head, &route, &screened)? else {
                let counted = Box::pin(estimate::tokens(x, &head, &route, &screened)).await?;
                return Ok((admission, Source::Own(counted)));
            };
            if plan.asks_policy() {
                Box::pin(policy::rank(x, &head, &mut plan, &screened)).await;
            }
            let begun = send::first_byte(x, &head, &admission, &plan, &screened).await?;
            if begun.translation.is_none() {
                Source::Upstream(begun, flight)
            } else {
                Box::pin(stream::translated(x, begun, flight)).await?
            }
        }
    };
    Ok((admission, source))
}

impl Exchange {
    /// An exchange for a request whose head has just been read.
    pub(crate) fn new(worker: &Rc<Worker>, client: Client, input: Vec<u8>, request: RequestHead) -> Self {
        let request_id = request
            .find(Known::XRequestId)
            .and_then(|field| RequestId::accept(field.value.of(&input)))
            .unwrap_or_else(|| RequestId::make(worker));
        worker.bank.worker.in_flight.add(1);
        // Made where it stays: it is too large to be moved there.
        Self(Box::write(
            Box::new_uninit(),
            State {
                worker: Rc::clone(worker),
                loaded: worker.loaded(),
                client,
                input,
                request,
                request_id,
                held: None,
                caller_credential: None,
                busy: None,
                facts: Facts::new(Stamp::now()),
            },
        ))
    }
}

impl Exchange {
    /// Whether only the head of a reply is wanted.
    pub(crate) fn is_head_request(&self) -> bool {
        self.request.method.of(&self.input) == b"HEAD"
    }

    /// The value of a header field by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        let is_it = |field: &&Field| field.name.of(&self.input).eq_ignore_ascii_case(name.as_bytes());
        self.request.fields.iter().find(is_it).map(|field| field.value.of(&self.input))
    }

    /// Whether it is to be told how it was served.
    pub(crate) fn asks_for_debug(&self) -> bool {
        self.loaded.snapshot.debug_headers
            && self.request.fields.iter().any(|field| {
                field.known == Known::Edge
                    && field.name.of(&self.input).eq_ignore_ascii_case(b"x-llm-edge-debug")
                    && field.value.of(&self.input) == b"1"
            })
    }

    /// The caller's own credential, where it is for this provider (by its index).
    #[inline]
    pub(crate) fn credential_for(&self, provider: usize) -> Option<&CallerCredential> {
        self.caller_credential.as_deref().filter(|own| own.is_for(provider))
    }
}

impl Facts {
    fn new(started: Stamp) -> Self {
        Self {
            started,
            read: None,
            sent: None,
            first_byte: None,
            replied: None,
            written: None,
            surface: Surface::OpenAi,
            operation: None,
            principal: None,
            route: None,
            decision: None,
            names: None,
            place: None,
            attempts: Cell::new(0),
            status: 0,
            rejection: None,
            cache: CacheResult::None,
            streaming: false,
            usage: None,
            error_event: false,
            reply_bytes: 0,
            ending: Ending::Cancelled,
        }
    }
}

impl Deref for Exchange {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl DerefMut for Exchange {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // While another panic unwinds, one more would end the process.
        if catch_unwind(AssertUnwindSafe(|| settle::run(self))).is_err() {
            self.worker.shared.panics.count();
        }
    }
}
