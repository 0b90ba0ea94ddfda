//! Doors: the ways in which bytes become an [`Exchange`](crate::exchange::Exchange) and a reply becomes bytes.

pub(crate) mod balance;
mod http1;
mod http2;
pub(crate) mod listener;
mod rewind;
mod tls;
pub(crate) mod turns;
mod unix;

use std::cell::RefCell;
use std::rc::Rc;

use llm_edge_core::span::Span;

use crate::deadlines::Timer;
use crate::exchange::Exchange;
use crate::stations::authenticate::Remembered;
use crate::stations::body::BodyError;

pub(crate) use tls::{Certificate, server_config};

/// What a request needs of the door it came through.
#[derive(Clone)]
pub(crate) enum Client {
    /// A connection of its own.
    Http1(Rc<http1::Wire>),
    /// A stream among others.
    Http2(Rc<http2::Stream>),
}

impl Client {
    /// Reads the rest of the request into the exchange's input and tells where the body is.
    pub(crate) async fn read_body(&self, x: &mut Exchange) -> Result<Span, BodyError> {
        match self {
            Self::Http1(wire) => wire.read_body(x).await,
            Self::Http2(stream) => Box::pin(stream.read_body(x)).await,
        }
    }

    /// Whether nothing of the request is left to be read.
    pub(crate) fn request_is_read(&self) -> bool {
        match self {
            Self::Http1(wire) => wire.request_is_read(),
            Self::Http2(stream) => stream.request_is_read(),
        }
    }

    /// The deadline of what the exchange waits for.
    pub(crate) fn timer(&self) -> &Timer {
        match self {
            Self::Http1(wire) => &wire.timer,
            Self::Http2(stream) => &stream.timer,
        }
    }

    /// The last good key of this connection.
    pub(crate) fn remembered(&self) -> &RefCell<Option<Remembered>> {
        match self {
            Self::Http1(wire) => &wire.remembered,
            Self::Http2(stream) => &stream.remembered,
        }
    }
}
