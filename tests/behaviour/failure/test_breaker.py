"""A target that keeps failing is left alone, then asked by exactly so many (B25)."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.failure.several import data, delta, good, question, refusal, several, streamed
from tests.support.hop import post
from tests.support.upstream import Close, Pause, Read, Send, Wait

pytestmark = pytest.mark.behaviour("B25")

ALONE = "breaker: {failures: 3, open_ms: 700, probes: 2}\nretry: {attempts_max: 1}"


def test_after_its_failures_nobody_asks_it_and_the_error_says_when(tmp_path: Path) -> None:
    with several(tmp_path, ALONE, count=1) as many:
        many.upstreams["a"].always(Read(), Send(refusal("500 Oops")))
        assert [many.ask().status for _ in range(3)] == [500, 500, 500]
        answer = many.ask()
        error = msgspec.json.decode(answer.body)["error"]
        assert (answer.status, error["code"]) == (503, "circuit_open")
        assert answer.headers["retry-after"] == "1"
        assert many.seen() == [3]
        assert many.metric("llm_edge_breaker_state", provider="a") == 2
        assert many.metric("llm_edge_breaker_opened_total", provider="a") == 1
        many.upstreams["a"].pause(0.2)
        log = many.running.log()
        assert log.count('"event":"breaker","state":"open","route":"chat","provider":"a"') == 1


def test_half_open_lets_exactly_the_probes_through_and_closes_when_they_succeed(
    tmp_path: Path,
) -> None:
    with several(tmp_path, ALONE, count=1) as many:
        many.upstreams["a"].always(Read(), Send(refusal("500 Oops")))
        for _ in range(3):
            many.ask()
        go_on = threading.Event()
        many.upstreams["a"].always(Read(), Wait(go_on), Send(good("a")))
        many.upstreams["a"].pause(0.8)
        with ThreadPoolExecutor(200) as pool:
            asked = [pool.submit(many.ask) for _ in range(200)]
            deadline = time.monotonic() + 8
            while sum(future.done() for future in asked) < 198 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert many.seen() == [5]
            assert many.metric("llm_edge_breaker_state", provider="a") == 1
            go_on.set()
            statuses = sorted(future.result().status for future in asked)
        assert statuses == [200] * 2 + [503] * 198
        assert many.metric("llm_edge_breaker_state", provider="a") == 0
        assert many.ask().status == 200


def test_a_probe_whose_client_leaves_makes_room_for_another(tmp_path: Path) -> None:
    route = "breaker: {failures: 1, open_ms: 300, probes: 1}\nretry: {attempts_max: 1}"
    with several(tmp_path, route, count=1) as many:
        many.upstreams["a"].once(Read(), Send(refusal("500 Oops")))
        many.upstreams["a"].once(Read(), Pause(5))
        many.ask()
        many.upstreams["a"].pause(0.4)
        with many.hop.connect() as wire:
            wire.send(post("/v1/chat/completions", question()))
            many.upstreams["a"].wait_for(requests=2)
            assert many.ask().status == 503
        many.upstreams["a"].pause(0.3)
        assert many.ask().status == 200


def test_a_failed_probe_opens_it_again(tmp_path: Path) -> None:
    route = "breaker: {failures: 2, open_ms: 400}\nretry: {attempts_max: 1}"
    with several(tmp_path, route, count=1) as many:
        many.upstreams["a"].always(Read(), Close())
        assert [many.ask().status for _ in range(3)] == [502, 502, 503]
        many.upstreams["a"].pause(0.5)
        assert [many.ask().status for _ in range(2)] == [502, 503]
        assert many.metric("llm_edge_breaker_opened_total", provider="a") == 2


def test_a_stream_in_flight_goes_on_when_it_opens(tmp_path: Path) -> None:
    with several(tmp_path, ALONE, count=1) as many:
        go_on = threading.Event()
        events = [delta(content=word) for word in ("one", "two")]
        whole = streamed(*events)
        cut = whole.index(b"two") - 60
        many.upstreams["a"].once(Read(), Send(whole[:cut]), Wait(go_on), Send(whole[cut:]))
        many.upstreams["a"].always(Read(), Send(refusal("500 Oops")))
        with many.hop.connect() as wire:
            wire.send(post("/v1/chat/completions", question(stream=True)))
            many.upstreams["a"].wait_for(requests=1)
            for _ in range(4):
                many.ask()
            assert many.metric("llm_edge_breaker_state", provider="a") == 2
            go_on.set()
            answer = wire.answer()
        assert answer.body == b"".join([*events, b"data: [DONE]\n\n"])


@pytest.mark.behaviour("B05")
def test_errors_told_inside_good_statuses_open_it_too(tmp_path: Path) -> None:
    with several(tmp_path, ALONE, count=1) as many:
        event = data({"error": {"message": "overloaded", "type": "overloaded_error"}})
        many.upstreams["a"].always(Read(), Send(streamed(delta(content="x"), event)))
        for _ in range(3):
            assert many.ask(stream=True).status == 200
        assert many.ask(stream=True).status == 503
        assert many.metric("llm_edge_requests_total", provider="a", status="error_event") == 3


@pytest.mark.parametrize("status", ["400 Bad", "404 No", "429 Slow", "401 No"])
def test_what_is_not_its_fault_never_opens_it(tmp_path: Path, status: str) -> None:
    with several(tmp_path, ALONE, count=1) as many:
        many.upstreams["a"].always(Read(), Send(refusal(status)))
        assert {many.ask().status for _ in range(8)} == {int(status[:3])}
        assert many.metric("llm_edge_breaker_state", provider="a") == 0


def test_where_there_is_another_target_a_failing_one_is_left_alone_by_default(
    tmp_path: Path,
) -> None:
    with several(tmp_path) as many:
        many.upstreams["a"].always(Read(), Close())
        statuses = [many.ask().status for _ in range(20)]
        assert statuses == [502] * 5 + [200] * 15
        assert many.seen() == [5, 15]
