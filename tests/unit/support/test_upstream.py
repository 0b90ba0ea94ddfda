"""The instruments of the behaviour tests show what they are scripted to show."""

import threading
from collections.abc import Callable

import pytest

from tests.support.upstream import (
    AwaitClose,
    Close,
    Pause,
    Read,
    Reset,
    Send,
    Upstream,
    Wait,
    chunk,
    reply,
    stream_head,
)
from tests.support.wire import Wire, exchange, request


def test_a_scripted_reply_comes_back_and_the_request_is_kept(upstream: Upstream) -> None:
    upstream.always(Read(), Send(reply(b'{"a":1}'), piece=3))
    with Wire(upstream.address) as wire:
        wire.send(request("/x", b"body", "X-One: 1"))
        answer = wire.answer()
    assert (answer.status, answer.body, answer.complete) == (200, b'{"a":1}', True)
    upstream.wait_for(requests=1)
    assert upstream.requests[0].body == b"body"
    assert upstream.requests[0].headers["x-one"] == "1"
    assert upstream.requests[0].request_line == "POST /x HTTP/1.1"


def test_queued_scripts_come_first_and_one_connection_serves_many(upstream: Upstream) -> None:
    upstream.once(Read(), Send(reply(b"first")))
    with Wire(upstream.address) as wire:
        bodies = []
        for _ in range(2):
            wire.send(request("/"))
            bodies.append(wire.answer().body)
    assert bodies == [b"first", b"{}"]
    assert upstream.connections == 1


def test_a_chunked_request_body_is_joined(upstream: Upstream) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    exchange(upstream.address, head + chunk(b"ab") + chunk(b"c") + chunk(b""))
    upstream.wait_for(requests=1)
    assert upstream.requests[0].body == b"abc"


def test_an_incomplete_request_is_not_recorded(upstream: Upstream) -> None:
    assert exchange(upstream.address, request("/", b"abc")[:-1]) == b""
    assert upstream.requests == []


@pytest.mark.parametrize("end", [Close(), Reset()])
def test_a_stream_that_is_cut_is_seen_as_incomplete(upstream: Upstream, end: Close | Reset) -> None:
    event = chunk(b"data: 1\n\n")
    upstream.always(Read(), Send(stream_head() + event), Pause(0.05), end)
    with Wire(upstream.address) as wire:
        wire.send(request("/"))
        answer = wire.answer()
    assert answer.body == b"data: 1\n\n"
    assert not answer.complete


def test_a_peer_that_goes_away_is_counted(upstream: Upstream) -> None:
    upstream.always(Read(), Send(stream_head()), AwaitClose())
    with Wire(upstream.address) as wire:
        wire.send(request("/"))
        wire.read_until(b"\r\n\r\n")
    upstream.wait_for(requests=1, cancelled=1)


def test_an_event_of_the_test_releases_the_reply(upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.always(Read(), Wait(gate), Send(reply(b"late")))
    with Wire(upstream.address) as wire:
        wire.send(request("/"))
        upstream.wait_for(requests=1)
        gate.set()
        assert wire.answer().body == b"late"


def test_several_upstreams_have_addresses_of_their_own(upstreams: Callable[[], Upstream]) -> None:
    assert upstreams().url != upstreams().url
