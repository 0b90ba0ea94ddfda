//! Looking into a compressed reply without touching it: what passes is decoded on the side, for the tap only.
//!
//! Upstreams are asked for plain text, so this is the exception. It is bounded: beyond [`DECODED_BYTES_MAX`]
//! of output or [`RATIO_MAX`] times what came in, or at the first fault, the tap looks no further and the
//! reply counts as one that cannot be looked into.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use llm_edge_core::tap::{Outcome, Tap, Usage};

/// Output of one reply's decoder, at most.
const DECODED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Output for each byte of input, at most, once [`FREE_BYTES`] are used up: a bomb would hold up the worker
/// for as long as one read of it takes to unpack. Streams of chat events reach 30.
const RATIO_MAX: usize = 100;
/// Output that no input has to answer for.
const FREE_BYTES: usize = 1024 * 1024;
/// Output buffer of the brotli decoder.
const BROTLI_BUFFER_BYTES: usize = 4 * 1024;

/// Memory of the zstd decoder, as a power of two (RFC 8878 §3.1.1.1.2 asks decoders for 8 MiB).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// A tap, behind a decoder where one is needed.
pub(super) enum Watch {
    Plain(Tap),
    Coded(Box<Decoder>),
    /// Only who translates the stream can read it, and tells.
    Told(Outcome),
    /// The decoder gave up: nothing more is known.
    Blind,
}

/// One per content coding (RFC 9110 §8.4.1, RFC 7932, RFC 8878).
pub(super) enum Decoder {
    Gzip(MultiGzDecoder<Sink>),
    Deflate(ZlibDecoder<Sink>),
    Brotli(Box<DecompressorWriter<Sink>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Sink>>),
}

/// Hands decoded bytes to the tap, up to the bound.
pub(super) struct Sink {
    tap: Tap,
    /// What may still come out in all, and for what has come in so far.
    left: usize,
    earned: usize,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.earned = self.earned.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.tap.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a content coding can be looked into.
pub(super) fn knows(coding: &[u8]) -> bool {
    [&b"gzip"[..], b"x-gzip", b"deflate", b"br", b"zstd"]
        .iter()
        .any(|known| coding.eq_ignore_ascii_case(known))
}

impl Watch {
    #[inline]
    pub(super) fn new(tap: Tap, coding: Option<&[u8]>) -> Self {
        match coding {
            None => Self::Plain(tap),
            Some(coding) => Self::behind(tap, coding),
        }
    }

    #[cold]
    fn behind(tap: Tap, coding: &[u8]) -> Self {
        let is = |name: &[u8]| coding.eq_ignore_ascii_case(name);
        let sink = Sink { tap, left: DECODED_BYTES_MAX, earned: FREE_BYTES };
        if is(b"gzip") || is(b"x-gzip") {
            Self::Coded(Box::new(Decoder::Gzip(MultiGzDecoder::new(sink))))
        } else if is(b"deflate") {
            Self::Coded(Box::new(Decoder::Deflate(ZlibDecoder::new(sink))))
        } else if is(b"br") {
            Self::Coded(Box::new(Decoder::Brotli(Box::new(DecompressorWriter::new(
                sink,
                BROTLI_BUFFER_BYTES,
            )))))
        } else if is(b"zstd") {
            let bounded = zstd::stream::write::Decoder::new(sink).and_then(|mut decoder| {
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Ok(decoder)
            });
            match bounded {
                Ok(decoder) => Self::Coded(Box::new(Decoder::Zstd(Box::new(decoder)))),
                Err(_) => Self::Blind,
            }
        } else {
            Self::Blind
        }
    }

    /// Where a read may first tell usage or an error: see [`Tap::first_suspect`].
    #[inline]
    pub(super) fn first_suspect(&self, read: &[u8]) -> usize {
        match self {
            Self::Plain(tap) => tap.first_suspect(read),
            Self::Coded(_) | Self::Told(_) | Self::Blind => 0,
        }
    }

    /// Looks at a piece of such a read.
    #[inline]
    pub(super) fn push_piece(&mut self, piece: &[u8], suspect: bool) {
        match self {
            Self::Plain(tap) => tap.push_piece(piece, suspect),
            Self::Coded(_) | Self::Told(_) | Self::Blind => self.push(piece),
        }
    }

    /// Looks at payload as it passes.
    #[inline]
    pub(super) fn push(&mut self, payload: &[u8]) {
        match self {
            Self::Plain(tap) => tap.push(payload),
            Self::Coded(decoder) => {
                if decoder.write(payload).is_err() {
                    *self = Self::Blind;
                }
            }
            Self::Told(_) | Self::Blind => {}
        }
    }

    /// Takes what the translator has seen so far, where nobody else can see it.
    pub(super) fn tell(&mut self, outcome: impl FnOnce() -> Outcome) {
        if let Self::Told(told) = self {
            *told = outcome();
        }
    }

    /// Looks at a body that is all there.
    pub(super) fn push_whole(&mut self, body: &[u8]) {
        match self {
            Self::Plain(tap) => tap.push_whole(body),
            Self::Coded(_) | Self::Told(_) | Self::Blind => self.push(body),
        }
    }

    /// What the upstream has reported so far.
    pub(super) fn usage(&self) -> Option<Usage> {
        match self {
            Self::Plain(tap) => tap.usage(),
            Self::Told(told) => told.usage,
            Self::Coded(_) | Self::Blind => None,
        }
    }

    /// Whether something for the reader has come, as far as can be seen.
    #[inline]
    pub(super) fn content_seen(&self) -> bool {
        match self {
            Self::Plain(tap) => tap.content_seen(),
            Self::Coded(decoder) => decoder.sink().tap.content_seen(),
            Self::Told(_) | Self::Blind => true,
        }
    }

    /// What happened in the reply; where nothing could be seen, only the framing tells whether it is whole.
    pub(super) fn finish(&mut self) -> Outcome {
        let blind = Outcome { terminal: true, ..Outcome::default() };
        match self {
            Self::Plain(tap) => tap.finish(),
            Self::Coded(decoder) => decoder.finish().unwrap_or(blind),
            Self::Told(told) => *told,
            Self::Blind => blind,
        }
    }

    /// Events with data so far; `None` where nothing can be seen.
    pub(super) fn events(&self) -> Option<u64> {
        match self {
            Self::Plain(tap) => Some(tap.events()),
            Self::Coded(decoder) => Some(decoder.sink().tap.events()),
            Self::Told(_) | Self::Blind => None,
        }
    }

    /// Whether all payload so far ends where an event does, so that another event may follow.
    pub(super) fn between_events(&self) -> bool {
        match self {
            Self::Plain(tap) => tap.between_events(),
            // Nothing of ours can be put behind compressed bytes.
            Self::Coded(_) | Self::Told(_) | Self::Blind => false,
        }
    }
}

impl Decoder {
    fn sink(&self) -> &Sink {
        match self {
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Deflate(decoder) => decoder.get_ref(),
            Self::Brotli(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }

    fn sink_mut(&mut self) -> &mut Sink {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }

    fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        self.sink_mut().earned += payload.len().saturating_mul(RATIO_MAX);
        match self {
            Self::Gzip(decoder) => decoder.write_all(payload).and_then(|()| decoder.flush()),
            Self::Deflate(decoder) => decoder.write_all(payload).and_then(|()| decoder.flush()),
            Self::Brotli(decoder) => decoder.write_all(payload).and_then(|()| decoder.flush()),
            Self::Zstd(decoder) => decoder.write_all(payload).and_then(|()| decoder.flush()),
        }
    }

    fn finish(&mut self) -> io::Result<Outcome> {
        match self {
            Self::Gzip(decoder) => decoder.try_finish()?,
            Self::Deflate(decoder) => decoder.try_finish()?,
            Self::Brotli(decoder) => decoder.close()?,
            Self::Zstd(decoder) => decoder.flush()?,
        }
        Ok(self.sink_mut().tap.finish())
    }
}

#[cfg(test)]
mod tests {
    use llm_edge_core::dialect::Dialect;

    use super::*;

    const STREAM: &[u8] =
        b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";

    fn watched(coding: &[u8], bytes: &[u8]) -> Outcome {
        let mut watch = Watch::new(Tap::sse(Dialect::OpenaiChat), Some(coding));
        for byte in bytes {
            watch.push(&[*byte]);
        }
        watch.finish()
    }

    #[test]
    fn usage_and_end_of_a_compressed_stream_are_seen_however_it_is_cut() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(STREAM).unwrap();
        let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        deflate.write_all(STREAM).unwrap();
        for (coding, bytes) in [
            (&b"gzip"[..], gzip.finish().unwrap()),
            (b"deflate", deflate.finish().unwrap()),
            (b"zstd", zstd::encode_all(STREAM, 1).unwrap()),
        ] {
            let outcome = watched(coding, &bytes);
            assert!(outcome.terminal, "{coding:?}");
            assert_eq!(outcome.usage.unwrap().output_tokens, 4);
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_left_to_the_framing() {
        assert!(watched(b"gzip", b"this is no gzip").terminal);
        assert!(watched(b"zstd", b"nor zstd").usage.is_none());
    }

    #[test]
    fn a_bomb_stops_the_decoder_and_not_the_reply() {
        let zeros = vec![b'x'; 1024 * 1024];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..100 {
            gzip.write_all(&zeros).unwrap();
        }
        let bomb = gzip.finish().unwrap();
        let mut watch = Watch::new(Tap::sse(Dialect::OpenaiChat), Some(b"gzip"));
        for piece in bomb.chunks(4096) {
            watch.push(piece);
        }
        assert!(matches!(watch, Watch::Blind));
    }
}
