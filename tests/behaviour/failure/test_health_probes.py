"""A provider that is probed and found down is asked last, and first again when it is back."""

import time

import pytest

from tests.behaviour.failure.several import KEY, good, metric, refusal
from tests.conftest import Serve
from tests.support.gateway import Running
from tests.support.hop import post
from tests.support.upstream import Pause, Read, Send, Upstream, reply
from tests.support.wire import Answer, Wire

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  a:
    type: openai_compatible
    base_url: "{a}/v1"
    api_key: probe-key
    health: {{interval_ms: 300, timeout_ms: 300, failures: 2}}
  b: {{type: openai_compatible, base_url: "{b}/v1"}}
routes:
  chat:
    models: [chat]
    strategy: ordered
    targets: [{{provider: a, model: m}}, {{provider: b, model: m}}]
"""


def ask(address: tuple[str, int]) -> Answer:
    """One request to the route."""
    with Wire(address) as wire:
        wire.send(post("/v1/chat/completions", b'{"model":"chat","messages":[]}'))
        return wire.answer()


def served_by(address: tuple[str, int]) -> str:
    """Which provider answers."""
    answer = ask(address)
    assert answer.status == 200
    return answer.headers["x-llm-edge-provider"]


@pytest.mark.parametrize("fault", ["500", "silence"])
def test_a_provider_that_fails_its_probes_is_asked_last(
    serve: Serve, upstream: Upstream, fault: str
) -> None:
    with Upstream() as other:
        other.always(Read(), Send(good("b")))
        upstream.always(Read(), Send(good("a")))
        running = serve(CONFIG.format(key=KEY, a=upstream.url, b=other.url))
        upstream.wait_for(requests=2)
        probe = upstream.requests[0]
        assert probe.request_line == "GET /v1/models HTTP/1.1"
        assert probe.headers["authorization"] == "Bearer probe-key"
        assert served_by(running.address) == "a"
        assert metric(running, "llm_edge_provider_up", provider="a") == 1

        fails = Send(refusal("500 Oops")) if fault == "500" else Pause(2)
        upstream.always(Read(), fails)
        _await(running, 0)
        assert {served_by(running.address) for _ in range(5)} == {"b"}
        # The log is written ten times a second.
        upstream.pause(0.3)
        assert '"event":"health","provider":"a","state":"down"' in running.log()

        upstream.always(Read(), Send(good("a")))
        _await(running, 1)
        assert served_by(running.address) == "a"


def test_one_that_is_down_is_still_asked_where_nobody_else_answers(
    serve: Serve, upstream: Upstream
) -> None:
    with Upstream() as other:
        other.always(Read(), Send(refusal("503 Busy")))
        upstream.always(Read(), Send(reply(b"{}", "500 Oops")))
        running = serve(CONFIG.format(key=KEY, a=upstream.url, b=other.url))
        _await(running, 0)
        # The probes still fail; the request does not.
        answer = ask(running.address)
        assert (answer.status, answer.headers["x-llm-edge-provider"]) == (500, "a")


def test_one_that_does_not_answer_delays_nobody_else(serve: Serve, upstream: Upstream) -> None:
    with Upstream() as silent:
        silent.always(Read(), Pause(10.0))
        at = f'base_url: "{silent.url}/v1", health: {{timeout_ms: 8000}}'
        config = CONFIG.format(key=KEY, a=upstream.url, b=upstream.url)
        serve(config.replace("routes:", f"  slow: {{type: openai_compatible, {at}}}\nroutes:"))
        silent.wait_for(requests=1)
        before, began = len(upstream.requests), time.monotonic()
        upstream.wait_for(requests=before + 5)
        assert time.monotonic() - began < 4


def test_a_refused_key_is_no_outage(serve: Serve, upstream: Upstream) -> None:
    upstream.always(Read(), Send(refusal("401 No")))
    running = serve(CONFIG.format(key=KEY, a=upstream.url, b=upstream.url))
    upstream.wait_for(requests=4)
    assert metric(running, "llm_edge_provider_up", provider="a") == 1


def _await(running: Running, value: float) -> None:
    """Wait until the gauge of provider `a` has this value."""
    deadline = time.monotonic() + 8
    while metric(running, "llm_edge_provider_up", provider="a") != value:
        assert time.monotonic() < deadline
        time.sleep(0.05)
