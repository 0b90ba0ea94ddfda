"""A client that does not read stops the upstream; nothing piles up in between."""

import time
from collections.abc import Iterator

import pytest

from tests.support.hop import Hop, body, post, start_hop
from tests.support.streams import EVENTS, whole
from tests.support.upstream import (
    AwaitClose,
    Pause,
    Pour,
    Read,
    Send,
    Upstream,
    chunk,
    stream_head,
)

pytestmark = pytest.mark.behaviour("B10")

# What the kernel may hold in the buffers of four sockets, generously.
KERNEL_BYTES_MAX = 40 << 20
HALF = EVENTS["chat"][1] * 200

SHORT = """\
limits: {write_stall_ms: 700}
routes:
  short:
    models: ["up/*", "claude/*"]
    targets: [{provider: up, model: m}]
    deadlines: {connect_ms: 700, first_byte_ms: 700, progress_ms: 700}
  total:
    models: [total]
    targets: [{provider: up, model: m}]
    deadlines: {total_ms: 900}
"""


@pytest.fixture(scope="module")
def short_hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with Upstream() as upstream:
        hop = start_hop(tmp_path_factory.mktemp("short"), upstream, SHORT, "--workers", "1")
        yield hop
        hop.running.stop()


@pytest.fixture
def short(short_hop: Hop) -> Hop:
    """A gateway that waits 700 ms for anything."""
    short_hop.upstream.reset()
    return short_hop


@pytest.mark.parametrize("http", ["HTTP/1.1", "HTTP/1.0"])
def test_a_stream_that_nobody_reads_is_not_read_either(hop: Hop, http: str) -> None:
    hop.still_works()
    hop.upstream.reset()
    before = hop.running.resident_kib
    pour = Pour(chunk(HALF), bytes_max=256 << 20)
    hop.upstream.once(Read(), Send(stream_head()), pour, AwaitClose())
    with hop.connect() as wire:
        wire.send(post(data=body(stream=True)).replace(b" HTTP/1.1\r\n", f" {http}\r\n".encode()))
        # The script is for this exchange: no other may begin before it.
        hop.upstream.wait_for(requests=1)
        deadline = time.monotonic() + 8
        while not hop.upstream.poured:
            assert time.monotonic() < deadline
            # Others are served all the while.
            assert hop.ask(post()).status == 200
        assert 0 < hop.upstream.poured < KERNEL_BYTES_MAX
        assert hop.running.resident_kib - before < 2 << 10
    hop.upstream.wait_for(cancelled=1)


def test_a_reader_that_wakes_up_gets_everything(hop: Hop) -> None:
    events = [EVENTS["chat"][1] * 50] * 2000 + [EVENTS["chat"][-1]]
    hop.upstream.once(Read(), Send(stream_head() + b"".join(map(chunk, events)) + chunk(b"")))
    with hop.connect() as wire:
        wire.send(post(data=body(stream=True)))
        hop.upstream.wait_for(requests=1)
        hop.still_works()
        answer = wire.answer()
    assert answer.complete
    assert answer.body == b"".join(events)


def test_a_reader_that_never_wakes_up_is_left_in_the_end(short: Hop) -> None:
    short.upstream.once(
        Read(), Send(stream_head()), Pour(chunk(HALF), 256 << 20, stall_s=0.3), AwaitClose()
    )
    with short.connect() as wire:
        wire.send(post(data=body(stream=True)))
        short.upstream.wait_for(cancelled=1)
        # What comes is cut, not ended.
        assert not wire.read_to_end().endswith(b"0\r\n\r\n")


@pytest.mark.behaviour("B11")
def test_comments_keep_a_silent_stream_alive(short: Hop) -> None:
    pulses = [action for _ in range(5) for action in (Send(chunk(b": ping\n\n")), Pause(0.35))]
    rest = b"".join(map(chunk, EVENTS["chat"])) + chunk(b"")
    short.upstream.once(Read(), Send(stream_head()), *pulses, Send(rest))
    answer = short.ask(post(data=body(stream=True)))
    assert answer.complete
    assert answer.body == b": ping\n\n" * 5 + whole("chat")


@pytest.mark.behaviour("B26")
def test_a_stream_that_falls_silent_is_broken_off_after_its_deadline(short: Hop) -> None:
    short.upstream.once(Read(), Send(stream_head() + chunk(EVENTS["chat"][0])), AwaitClose())
    began = time.monotonic()
    answer = short.ask(post(data=body(stream=True)))
    assert 0.65 < time.monotonic() - began < 1.5
    assert not answer.complete
    assert b'"code":"upstream_timeout"' in answer.body
    short.upstream.wait_for(cancelled=1)


@pytest.mark.behaviour("B26")
@pytest.mark.parametrize("model", [b"up/m", b"total"])
def test_an_upstream_that_does_not_begin_in_time_is_a_504(short: Hop, model: bytes) -> None:
    short.upstream.once(Read(), AwaitClose())
    began = time.monotonic()
    answer = short.ask(post(data=body().replace(b"up/m", model)))
    assert 0.65 < time.monotonic() - began < 1.8
    assert answer.status == 504
    assert b'"code":"upstream_timeout"' in answer.body
    assert "x-should-retry" not in answer.headers
    assert answer.headers["x-request-id"]
    short.upstream.wait_for(cancelled=1)


@pytest.mark.behaviour("B26")
def test_the_total_deadline_ends_a_stream_that_goes_on_and_on(short: Hop) -> None:
    pulses = [action for _ in range(20) for action in (Send(chunk(b": ping\n\n")), Pause(0.1))]
    short.upstream.once(Read(), Send(stream_head()), *pulses)
    began = time.monotonic()
    answer = short.ask(post(data=body(stream=True).replace(b"up/m", b"total")))
    assert 0.8 < time.monotonic() - began < 1.8
    assert not answer.complete
    assert b'"code":"upstream_timeout"' in answer.body
