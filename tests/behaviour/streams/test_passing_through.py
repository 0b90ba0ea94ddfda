"""What an upstream sends as a stream comes out as it went in, however it was cut on the way."""

import random
import threading
from collections.abc import Iterator

import pytest

from tests.support.hop import KEY, PATHS, Hop, body, post, start_hop
from tests.support.http2 import Http2
from tests.support.streams import EVENTS, SURFACES, chunked, whole
from tests.support.upstream import (
    Action,
    Close,
    Pause,
    Read,
    Send,
    Upstream,
    Wait,
    chunk,
    reply,
    stream_head,
)

SEED = 20_260_806


def stream(hop: Hop, surface: str, *actions: Action) -> bytes:
    """The payload of a stream that must end whole."""
    hop.upstream.always(Read(), *actions)
    answer = hop.ask(post(PATHS[surface], body(surface, stream=True)))
    assert (answer.status, answer.complete) == (200, True), answer.body[-300:]
    return answer.body


@pytest.mark.behaviour("B06")
@pytest.mark.parametrize("piece", [1, 2, 3, 7])
@pytest.mark.parametrize("surface", SURFACES)
def test_a_reply_that_arrives_byte_by_byte_comes_out_the_same(
    hop: Hop, surface: str, piece: int
) -> None:
    assert stream(hop, surface, Send(chunked(EVENTS[surface]), piece)) == whole(surface)


@pytest.mark.behaviour("B06")
@pytest.mark.parametrize("surface", ["chat", "messages"])
def test_a_reply_cut_at_any_byte_comes_out_the_same(hop: Hop, surface: str) -> None:
    data = chunked(EVENTS[surface])
    request = post(PATHS[surface], body(surface, stream=True))
    with hop.connect() as wire:
        for cut in range(1, len(data)):
            hop.upstream.always(Read(), Send(data[:cut]), Pause(0.0005), Send(data[cut:]))
            wire.send(request)
            answer = wire.answer()
            assert answer.complete, cut
            assert answer.body == whole(surface), cut


@pytest.mark.behaviour("B06")
def test_chunks_cut_inside_a_character_come_out_the_same(hop: Hop) -> None:
    payload = whole("chat")
    for size in range(1, 40):
        pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
        assert stream(hop, "chat", Send(chunked(pieces))) == payload


LINE_ENDS = [b"\n", b"\r\n", b"\r"]
SPELLINGS = {
    "no space after the colon": lambda data: data.replace(b"data: ", b"data:"),
    "comments": lambda data: b": hello\n" + data.replace(b"\n\n", b"\n\n: ping\n\n:\n"),
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "ids and retries": lambda data: data.replace(b"data: ", b"id: 7\nretry: 10\ndata: "),
    "unknown fields": lambda data: data.replace(b"data: ", b"x: y\nalone\ndata: "),
    "empty lines": lambda data: b"\n\n\n" + data.replace(b"\n\n", b"\n\n\n\n"),
}


@pytest.mark.behaviour("B07")
@pytest.mark.parametrize("end", LINE_ENDS, ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("surface", SURFACES)
def test_every_spelling_of_an_event_stream_is_understood_and_left_alone(
    hop: Hop, surface: str, spelling: str, end: bytes
) -> None:
    payload = SPELLINGS[spelling](whole(surface)).replace(b"\n", end)
    generator = random.Random(SEED)
    for _ in range(3):
        size = generator.randrange(1, 30)
        pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
        assert stream(hop, surface, Send(chunked(pieces), generator.randrange(1, 90))) == payload


def test_the_head_of_a_stream_does_not_wait_for_its_first_event(hop: Hop) -> None:
    go_on = threading.Event()
    first, *rest = EVENTS["chat"]
    hop.upstream.once(
        Read(),
        Send(stream_head() + chunk(first)[:-9]),
        Wait(go_on),
        Send(chunk(first)[-9:] + b"".join(map(chunk, rest)) + chunk(b"")),
    )
    with hop.connect() as wire:
        wire.send(post(data=body(stream=True)))
        assert wire.readable_within(5)
        go_on.set()
        assert wire.answer().body == whole("chat")


@pytest.mark.behaviour("B08")
@pytest.mark.parametrize("mebibytes", [1, 8])
@pytest.mark.parametrize("how", ["one chunk", "small chunks", "until close"])
def test_a_huge_event_comes_out_whole(hop: Hop, how: str, mebibytes: int) -> None:
    huge = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % (b"ab\\n" * (mebibytes << 18))
    payload = huge + b"data: [DONE]\n\n"
    match how:
        case "one chunk":
            got = stream(hop, "chat", Send(stream_head() + chunk(payload) + chunk(b"")))
        case "small chunks":
            pieces = [payload[at : at + 9999] for at in range(0, len(payload), 9999)]
            got = stream(hop, "chat", Send(chunked(pieces)))
        case _:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            got = stream(hop, "chat", Send(head + payload), Close())
    assert got == payload


EVENT_BYTES_MAX = 4 << 20


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    """A gateway that lets events of 4 MiB through and none that are larger."""
    more = f"limits: {{event_bytes_max: {EVENT_BYTES_MAX}}}"
    with Upstream() as upstream:
        hop = start_hop(tmp_path_factory.mktemp("bounded"), upstream, more, "--workers", "1")
        yield hop
        hop.running.stop()


def of_size(size: int) -> bytes:
    head, end = b'data: {"choices":[{"delta":{"content":"', b'"}}]}\n\n'
    return head + b"x" * (size - len(head) - len(end)) + end


@pytest.mark.behaviour("B08")
@pytest.mark.parametrize("how", ["one chunk", "small chunks", "until close"])
def test_an_event_beyond_the_limit_is_an_explicit_error(bounded: Hop, how: str) -> None:
    fits = of_size(EVENT_BYTES_MAX) + b"data: [DONE]\n\n"
    assert stream(bounded, "chat", Send(stream_head() + chunk(fits) + chunk(b""))) == fits
    first = EVENTS["chat"][0]
    payload = first + of_size(EVENT_BYTES_MAX * 8) + b"data: [DONE]\n\n"
    match how:
        case "one chunk":
            sent = stream_head() + chunk(payload) + chunk(b"")
        case "small chunks":
            pieces = [payload[at : at + 9999] for at in range(0, len(payload), 9999)]
            sent = stream_head() + b"".join(map(chunk, pieces)) + chunk(b"")
        case _:
            sent = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + payload
    bounded.upstream.always(Read(), Send(sent), Close())
    before = bounded.running.resident_kib
    answer = bounded.ask(post(data=body(stream=True)))
    assert bounded.running.resident_kib - before <= 2 * EVENT_BYTES_MAX >> 10
    assert not answer.complete
    assert answer.body.startswith(first)
    assert len(answer.body) < EVENT_BYTES_MAX + (1 << 20)
    assert b"limits.event_bytes_max" in answer.body
    assert b'"code":"upstream_invalid"' in answer.body
    assert b"[DONE]" not in answer.body


@pytest.mark.behaviour("B08")
def test_an_event_beyond_the_limit_resets_its_http2_stream(bounded: Hop) -> None:
    payload = of_size(EVENT_BYTES_MAX * 4)
    bounded.upstream.always(Read(), Send(stream_head() + chunk(payload) + chunk(b"")))
    with Http2(bounded.running.address) as http:
        key = ("authorization", f"Bearer {KEY}")
        number = http.request(PATHS["chat"], body(stream=True), key)
        got = http.answer(number)
        assert (got.ended, got.reset_code is not None) == (False, True)
        assert len(got.body) < EVENT_BYTES_MAX + (1 << 20)
        # The connection and its other streams go on.
        assert http.answer(http.request("/livez", b"", method="GET")).status == 200


@pytest.mark.behaviour("B08")
def test_many_events_are_not_one_large_one(bounded: Hop) -> None:
    events = [of_size(1 << 20)] * 12 + [b"data: [DONE]\n\n"]
    payload = b"".join(events)
    pieces = [payload[at : at + 70_001] for at in range(0, len(payload), 70_001)]
    assert stream(bounded, "chat", Send(chunked(pieces))) == payload


@pytest.mark.behaviour("B12")
def test_interim_replies_before_a_stream_stay_there_and_it_is_asked_for_once(hop: Hop) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n"
    late = [Send(interim), Pause(0.05), Send(b"HTTP/1.1 100 Continue\r\n\r\n"), Pause(0.05)]
    hop.upstream.always(Read(), *late, Send(chunked(EVENTS["chat"])))
    with hop.connect() as wire:
        for number in (1, 2):
            wire.send(post(data=body(stream=True)))
            answer = wire.answer()
            assert (answer.status, answer.body) == (200, whole("chat"))
            assert hop.seen == hop.upstream.begun == number


@pytest.mark.behaviour("B12")
@pytest.mark.parametrize("piece", [0, 1])
def test_interim_replies_of_the_upstream_stay_there(hop: Hop, piece: int) -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n"
        b"HTTP/1.1 102 Processing\r\n\r\n"
    )
    hop.upstream.always(Read(), Send(interim + reply(b'{"a":1}'), piece))
    with hop.connect() as wire:
        for _ in range(3):
            wire.send(post())
            head = wire.read_until(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"link" not in head.lower()
            assert wire.read_until(b"}") == b'{"a":1}'


@pytest.mark.parametrize("piece", [0, 1, 11])
def test_chunk_extensions_and_trailers_of_the_upstream_do_no_harm(hop: Hop, piece: int) -> None:
    parts = b"".join(b'%X;name="a;b"\r\n%s\r\n' % (len(event), event) for event in EVENTS["chat"])
    data = stream_head("Trailer: X-Sum") + parts + b"000;last\r\nX-Sum: 1\r\n\r\n"
    with hop.connect() as wire:
        for _ in range(3):
            hop.upstream.always(Read(), Send(data, piece))
            wire.send(post(data=body(stream=True)))
            answer = wire.answer()
            assert answer.complete
            assert answer.body == whole("chat")
    # The connection upstream was in step after the trailer.
    assert {got.connection for got in hop.upstream.requests} == {hop.upstream.connections}


@pytest.mark.parametrize("surface", SURFACES)
def test_a_stream_that_ends_with_its_connection_ends_whole(hop: Hop, surface: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    assert stream(hop, surface, Send(head + whole(surface)), Close()) == whole(surface)
    hop.upstream.reset()
    hop.still_works()


@pytest.mark.parametrize("surface", SURFACES)
def test_a_stream_with_a_length_ends_whole(hop: Hop, surface: str) -> None:
    payload = whole(surface)
    data = reply(payload, content_type="text/event-stream")
    assert stream(hop, surface, Send(data, 50)) == payload


@pytest.mark.parametrize("status", ["400 Bad Request", "429 Too Many Requests", "529 Overloaded"])
@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/event-stream"])
def test_an_error_of_the_upstream_comes_back_as_it_is(hop: Hop, status: str, kind: str) -> None:
    data = reply(b'{"error":{"message":"theirs"}}', status, "Retry-After: 7", content_type=kind)
    hop.upstream.always(Read(), Send(data))
    answer = hop.ask(post(data=body(stream=True)))
    assert answer.status == int(status.split(maxsplit=1)[0])
    assert answer.body == b'{"error":{"message":"theirs"}}'
    assert answer.complete
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["content-type"] == kind
    assert hop.seen == 1
