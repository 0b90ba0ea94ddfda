"""A second attempt beside a slow one: the first to reply wins, the other is cancelled (B27)."""

import threading
import time
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.failure.several import (
    data,
    delta,
    good,
    question,
    refusal,
    several,
    streamed,
)
from tests.support.hop import post
from tests.support.upstream import AwaitClose, Close, Pause, Read, Send, Wait, chunk, reply

pytestmark = pytest.mark.behaviour("B27")

HEDGED = "hedge: {delay_ms: 100, spend_percent: 100}"
PRICED = """\
catalog:
  models:
    a/m: {price: {input: 1, output: 2}}
    b/m: {price: {input: 10, output: 20}}
"""
PRICES = {"a": (1, 2), "b": (10, 20)}


def name(body: bytes) -> str:
    """Which upstream gave this reply."""
    return str(msgspec.json.decode(body)["id"])


def test_a_slow_one_is_overtaken_and_cancelled(tmp_path: Path) -> None:
    with several(tmp_path, HEDGED) as many:
        many.upstreams["a"].always(Read(), AwaitClose())
        started = time.monotonic()
        answer = many.ask()
        took = time.monotonic() - started
        assert (answer.status, name(answer.body)) == (200, "b")
        assert 0.1 <= took < 0.4, took
        many.upstreams["a"].wait_for(requests=1, cancelled=1, timeout_s=0.5)
        assert answer.headers["x-llm-edge-attempts"] == "2"
        assert many.metric("llm_edge_hedges_total", route="chat", result="won") == 1
        assert (
            many.metric("llm_edge_upstream_attempts_total", provider="a", result="cancelled") == 1
        )
        # Only the reply that was read is counted as one.
        assert many.metric("llm_edge_requests_total", provider="a") == 0
        assert many.metric("llm_edge_requests_total", provider="b", status="2xx") == 1


def test_a_fast_one_is_never_hedged(tmp_path: Path) -> None:
    with several(tmp_path, HEDGED) as many:
        assert {name(many.ask().body) for _ in range(20)} == {"a"}
        assert many.seen() == [20, 0]


def test_the_first_may_still_win(tmp_path: Path) -> None:
    with several(tmp_path, HEDGED) as many:
        many.upstreams["a"].always(Read(), Pause(0.3), Send(good("a")))
        many.upstreams["b"].always(Read(), AwaitClose())
        answer = many.ask()
        assert name(answer.body) == "a"
        many.upstreams["b"].wait_for(requests=1, cancelled=1, timeout_s=0.5)
        assert many.metric("llm_edge_hedges_total", result="lost") == 1


@pytest.mark.parametrize("failure", ["refuses", "leaves"])
def test_the_one_that_fails_leaves_the_word_to_the_other(tmp_path: Path, failure: str) -> None:
    with several(tmp_path, HEDGED) as many:
        fails = Send(refusal("503 Busy")) if failure == "refuses" else Close()
        many.upstreams["a"].always(Read(), Pause(0.5), Send(good("a")))
        many.upstreams["b"].always(Read(), fails)
        answer = many.ask()
        assert (answer.status, name(answer.body)) == (200, "a")


def test_second_attempts_stay_within_their_share(tmp_path: Path) -> None:
    route = "hedge: {delay_ms: 20, spend_percent: 5}\nbreaker: {enabled: false}"
    with several(tmp_path, route) as many:
        many.upstreams["a"].always(Read(), Pause(0.1), Send(good("a")))
        for _ in range(40):
            assert many.ask().status == 200
        # A twentieth of forty, and ten that a route may spend at once.
        assert 10 <= many.seen()[1] <= 13
        assert many.metric("llm_edge_hedges_total", result="capped") >= 27


def test_without_a_delay_the_slowest_twentieth_is_hedged(tmp_path: Path) -> None:
    with several(tmp_path, "hedge: {spend_percent: 100}") as many:
        for _ in range(40):
            many.ask()
        before = many.seen()[1]
        many.upstreams["a"].always(Read(), AwaitClose())
        started = time.monotonic()
        assert name(many.ask().body) == "b"
        assert time.monotonic() - started < 1
        assert many.seen()[1] == before + 1


def told(prompt_tokens: int, completion_tokens: int) -> bytes:
    """The event of a stream that tells its usage."""
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    return data({"id": "c", "choices": [], "usage": usage})


@pytest.mark.parametrize("before", ["half a head", "nothing yet", "a refusal"])
@pytest.mark.parametrize(("winner", "loser"), [("a", "b"), ("b", "a")])
def test_what_the_loser_has_sent_is_neither_counted_nor_charged(
    tmp_path: Path, winner: str, loser: str, before: str
) -> None:
    lost = streamed(delta(content="lost"), told(1000, 500))
    first, rest = {
        "half a head": (lost[:30], lost[30:]),
        "nothing yet": (b"", lost),
        "a refusal": (reply(b'{"error":{},"usage":{"prompt_tokens":1000}}', "503 Busy"), b""),
    }[before]
    decided, go_on = threading.Event(), threading.Event()
    with several(tmp_path, HEDGED, more=PRICED) as many:
        loses = (Pause(0.15), Send(first), Wait(decided), Send(rest), AwaitClose())
        many.upstreams[loser].always(Read(), *loses)
        won = streamed(delta(content="won"), last=False)
        end = chunk(told(7, 5)) + chunk(b"data: [DONE]\n\n") + chunk(b"")
        # The second is asked before the first one wins.
        many.upstreams[winner].always(Read(), Pause(0.4), Send(won), Wait(go_on), Send(end))
        with many.hop.connect() as wire:
            wire.send(post(data=question(stream=True)))
            head = wire.read_until(b"won")
            decided.set()
            if before != "a refusal":
                many.upstreams[loser].wait_for(requests=1, cancelled=1)
            go_on.set()
            rest_of_it = wire.read_until(b"0\r\n\r\n")
        assert b"lost" not in head + rest_of_it
        assert many.seen() == [1, 1]
        assert many.metric("llm_edge_hedges_total", route="chat") == 1
        assert many.metric("llm_edge_tokens_total", type="input") == 7
        assert many.metric("llm_edge_tokens_total", type="output") == 5
        paid, generated = PRICES[winner]
        cost = (7 * paid + 5 * generated) / 1e6
        assert many.metric("llm_edge_cost_usd_total") == pytest.approx(cost)
        assert many.metric("llm_edge_cost_usd_total", provider=winner) == pytest.approx(cost)
