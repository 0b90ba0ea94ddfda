"""A client that leaves takes its request with it: the upstream sees the close and can stop."""

import statistics
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest

from tests.behaviour.failure.several import data, metric
from tests.behaviour.process.programs import wait_until
from tests.support.hop import PATHS, Hop, body, post, start_hop
from tests.support.streams import EVENTS, SURFACES, TEXT
from tests.support.upstream import (
    Action,
    AwaitClose,
    Pause,
    Read,
    Send,
    Upstream,
    chunk,
    stream_head,
)
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
    whole = stream_head() + b"".join(chunk(event) for event in events) + chunk(b"")
    hop.upstream.once(Read(), Send(whole, piece=40))
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


PRICED = """\
catalog:
  models:
    up/m: {price: {input: 3, output: 15}}
    claude/m: {price: {input: 3, output: 15}}
"""


def message_start(input_tokens: int, output_tokens: int) -> bytes:
    """How a stream of Anthropic's begins: what was read is told first."""
    usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "usage": usage}
    event = msgspec.json.encode({"type": "message_start", "message": message})
    return b"event: message_start\ndata: %s\n\n" % event


def said_so_far(word: str, completion_tokens: int) -> bytes:
    """A word of a stream whose every event tells what was used until then."""
    usage = {"prompt_tokens": 100, "completion_tokens": completion_tokens}
    choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
    return data({"id": "c", "choices": [choice], "usage": usage})


FIRST = TEXT.split()[0]
# 100 tokens read and 3 written.
TOLD = {
    "claude": [message_start(100, 3), *EVENTS["messages"][1:4]],
    "up": [said_so_far(word, used) for used, word in enumerate(("one", "two", FIRST), start=1)],
}
COST_MICRO_USD = 100 * 3 + 3 * 15


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with Upstream() as upstream:
        folder = tmp_path_factory.mktemp("priced")
        hop = start_hop(folder, upstream, PRICED, "--workers", "1")
        yield hop
        hop.running.stop()


@pytest.mark.parametrize("leave", LEAVE)
@pytest.mark.parametrize(
    ("surface", "provider"), [("messages", "claude"), ("chat", "up"), ("chat", "claude")]
)
def test_what_was_told_before_the_client_left_is_counted_and_charged_once(
    priced: Hop, surface: str, provider: str, leave: str
) -> None:
    def counted() -> list[float]:
        return [
            metric(
                priced.running, "llm_edge_requests_total", provider=provider, status="cancelled"
            ),
            metric(priced.running, "llm_edge_tokens_total", provider=provider, type="input"),
            metric(priced.running, "llm_edge_tokens_total", provider=provider, type="output"),
            round(metric(priced.running, "llm_edge_cost_usd_total", provider=provider) * 1e6),
        ]

    sent = Send(stream_head() + b"".join(map(chunk, TOLD[provider])))
    priced.upstream.reset()
    priced.upstream.always(Read(), sent, AwaitClose())
    before = counted()
    with priced.connect() as wire:
        asked = body(surface, stream=True).replace(b"up/m", f"{provider}/m".encode())
        wire.send(post(PATHS[surface], asked))
        wire.read_until(FIRST.encode())
        LEAVE[leave](wire)
        priced.upstream.wait_for(requests=1, cancelled=1)
    expected = [was + more for was, more in zip(before, [1, 100, 3, COST_MICRO_USD], strict=True)]
    wait_until(lambda: counted()[0] == expected[0])
    assert counted() == expected
