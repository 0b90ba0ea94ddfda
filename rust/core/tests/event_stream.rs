//! The decoder of Amazon's event streams, against botocore's own vectors, cut anywhere and broken anywhere.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test a panic is the finding"
)]

use llm_edge_core::event_stream::{EventStream, EventStreamError, HEADERS_BYTES_MAX, MESSAGE_BYTES_MAX};
use proptest::prelude::{any, proptest};

/// Messages that botocore's decoder is tested with (`tests/unit/test_eventstream.py`, Apache-2.0), each with
/// its payload.
const VECTORS: [(&[u8], &[u8]); 9] = [
    (b"\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2H\xeb}\x98\xc8\xff", b""),
    (b"\x00\x00\x00\x17\x00\x00\x00\x07)\x86\x01X\x04byte\x02\xff\xc2\xf8i\xdc", b""),
    (b"\x00\x00\x00\x19\x00\x00\x00\tq\x0e\x92>\x05short\x03\xff\xff\xb2|\xb6\xcc", b""),
    (b"\x00\x00\x00\x1d\x00\x00\x00\r\x83\xe3\xf0\xe7\x07integer\x04\xff\xff\xff\xff\x8b\x8e\x12\xeb", b""),
    (
        b"\x00\x00\x00\x1e\x00\x00\x00\x0e]J\xdb\x8d\x04long\x05\xff\xff\xff\xff\xff\xff\xff\xffK\xc22\xda",
        b"",
    ),
    (b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'}\xc3e96", b"{'foo':'bar'}"),
    (
        b"\x00\x00\x00=\x00\x00\x00 \x07\xfd\x83\x96\x0ccontent-type\x07\x00\x10application/json{'foo':'bar'}\x8d\x9c\x08\xb1",
        b"{'foo':'bar'}",
    ),
    (
        b"\x00\x00\x00\x62\x00\x00\x00\x52\x03\xb5\xcb\x9c\x010\x00\x011\x01\x012\x02\x02\x013\x03\x00\x03\x014\x04\x00\x00\x00\x04\x015\x05\x00\x00\x00\x00\x00\x00\x00\x05\x016\x06\x00\x05bytes\x017\x07\x00\x04utf8\x018\x08\x00\x00\x00\x00\x00\x00\x00\x08\x019\x090123456789abcdef\x63\x35\x36\x71",
        b"",
    ),
    (
        b"\x00\x00\x00\x52\x00\x00\x00\x42\xbf\x23\x63\x7e\x0d:message-type\x07\x00\x05error\x0b:error-code\x07\x00\x04code\x0e:error-message\x07\x00\x07message\x6b\x6c\xea\x3d",
        b"",
    ),
];

/// One of its messages with an event type, in the two pieces it is given in.
const INITIAL: &[u8] = b"\x00\x00\x00~\x00\x00\x00O\xc5\xa3\xdd\xc6\r:message-type\x07\x00\x05event\x0b:event-type\x07\x00\x10initial-response\r:content-type\x07\x00\ttext/json{\"InitialResponse\": \"sometext\"}\xf6\x98$\x83";

type Told = (Vec<[String; 5]>, Vec<Vec<u8>>, Result<(), EventStreamError>);

fn told<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Told {
    let (mut stream, mut names, mut payloads) = (EventStream::new(), Vec::new(), Vec::new());
    let ended = pieces.into_iter().try_for_each(|piece| {
        stream.push(piece, |message| {
            names.push(
                [
                    message.message_type,
                    message.event_type,
                    message.exception_type,
                    message.error_code,
                    message.error_message,
                ]
                .map(str::to_owned),
            );
            payloads.push(message.payload.to_vec());
        })
    });
    (names, payloads, ended)
}

/// A message as botocore's decoder wants it.
fn encoded(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
    let mut message = total.to_be_bytes().to_vec();
    message.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
    message.extend(crc32(&message).to_be_bytes());
    message.extend_from_slice(headers);
    message.extend_from_slice(payload);
    let crc = crc32(&message);
    message.extend(crc.to_be_bytes());
    message
}

/// RFC 1952 §8, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

#[test]
fn the_vectors_of_botocore_are_read() {
    for (message, payload) in VECTORS {
        let (_, payloads, ended) = told([message]);
        assert_eq!((payloads, ended), (vec![payload.to_vec()], Ok(())), "{}", message.escape_ascii());
    }
    let error = ["error", "", "", "code", "message"].map(str::to_owned);
    assert_eq!(told([VECTORS[8].0]).0, [error]);
    let (names, payloads, _) = told([INITIAL]);
    assert_eq!(names, [["event", "initial-response", "", "", ""].map(str::to_owned)]);
    assert_eq!(payloads, [br#"{"InitialResponse": "sometext"}"#]);
}

#[test]
fn how_a_stream_is_cut_does_not_show() {
    let stream: Vec<u8> = VECTORS.iter().flat_map(|(message, _)| *message).chain(INITIAL).copied().collect();
    let whole = told([stream.as_slice()]);
    assert_eq!((whole.1.len(), whole.2), (10, Ok(())));
    for size in 1..=70 {
        assert_eq!(told(stream.chunks(size)), whole, "in pieces of {size}");
    }
    for at in 0..stream.len() {
        let (front, back) = stream.split_at(at);
        assert_eq!(told([front, back]), whole, "cut at {at}");
        // What is cut off is no fault yet, and no message.
        let (names, _, ended) = told([front]);
        assert!(ended.is_ok() && names.len() < 10);
    }
}

#[test]
fn no_bit_can_be_flipped() {
    let stream: Vec<u8> = INITIAL.iter().chain(VECTORS[7].0).copied().collect();
    for bit in 0..stream.len() * 8 {
        let mut broken = stream.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        let (names, _, ended) = told([broken.as_slice()]);
        let before = usize::from(bit / 8 >= INITIAL.len());
        assert!(ended.is_err(), "bit {bit}");
        assert_eq!(names.len(), before, "bit {bit}");
        assert_eq!(told(broken.chunks(1)).2, ended, "bit {bit}");
    }
}

#[test]
fn a_fault_is_named_and_stays() {
    let lengths = |total: u32, headers: u32| {
        let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        prelude.extend(crc32(&prelude).to_be_bytes());
        prelude
    };
    let max = u32::try_from(MESSAGE_BYTES_MAX).unwrap();
    let headers_max = u32::try_from(HEADERS_BYTES_MAX).unwrap();
    let mut payload = VECTORS[5].0.to_vec();
    payload[25] ^= 1;
    for (stream, fault) in [
        (b"HTTP/1.1 200".to_vec(), EventStreamError::PreludeChecksum),
        (payload, EventStreamError::MessageChecksum),
        (lengths(15, 0), EventStreamError::Length),
        (lengths(0, 0), EventStreamError::Length),
        (lengths(40, 25), EventStreamError::Length),
        (lengths(max + 1, 0), EventStreamError::MessageTooLong),
        (lengths(u32::MAX, u32::MAX), EventStreamError::MessageTooLong),
        (lengths(max, headers_max + 1), EventStreamError::HeadersTooLong),
        // A type that there is none of, a name that is cut off, a text that is no text, and one said twice.
        (encoded(b"\x01a\x0a", b""), EventStreamError::Headers),
        (encoded(b"\x05a", b""), EventStreamError::Headers),
        (encoded(b"\x01a", b""), EventStreamError::Headers),
        (encoded(b"\x01a\x07\x00\x02a", b""), EventStreamError::Headers),
        (encoded(b"\x01a\x09aaaaaaaaaaaaaaa", b""), EventStreamError::Headers),
        (encoded(b"\x0b:event-type\x07\x00\x01\xff", b""), EventStreamError::Headers),
        (encoded(b"\x0b:event-type\x00", b""), EventStreamError::Headers),
        (
            encoded(b"\x0b:event-type\x07\x00\x01a\x0b:event-type\x07\x00\x01b", b""),
            EventStreamError::Headers,
        ),
    ] {
        let mut decoder = EventStream::new();
        assert_eq!(decoder.push(&stream, |_| {}), Err(fault), "{}", stream.escape_ascii());
        assert_eq!(decoder.push(VECTORS[0].0, |_| {}), Err(fault));
        assert!(!fault.to_string().is_empty());
    }
}

#[test]
fn the_longest_message_is_taken_and_no_longer_one() {
    let longest = encoded(b"", &vec![b'x'; MESSAGE_BYTES_MAX - 16]);
    assert_eq!(told(longest.chunks(4096)).1[0].len(), MESSAGE_BYTES_MAX - 16);
    let longer = encoded(b"", &vec![b'x'; MESSAGE_BYTES_MAX - 15]);
    assert_eq!(told([&longer[..12]]).2, Err(EventStreamError::MessageTooLong));
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_no_trouble(headers in any::<Vec<u8>>(), payload in any::<Vec<u8>>(), size in 1..40_usize) {
        let stream = [encoded(b"", &payload), encoded(&headers, &payload), headers].concat();
        assert_eq!(told(stream.chunks(size)), told([stream.as_slice()]));
    }
}
