"""Clients that take their time: bodies that drip, and one address that holds many places."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.frames import DATA, END_HEADERS, HEADERS, Frames, block, frame, get
from tests.support.gateway import Running
from tests.support.hop import CHAT, KEY, Hop, body, post, start_hop
from tests.support.http2 import Http2
from tests.support.streams import EVENTS
from tests.support.upstream import AwaitClose, Read, Send, Upstream, chunk, stream_head
from tests.support.wire import Wire

pytestmark = pytest.mark.behaviour("B18")

LIMITS = """\
limits:
  head_ms: 600
  body_progress_ms: 600
  body_bytes_per_s_min: 1000
  connections_per_client_max: 10
"""
AUTH = ("authorization", f"Bearer {KEY}")


@pytest.fixture(scope="module")
def slow_hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with Upstream() as upstream:
        hop = start_hop(tmp_path_factory.mktemp("slow"), upstream, LIMITS, "--workers", "2")
        yield hop
        hop.running.stop()


@pytest.fixture
def slow(slow_hop: Hop) -> Hop:
    slow_hop.upstream.reset()
    return slow_hop


def test_the_default_deadline_of_a_head_is_ten_seconds_at_most(hop: Hop) -> None:
    assert hop.running.ask_admin("config")["limits"]["head_ms"] <= 10_000


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_drips_is_refused_however_steadily_it_comes(slow: Hop, framing: str) -> None:
    head = post(CHAT, b"")
    announced = b"Content-Length: 4000" if framing == "length" else b"Transfer-Encoding: chunked"
    piece = b"x" if framing == "length" else b"1\r\nx\r\n"
    began = time.monotonic()
    with slow.connect() as wire:
        wire.send(head.replace(b"Content-Length: 0", announced))
        # A byte each 50 ms is never a stall, and never fast enough.
        while not wire.readable_within(0.05):
            wire.send(piece)
            assert time.monotonic() - began < 5
        answer = wire.answer()
    error = msgspec.json.decode(answer.body)["error"]
    assert answer.status == 408
    assert "limits.body_bytes_per_s_min" in error["message"]
    assert 0.6 <= time.monotonic() - began < 2
    assert slow.upstream.begun == 0


def test_a_body_that_drips_on_a_stream_is_refused_and_the_others_go_on(slow: Hop) -> None:
    began = time.monotonic()
    asked = block(get(CHAT, AUTH, ("content-type", "application/json"), method="POST"))
    with Frames(slow.running.address) as attacker:
        attacker.send(frame(HEADERS, END_HEADERS, 1, asked))
        answered: list[bytes] = []
        while not answered:
            attacker.send(frame(DATA, 0, 1, b"x"))
            assert time.monotonic() - began < 5
            answered = [p for kind, _, one, p in attacker.frames(0.05) if (kind, one) == (DATA, 1)]
        assert b"limits.body_bytes_per_s_min" in answered[0]
        assert 0.6 <= time.monotonic() - began < 2
        attacker.send(frame(HEADERS, END_HEADERS | 1, 3, block(get("/livez"))))
        assert any((kind, one) == (DATA, 3) for kind, _, one, _ in attacker.frames(2))
    assert slow.upstream.begun == 0


@pytest.mark.parametrize("pause_s", [0.0, 0.3])
def test_a_body_that_is_fast_enough_may_take_longer_than_one_wait(
    slow: Hop, pause_s: float
) -> None:
    data = body(text="x" * 4000)
    request = post(CHAT, data)
    with slow.connect() as wire:
        wire.send(request[: len(request) - len(data)])
        for at in range(0, len(data), 800):
            time.sleep(pause_s)
            wire.send(data[at : at + 800])
        assert wire.answer().status == 200
    assert slow.upstream.requests[0].body == data.replace(b"up/m", b"m")


def connect(running: Running, source: str) -> Wire:
    return Wire(running.address, source=source)


def served(running: Running, source: str) -> bool:
    with connect(running, source) as wire:
        wire.send(b"GET /livez HTTP/1.1\r\nHost: edge\r\n\r\n")
        return wire.readable_within(2) and not wire.ended()


REFUSED = 'llm_edge_connections_refused_total{reason="connections_per_client_max"}'


@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
def test_one_address_has_its_share_of_connections_and_others_are_served(
    slow: Hop, protocol: str
) -> None:
    slow.upstream.always(
        Read(), Send(stream_head() + chunk(EVENTS["chat"][0])), AwaitClose(seconds=20)
    )
    source = "127.0.0.11" if protocol == "HTTP/1.1" else "127.0.0.12"
    before = slow.running.scrape()[REFUSED]
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            if protocol == "HTTP/1.1":
                wire = stack.enter_context(connect(slow.running, source))
                wire.send(post(data=body(stream=True)))
                wire.read_until(EVENTS["chat"][0][-20:])
            else:
                client = stack.enter_context(Http2(slow.running.address, source=source))
                number = client.request(CHAT, body(stream=True), AUTH)
                client.wait_for(number, EVENTS["chat"][0])
        for _ in range(5):
            with connect(slow.running, source) as wire:
                assert wire.ended()
        assert served(slow.running, "127.0.0.13")
        assert slow.running.scrape()[REFUSED] == before + 5
    # The places of those that left are free again.
    end = time.monotonic() + 5
    while not served(slow.running, source):
        assert time.monotonic() < end
    end = time.monotonic() + 3
    while '"event":"connections_refused"' not in slow.running.log():
        assert time.monotonic() < end, "the log does not say so"
        time.sleep(0.05)


def test_without_a_setting_one_address_leaves_a_quarter_to_the_others(
    tmp_path: Path, upstream: Upstream
) -> None:
    limits = "limits: {connections_max: 40}"
    hop = start_hop(tmp_path / "share", upstream, limits, "--workers", "1")
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(connect(hop.running, "127.0.0.21"))
        end = time.monotonic() + 5
        while hop.running.scrape()[REFUSED] < 10:
            assert time.monotonic() < end
        assert served(hop.running, "127.0.0.22")
    hop.running.stop()
