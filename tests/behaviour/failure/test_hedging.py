"""A second attempt beside a slow one: the first to reply wins, the other is cancelled (B27)."""

import time
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.failure.several import good, refusal, several
from tests.support.upstream import AwaitClose, Close, Pause, Read, Send, reply

pytestmark = pytest.mark.behaviour("B27")

HEDGED = "hedge: {delay_ms: 100, spend_percent: 100}"


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


def test_what_the_loser_used_is_not_billed(tmp_path: Path) -> None:
    def used(tokens: int) -> bytes:
        usage = {"prompt_tokens": tokens, "completion_tokens": 0}
        document = {"id": "x", "object": "chat.completion", "choices": [], "usage": usage}
        return reply(msgspec.json.encode(document))

    price = "price: {input: 1, output: 1}"
    catalog = f"catalog: {{models: {{a/m: {{{price}}}, b/m: {{{price}}}}}}}\n"
    with several(tmp_path, HEDGED, more=catalog) as many:
        # The slow one answers too, just after the other.
        many.upstreams["a"].always(Read(), Pause(0.35), Send(used(7000)))
        many.upstreams["b"].always(Read(), Pause(0.1), Send(used(1000)))
        assert many.ask().status == 200
        time.sleep(0.3)
        assert many.seen() == [1, 1]
        assert many.metric("llm_edge_tokens_total", type="input") == 1000
        assert many.metric("llm_edge_cost_usd_total") == pytest.approx(0.001)


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
