"""Every bound a client can meet is named in the error it gets."""

import time
from collections.abc import Iterator

import msgspec
import pytest

from tests.support.hop import CHAT, KEY, Hop, body, post, start_hop
from tests.support.upstream import Upstream
from tests.support.wire import Answer, exchange

pytestmark = pytest.mark.behaviour("B17")

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: edge\r\n\r\n"
LIMITS = """\
limits:
  body_bytes_max: 200000
  buffered_bytes_max: 250000
  head_bytes_max: 2048
  headers_max: 20
  target_bytes_max: 200
  head_ms: 700
  body_progress_ms: 700
  idle_ms: 700
  connections_max: 40
  connections_per_client_max: 40
"""


@pytest.fixture(scope="module")
def narrow_hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with Upstream() as upstream:
        hop = start_hop(tmp_path_factory.mktemp("narrow"), upstream, LIMITS, "--workers", "1")
        yield hop
        hop.running.stop()


@pytest.fixture
def narrow(narrow_hop: Hop) -> Hop:
    narrow_hop.upstream.reset()
    return narrow_hop


def refused(answer: Answer, status: int, limit: str) -> None:
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, limit in error["message"]) == (status, True), error
    assert answer.headers["x-request-id"]


def of_size(size: int) -> bytes:
    data = body(text="")
    return body(text="x" * (size - len(data)))


def chunked(data: bytes, piece: int = 50_000) -> bytes:
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer {KEY}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces)
    return head.encode() + chunks + b"0\r\n\r\n"


def test_a_body_may_be_as_large_as_the_limit_and_no_larger(narrow: Hop) -> None:
    fits, exceeds = of_size(200_000), of_size(200_001)
    assert narrow.ask(post(CHAT, fits)).status == 200
    assert narrow.ask(chunked(fits)).status == 200
    assert [got.body for got in narrow.upstream.requests] == [fits.replace(b"up/m", b"m")] * 2
    refused(narrow.ask(post(CHAT, exceeds)), 413, "limits.body_bytes_max")
    refused(narrow.ask(chunked(exceeds)), 413, "limits.body_bytes_max")
    assert narrow.upstream.begun == 2


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(narrow: Hop) -> None:
    head = post(CHAT, b"").replace(b"Content-Length: 0", b"Content-Length: 200001")
    with narrow.connect() as wire:
        began = time.monotonic()
        wire.send(head)
        refused(wire.answer(), 413, "limits.body_bytes_max")
        assert time.monotonic() - began < 0.5


def test_a_client_that_goes_on_sending_still_reads_why_it_was_refused(narrow: Hop) -> None:
    data = of_size(8_000_000)
    with narrow.connect() as wire:
        wire.send(post(CHAT, data))
        refused(wire.answer(), 413, "limits.body_bytes_max")
        assert wire.read_to_end() == b""
        assert not wire.was_reset


def test_bodies_together_have_a_limit_of_their_own(narrow: Hop) -> None:
    data = post(CHAT, of_size(150_000))
    with narrow.connect() as first, narrow.connect() as second:
        first.send(data[:-1])
        first_is_held(narrow)
        second.send(data)
        answer = second.answer()
        refused(answer, 503, "limits.buffered_bytes_max")
        assert answer.headers["retry-after"] == "1"
        first.send(data[-1:])
        assert first.answer().status == 200
    # What was held is given back.
    assert narrow.ask(data).status == 200


def first_is_held(hop: Hop) -> None:
    # One worker: it answers this only after it has read what came before.
    assert hop.ask(LIVEZ).status == 200


def test_a_target_has_a_length_limit(narrow: Hop) -> None:
    assert narrow.ask(post(CHAT + "?" + "q" * (199 - len(CHAT)))).status == 200
    refused(narrow.ask(post(CHAT + "?" + "q" * (200 - len(CHAT)))), 414, "limits.target_bytes_max")
    refused(narrow.ask(post(CHAT + "?" + "q" * 100_000)), 414, "limits.target_bytes_max")


def test_fields_have_a_number_limit(narrow: Hop) -> None:
    own = 4
    few = [f"X-{n}: 1" for n in range(20 - own)]
    assert narrow.ask(post(CHAT, body(), *few)).status == 200
    refused(narrow.ask(post(CHAT, body(), *few, "X-More: 1")), 431, "limits.headers_max")


def test_a_head_has_a_size_limit(narrow: Hop) -> None:
    assert narrow.ask(post(CHAT, body(), "X-Big: " + "x" * 1500)).status == 200
    refused(narrow.ask(post(CHAT, body(), "X-Big: " + "x" * 2048)), 431, "limits.head_bytes_max")
    flood = [f"X-{n}: {'y' * 50}" for n in range(2000)]
    assert narrow.ask(post(CHAT, body(), *flood)).status == 431
    assert narrow.upstream.begun == 1


@pytest.mark.behaviour("B18")
def test_a_head_that_does_not_end_in_time_is_refused(narrow: Hop) -> None:
    with narrow.connect() as wire:
        wire.send(post()[:30])
        refused(wire.answer(), 408, "limits.head_ms")


@pytest.mark.behaviour("B18")
def test_a_head_that_drips_is_refused_all_the_same(narrow: Hop) -> None:
    began = time.monotonic()
    with narrow.connect() as wire:
        for byte in post()[:200]:
            if wire.readable_within(0.02):
                break
            wire.send(bytes([byte]))
        refused(wire.answer(), 408, "limits.head_ms")
    assert time.monotonic() - began < 3


@pytest.mark.behaviour("B18")
def test_a_body_that_stops_coming_is_refused(narrow: Hop) -> None:
    with narrow.connect() as wire:
        wire.send(post()[:-5])
        refused(wire.answer(), 408, "limits.body_progress_ms")
    assert narrow.upstream.begun == 0


def test_an_idle_connection_is_closed_without_a_word(narrow: Hop) -> None:
    with narrow.connect() as wire:
        wire.send(post())
        assert wire.answer().status == 200
        assert wire.read_to_end() == b""
        assert not wire.was_reset


def test_connections_beyond_the_limit_are_closed_and_the_others_served(narrow: Hop) -> None:
    wires = [narrow.connect() for _ in range(60)]
    try:
        closed = sum(wire.readable_within(0.01) for wire in wires)
        assert 15 <= closed <= 25
    finally:
        for wire in wires:
            wire.reset()
    # The places of those that left are free again.
    end = time.monotonic() + 5
    while exchange(narrow.running.address, LIVEZ) == b"":
        assert time.monotonic() < end
    narrow.still_works()


@pytest.mark.parametrize("depth", [100_000])
def test_deep_json_is_answered_and_harms_nobody(narrow: Hop, depth: int) -> None:
    deep = b'{"model":"up/m","x":' + b"[" * (depth // 2) + b"]" * (depth // 2) + b"}"
    began = time.monotonic()
    answer = narrow.ask(post(CHAT, deep))
    assert answer.status in {200, 400}
    assert time.monotonic() - began < 2
    narrow.still_works()
