"""A client that leaves takes its request with it: the upstream sees the close and can stop."""

import statistics
import time
from collections.abc import Callable

import pytest

from tests.support.hop import PATHS, Hop, body, post
from tests.support.streams import EVENTS, SURFACES
from tests.support.upstream import Action, AwaitClose, Pause, Read, Send, chunk, stream_head
from tests.support.wire import Wire

pytestmark = pytest.mark.behaviour("B01")

ROUNDS = 5
LEAVE: dict[str, Callable[[Wire], None]] = {
    "close": lambda wire: wire.__exit__(),
    "reset": lambda wire: wire.reset(),
    "half-close": lambda wire: wire.send_end(),
}

UNARY_BEGIN = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"
)


def windows(surface: str) -> dict[str, tuple[list[Action], bytes]]:
    """What the upstream has sent when the client leaves, and what the client has seen of it."""
    first = EVENTS[surface][0]
    return {
        "before the reply": ([], b""),
        "after the head": ([Send(stream_head())], b"\r\n\r\n"),
        "mid-stream": ([Send(stream_head() + chunk(first))], first[-10:]),
        # Half an event may be kept back until the rest of it comes.
        "mid-event": (
            [Send(stream_head()), Pause(0.05), Send(chunk(first)[:-9])],
            b"\r\n\r\n",
        ),
        "mid-body": ([Send(UNARY_BEGIN)], b"\r\n\r\n{"),
    }


@pytest.mark.parametrize("leave", LEAVE)
@pytest.mark.parametrize("window", windows("chat"))
@pytest.mark.parametrize("surface", SURFACES)
def test_the_upstream_sees_that_the_client_has_left(
    hop: Hop, surface: str, window: str, leave: str
) -> None:
    actions, seen = windows(surface)[window]
    hop.upstream.always(Read(), *actions, AwaitClose())
    took = []
    for round_number in range(1, ROUNDS + 1):
        with hop.connect() as wire:
            wire.send(post(PATHS[surface], body(surface, stream=window != "mid-body")))
            hop.upstream.wait_for(requests=round_number)
            if seen:
                wire.read_until(seen)
            began = time.monotonic()
            LEAVE[leave](wire)
            hop.upstream.wait_for(cancelled=round_number)
            took.append(time.monotonic() - began)
    assert statistics.median(took) <= 0.25
    assert max(took) <= 1.0
    # Each was executed once, and nothing was tried again for somebody who has left.
    assert hop.upstream.begun == hop.seen == ROUNDS


def test_a_client_that_leaves_harms_nobody_else(hop: Hop) -> None:
    hop.upstream.once(Read(), AwaitClose())
    with hop.connect() as staying:
        staying.send(post())
        assert hop.upstream.begun <= 1
        with hop.connect() as leaving:
            leaving.send(post())
            hop.upstream.wait_for(requests=2)
        # One of the two was told nothing; the other one has its answer or still waits.
    hop.upstream.reset()
    hop.still_works()


def test_a_client_that_speaks_ahead_has_not_left(hop: Hop) -> None:
    events = EVENTS["chat"]
    data = stream_head() + b"".join(chunk(event) for event in events) + chunk(b"")
    hop.upstream.once(Read(), Send(data, piece=40))
    with hop.connect() as wire:
        wire.send(post(data=body(stream=True)) + post() * 20)
        assert wire.answer().body == b"".join(events)
        assert [wire.answer().status for _ in range(20)] == [200] * 20
    assert hop.seen == 21


@pytest.mark.parametrize("leave", LEAVE)
def test_a_client_that_has_sent_far_ahead_is_missed_all_the_same(hop: Hop, leave: str) -> None:
    hop.upstream.always(Read(), Send(stream_head()), AwaitClose())
    # What the gateway holds, and some of what its system holds for it. An end behind more than both
    # have room for reaches nobody.
    for ahead in (70_000, 110_000):
        before = hop.upstream.cancelled
        with hop.connect() as wire:
            wire.send(post(data=body(stream=True)) + post(data=body(text="x" * ahead)))
            wire.read_until(b"\r\n\r\n")
            # It is all there, and the gateway has stopped to read.
            wire.wait_until_received()
            hop.upstream.pause(0.1)
            began = time.monotonic()
            LEAVE[leave](wire)
            hop.upstream.wait_for(cancelled=before + 1, timeout_s=2)
            assert time.monotonic() - began < 0.5
    assert hop.upstream.begun == 2
