"""A request is tried again only where it was not done, and within a budget."""

import datetime
import email.utils
import time
from pathlib import Path

import msgspec
import openai
import pytest

from tests.behaviour.failure.several import KEY, delta, good, refusal, several, streamed
from tests.conftest import Serve
from tests.support.upstream import Close, Pause, Read, Reset, Send

pytestmark = pytest.mark.behaviour("B24")


def name(body: bytes) -> str:
    """Which upstream gave this reply."""
    return str(msgspec.json.decode(body)["id"])


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Unavailable", "529 Overloaded"])
def test_a_refusal_is_answered_by_the_next_target(tmp_path: Path, status: str) -> None:
    with several(tmp_path) as many:
        many.upstreams["a"].always(Read(), Send(refusal(status)))
        answer = many.ask()
        assert (answer.status, name(answer.body)) == (200, "b")
        assert answer.headers["x-llm-edge-attempts"] == "2"
        assert answer.headers["x-llm-edge-provider"] == "b"
        assert many.seen() == [1, 1]
        assert many.metric("llm_edge_retries_total", route="chat", reason="refused") == 1
        assert many.metric("llm_edge_upstream_attempts_total", provider="a", result="refused") == 1


@pytest.mark.behaviour("B03")
@pytest.mark.parametrize(
    "status", ["500 Oops", "502 Bad Gateway", "504 Timeout", "400 Bad", "404 No"]
)
def test_what_may_have_been_done_or_is_the_callers_fault_is_not_sent_again(
    tmp_path: Path, status: str
) -> None:
    with several(tmp_path) as many:
        error = refusal(status)
        many.upstreams["a"].always(Read(), Send(error))
        answer = many.ask()
        assert (answer.status, answer.body) == (int(status[:3]), error.split(b"\r\n\r\n", 1)[1])
        assert answer.headers["x-llm-edge-attempts"] == "1"
        assert not answer.values("x-should-retry")
        assert many.seen() == [1, 0]


@pytest.mark.behaviour("B03")
@pytest.mark.parametrize("end", [Close(), Reset()], ids=["fin", "rst"])
def test_a_request_that_was_sent_and_not_answered_is_not_sent_again(
    tmp_path: Path, end: Close | Reset
) -> None:
    with several(tmp_path) as many:
        many.upstreams["a"].always(Read(), end)
        answer = many.ask()
        assert answer.status == 502
        assert many.seen() == [1, 0]


def test_a_target_that_cannot_be_connected_to_costs_nothing_but_the_next_one(
    serve: Serve, closed_port: int
) -> None:
    running = serve(
        f"""
version: 1
keys: [{{name: app, key: {KEY}}}]
providers:
  gone: {{type: openai_compatible, base_url: "http://127.0.0.1:{closed_port}/v1"}}
mock: true
routes:
  chat:
    models: [chat]
    strategy: ordered
    targets: [{{provider: gone, model: m}}, {{provider: mock, model: echo}}]
    retry: {{attempts_max: 1, budget_percent: 0}}
    breaker: {{enabled: false}}
"""
    )
    with openai.OpenAI(base_url=running.api, api_key=KEY, max_retries=0) as client:
        for _ in range(30):
            said = client.chat.completions.create(
                model="chat", messages=[{"role": "user", "content": "hi"}]
            )
            assert said.choices[0].message.content == "hi"


@pytest.mark.behaviour("B23")
def test_the_same_target_is_asked_again_after_what_it_says(tmp_path: Path) -> None:
    with several(tmp_path, count=1) as many:
        many.upstreams["a"].once(Read(), Send(refusal("503 Busy", "Retry-After: 1")))
        started = time.monotonic()
        answer = many.ask()
        took = time.monotonic() - started
        assert (answer.status, answer.headers["x-llm-edge-attempts"]) == (200, "2")
        assert 1.0 <= took < 1.5, took


@pytest.mark.behaviour("B23")
def test_a_date_in_retry_after_is_waited_for(tmp_path: Path) -> None:
    with several(tmp_path, count=1) as many:
        when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)
        date = email.utils.format_datetime(when, usegmt=True)
        many.upstreams["a"].once(Read(), Send(refusal("429 Slow down", f"Retry-After: {date}")))
        started = time.monotonic()
        assert many.ask().status == 200
        # The date has no fractions.
        assert 0.9 <= time.monotonic() - started < 2.6


@pytest.mark.behaviour("B23")
def test_a_retry_after_beyond_the_cap_is_passed_on_at_once(tmp_path: Path) -> None:
    with several(tmp_path, count=1) as many:
        many.upstreams["a"].always(Read(), Send(refusal("429 Slow down", "Retry-After: 30")))
        started = time.monotonic()
        answer = many.ask()
        assert time.monotonic() - started < 0.5
        assert (answer.status, answer.headers["retry-after"]) == (429, "30")
        assert many.seen() == [1]
        assert many.metric("llm_edge_retries_denied_total", route="chat", reason="nowhere") == 1


def test_when_tries_are_used_up_the_refusal_is_passed_on_and_says_so(tmp_path: Path) -> None:
    with several(tmp_path, count=1) as many:
        error = refusal("503 Busy", "Retry-After: 0", "x-should-retry: true")
        many.upstreams["a"].always(Read(), Send(error))
        answer = many.ask()
        assert (answer.status, answer.body) == (503, error.split(b"\r\n\r\n", 1)[1])
        assert answer.headers["x-llm-edge-attempts"] == "3"
        assert answer.values("x-should-retry") == ["false"]
        assert answer.headers["retry-after"] == "0"
        assert many.seen() == [3]


def test_every_target_is_asked_once_before_one_is_asked_twice(tmp_path: Path) -> None:
    route = "retry: {attempts_max: 4, backoff_ms: 50}\nbreaker: {enabled: false}"
    with several(tmp_path, route, count=3) as many:
        for upstream in many.upstreams.values():
            upstream.always(Read(), Send(refusal("503 Busy")))
        assert many.ask().status == 503
        assert sorted(many.seen()) == [1, 1, 2]


def test_retries_stay_within_their_share_of_the_traffic(tmp_path: Path) -> None:
    route = "retry: {attempts_max: 5, backoff_ms: 0, backoff_max_ms: 0, budget_percent: 10}"
    with several(tmp_path, route, count=1) as many:
        many.upstreams["a"].always(Read(), Send(refusal("503 Busy")))
        for _ in range(100):
            assert many.ask().status == 503
        # A tenth of a hundred, and ten that a route may spend at once.
        assert 110 <= many.seen()[0] <= 120
        assert many.metric("llm_edge_retries_denied_total", route="chat", reason="budget") > 0


def test_without_retries_the_first_refusal_is_the_reply(tmp_path: Path) -> None:
    with several(tmp_path, "retry: {attempts_max: 1}") as many:
        many.upstreams["a"].always(Read(), Send(refusal("503 Busy")))
        answer = many.ask()
        assert (answer.status, answer.headers["x-llm-edge-attempts"]) == (503, "1")
        assert not answer.values("x-should-retry")
        assert many.seen() == [1, 0]


@pytest.mark.behaviour("B26")
def test_waiting_for_another_try_ends_with_the_total_deadline(tmp_path: Path) -> None:
    route = "deadlines: {total_ms: 400}\nretry: {attempts_max: 9, backoff_ms: 300}"
    with several(tmp_path, route, count=1) as many:
        many.upstreams["a"].always(Read(), Send(refusal("503 Busy")))
        started = time.monotonic()
        assert many.ask().status == 503
        assert time.monotonic() - started < 0.5
        assert many.metric("llm_edge_retries_denied_total", reason="deadline") == 1


def test_another_routes_targets_follow_when_all_of_this_one_refuse(tmp_path: Path) -> None:
    more = """
  spare:
    models: [spare]
    targets: [{provider: c, model: other}]
"""
    targets = "targets: [{provider: a, model: m}, {provider: b, model: m}]"
    route = f"{targets}\nfallbacks: [spare]\ncache: {{ttl_s: 60}}"
    with several(tmp_path, route, more=more, count=3) as many:
        for which in "ab":
            many.upstreams[which].always(Read(), Send(refusal("503 Busy")))
        answer = many.ask()
        assert (answer.status, name(answer.body)) == (200, "c")
        assert msgspec.json.decode(many.upstreams["c"].requests[0].body)["model"] == "other"
        assert many.metric("llm_edge_fallbacks_total", route="chat") == 1
        # What the fallback says is not kept for the route.
        many.upstreams["a"].always(Read(), Send(good("a")))
        assert name(many.ask().body) == "a"


@pytest.mark.behaviour("B02")
@pytest.mark.parametrize("after", ["its head", "an event"])
def test_nothing_is_tried_again_once_a_stream_has_begun(tmp_path: Path, after: str) -> None:
    with several(tmp_path) as many:
        events = [] if after == "its head" else [delta(content="x")]
        many.upstreams["a"].always(Read(), Send(streamed(*events, last=False)), Pause(0.1), Reset())
        answer = many.ask(stream=True)
        assert answer.status == 200
        assert b"[DONE]" not in answer.body
        assert b"upstream_closed" in answer.body
        assert many.seen() == [1, 0]


def test_the_sdk_sees_the_reply_and_no_refusal(tmp_path: Path) -> None:
    with several(tmp_path, count=1) as many:
        events = [delta(role="assistant"), delta(content="all "), delta(content="is well")]
        many.upstreams["a"].once(Read(), Send(refusal("429 Slow down", "Retry-After-Ms: 20")))
        many.upstreams["a"].always(Read(), Send(streamed(*events)))
        with openai.OpenAI(base_url=many.running.api, api_key=KEY, max_retries=0) as client:
            stream = client.chat.completions.create(
                model="chat", messages=[{"role": "user", "content": "x"}], stream=True
            )
            text = "".join(event.choices[0].delta.content or "" for event in stream)
        assert text == "all is well"
        assert many.seen() == [2]
