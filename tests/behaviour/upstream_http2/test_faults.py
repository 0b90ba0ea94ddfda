"""Failures over HTTP/2: exact or an explicit error, and tried again only where nothing was done."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import h2.errors
import msgspec
import openai
import pytest

from tests.behaviour.upstream_http2.conftest import Http2Hop, MakeHop
from tests.support.hop import KEY, body, post
from tests.support.http2_upstream import Handler, Http2Upstream, ServerStream
from tests.support.streams import EVENTS, whole
from tests.support.wire import Answer

REFUSED = h2.errors.ErrorCodes.REFUSED_STREAM


def _rst(stream: ServerStream) -> None:
    stream.events(upto=3, end=False)
    stream.reset()


def _cancel(stream: ServerStream) -> None:
    stream.events(upto=3, end=False)
    stream.reset(h2.errors.ErrorCodes.CANCEL)


def _no_error(stream: ServerStream) -> None:
    stream.events(upto=3, end=False)
    stream.reset(h2.errors.ErrorCodes.NO_ERROR)


def _refused_late(stream: ServerStream) -> None:
    stream.events(upto=3, end=False)
    stream.reset(REFUSED)


def _fin(stream: ServerStream) -> None:
    stream.events(upto=3, end=False)
    stream.close()


def _tcp_reset(stream: ServerStream) -> None:
    stream.events(upto=3, end=False)
    stream.close(rst=True)


def _goaway_and_close(stream: ServerStream) -> None:
    stream.events(upto=3, end=False)
    stream.goaway(code=h2.errors.ErrorCodes.INTERNAL_ERROR)
    stream.close()


def _no_terminal_event(stream: ServerStream) -> None:
    stream.events(upto=3)


CUTS: list[Handler] = [
    _rst,
    _cancel,
    _no_error,
    _refused_late,
    _fin,
    _tcp_reset,
    _goaway_and_close,
    _no_terminal_event,
]


@pytest.mark.behaviour("B02")
@pytest.mark.behaviour("B04")
@pytest.mark.parametrize("cut", CUTS)
def test_a_stream_that_breaks_off_is_told_as_an_error_and_not_begun_again(
    hop2: Http2Hop, cut: Handler
) -> None:
    hop2.upstream.once(cut)
    answer = hop2.ask(post(data=body(stream=True)))
    assert answer.status == 200
    assert answer.body.startswith(b"".join(EVENTS["chat"][:3]))
    assert b'"error"' in answer.body
    assert b"[DONE]" not in answer.body
    # The error is the last thing, and the body is not ended as if it were whole.
    assert not answer.complete
    assert len(hop2.upstream.requests) == 1
    # The gateway is none the worse.
    assert hop2.ask(post()).body == b"{}"


@pytest.mark.behaviour("B04")
@pytest.mark.parametrize("cut", CUTS)
def test_the_sdk_raises(hop2: Http2Hop, cut: Handler) -> None:
    hop2.upstream.once(cut)
    with openai.OpenAI(base_url=hop2.running.api, api_key=KEY, max_retries=0) as client:
        said = [{"role": "user", "content": "x"}]
        stream = client.chat.completions.create(model="up/m", messages=said, stream=True)
        with pytest.raises(openai.APIError):
            list(stream)


@pytest.mark.behaviour("B04")
@pytest.mark.parametrize("length", [None, 20])
def test_a_document_that_breaks_off_does_not_end_whole(hop2: Http2Hop, length: int | None) -> None:
    def half(stream: ServerStream) -> None:
        fields = [("content-length", str(length))] if length else []
        stream.head(200, ("content-type", "application/json"), *fields)
        stream.data(b'{"a": 1234')
        stream.reset()

    hop2.upstream.once(half)
    answer = hop2.ask(post())
    assert not answer.complete or answer.status == 502


@pytest.mark.behaviour("B04")
def test_a_body_of_another_length_than_announced_does_not_end_whole(hop2: Http2Hop) -> None:
    def short(stream: ServerStream) -> None:
        stream.head(200, ("content-type", "application/json"), ("content-length", "20"))
        stream.data(b'{"a": 1234}', end=True)

    hop2.upstream.once(short)
    answer = hop2.ask(post())
    assert not answer.complete or answer.status == 502


@pytest.mark.behaviour("B03")
def test_a_refused_stream_is_tried_again(hop2: Http2Hop) -> None:
    hop2.upstream.once(lambda stream: stream.reset(REFUSED))
    hop2.upstream.once(lambda stream: stream.reset(REFUSED))
    assert hop2.ask(post()).body == b"{}"
    assert len(hop2.upstream.requests) == 3


@pytest.mark.behaviour("B03")
def test_an_upstream_that_refuses_for_ever_is_given_up(hop2: Http2Hop) -> None:
    hop2.upstream.always(lambda stream: stream.reset(REFUSED))
    answer = hop2.ask(post())
    assert answer.status == 502
    # Nothing was done, so the client may try again.
    assert answer.values("x-should-retry") == ["true"]
    assert len(hop2.upstream.requests) < 10


@pytest.mark.behaviour("B03")
@pytest.mark.parametrize("code", ["INTERNAL_ERROR", "CANCEL", "NO_ERROR", "ENHANCE_YOUR_CALM"])
def test_a_stream_reset_otherwise_may_have_been_executed_and_is_not_tried_again(
    hop2: Http2Hop, code: str
) -> None:
    hop2.upstream.once(lambda stream: stream.reset(h2.errors.ErrorCodes[code]))
    answer = hop2.ask(post())
    assert answer.status == 502
    assert answer.values("x-should-retry") != ["true"]
    assert len(hop2.upstream.requests) == 1


@pytest.mark.behaviour("B03")
@pytest.mark.parametrize("rst", [False, True])
def test_a_connection_lost_before_the_reply_is_not_tried_again(hop2: Http2Hop, rst: bool) -> None:
    hop2.upstream.once(lambda stream: stream.close(rst=rst))
    answer = hop2.ask(post())
    assert answer.status == 502
    assert answer.values("x-should-retry") != ["true"]
    assert len(hop2.upstream.requests) == 1


@pytest.mark.behaviour("B03")
def test_a_stream_above_the_last_of_a_goaway_is_tried_again(hop2: Http2Hop) -> None:
    def refuse_all(stream: ServerStream) -> None:
        stream.goaway(last=0)

    hop2.upstream.once(refuse_all)
    assert hop2.ask(post()).body == b"{}"
    assert len(hop2.upstream.connections) == 2


@pytest.mark.behaviour("B03")
def test_a_connection_closed_while_idle_costs_no_request(hop2: Http2Hop) -> None:
    for _ in range(20):
        assert hop2.ask(post()).status == 200
        hop2.upstream.connections[-1].close()
    assert len(hop2.upstream.requests) == 20


def test_a_graceful_goaway_under_load_fails_nothing(make_hop: MakeHop) -> None:
    hop = make_hop(Http2Upstream())
    count = threading.Lock()
    served = 0

    def leave_now_and_then(stream: ServerStream) -> None:
        nonlocal served
        with count:
            served += 1
            leave = served % 25 == 0 and stream.connection.leaving is None
            if leave:
                stream.goaway()
        stream.events()

    hop.upstream.always(leave_now_and_then)

    def some(_: int) -> list[Answer]:
        return [hop.ask(post(data=body(stream=True))) for _ in range(20)]

    with ThreadPoolExecutor(16) as pool:
        answers = [each for some_answers in pool.map(some, range(16)) for each in some_answers]
    assert [answer.body for answer in answers] == [whole("chat")] * 320
    assert len(hop.upstream.connections) > 5


def test_a_dead_peer_is_found_by_its_silence(make_hop: MakeHop) -> None:
    hop = make_hop(Http2Upstream(), "limits: {upstream_ping_ms: 300}")

    def freeze(stream: ServerStream) -> None:
        stream.events(upto=2, end=False)
        hop.upstream.silent = True
        stream.wait_for_reset()

    hop.upstream.once(freeze)
    began = time.monotonic()
    answer = hop.ask(post(data=body(stream=True)))
    assert b'"error"' in answer.body
    assert not answer.complete
    assert 0.3 <= time.monotonic() - began < 3
    hop.upstream.silent = False
    assert hop.ask(post()).status == 200
    assert len(hop.upstream.connections) == 2


@pytest.mark.behaviour("B11")
def test_a_peer_that_thinks_answers_pings_and_is_left_alone(make_hop: MakeHop) -> None:
    hop = make_hop(Http2Upstream(), "limits: {upstream_ping_ms: 150}")

    def think(stream: ServerStream) -> None:
        time.sleep(1.5)
        stream.events()

    hop.upstream.always(think)
    assert hop.ask(post(data=body(stream=True))).body == whole("chat")
    assert hop.upstream.connections[0].pings >= 3


def test_an_old_connection_takes_no_more_requests_and_its_stream_goes_on(make_hop: MakeHop) -> None:
    hop = make_hop(Http2Upstream(), "limits: {upstream_age_max_ms: 500}")
    go_on = threading.Event()

    def slow(stream: ServerStream) -> None:
        stream.events(upto=2, end=False)
        go_on.wait(10)
        for event in EVENTS["chat"][2:]:
            stream.data(event)
        stream.data(b"", end=True)

    hop.upstream.once(slow)
    with hop.connect() as wire:
        wire.send(post(data=body(stream=True)))
        wire.read_until(b"data: ")
        deadline = time.monotonic() + 8
        while len(hop.upstream.connections) < 2:
            assert time.monotonic() < deadline
            assert hop.ask(post()).status == 200
            time.sleep(0.1)
        go_on.set()
        wire.read_until(b"[DONE]")
    # The old one is closed when its last stream has ended.
    deadline = time.monotonic() + 5
    while not hop.upstream.connections[0].ended:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_garbage_in_place_of_http2_is_an_explicit_error(make_hop: MakeHop) -> None:
    hop = make_hop(Http2Upstream())

    def garbage(stream: ServerStream) -> None:
        with stream.connection.changed:
            stream.connection.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" * 10)

    hop.upstream.once(garbage)
    answer = hop.ask(post())
    assert answer.status == 502
    assert msgspec.json.decode(answer.body)["error"]["code"].startswith("upstream_")
    assert hop.ask(post()).status == 200
