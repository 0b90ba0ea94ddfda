"""A credential that is refused rests; others, and other callers, are none the worse (B23)."""

import time
from pathlib import Path

import pytest

from tests.behaviour.failure.several import KEY, good, metric, refusal, several
from tests.behaviour.process.programs import wait_until
from tests.conftest import Serve
from tests.support.hop import post
from tests.support.upstream import Read, Send, Upstream
from tests.support.wire import Answer, Wire

pytestmark = pytest.mark.behaviour("B23")

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  up: {{type: openai_compatible, base_url: "{url}/v1", api_keys: [first-key, second-key]}}
routes:
  chat: {{models: [chat], targets: [{{provider: up, model: m}}], retry: {{backoff_ms: 50}}}}
"""


def ask(address: tuple[str, int]) -> Answer:
    """One request to the route."""
    data = b'{"model":"chat","messages":[]}'
    with Wire(address) as wire:
        wire.send(post("/v1/chat/completions", data))
        return wire.answer()


@pytest.mark.parametrize("status", ["401 No", "402 Pay", "403 Never", "429 Slow"])
def test_the_next_credential_is_taken_at_once_and_the_refused_one_rests(
    serve: Serve, upstream: Upstream, status: str
) -> None:
    running = serve(CONFIG.format(key=KEY, url=upstream.url))
    upstream.always(Read(), Send(good("up")))
    upstream.once(Read(), Send(refusal(status, "Retry-After: 60")))
    started = time.monotonic()
    answer = ask(running.address)
    assert (answer.status, answer.headers["x-llm-edge-attempts"]) == (200, "2")
    assert time.monotonic() - started < 0.5
    for _ in range(6):
        assert ask(running.address).status == 200
    used = [received.headers["authorization"] for received in upstream.requests]
    assert used == ["Bearer first-key"] + 7 * ["Bearer second-key"]
    assert metric(running, "llm_edge_credential_cooldowns_total", provider="up") == 1
    wait_until(lambda: running.notices("credential"))
    told = running.notices("credential")
    assert [(line["state"], line["provider"], line["credential"]) for line in told] == [
        ("resting", "up", 0)
    ]
    assert (told[0]["status"], told[0]["rest_ms"]) == (int(status[:3]), 60_000)
    assert "first-key" not in running.log()


def test_each_credential_has_its_share_and_one_that_rests_leaves_its_own_to_the_others(
    serve: Serve, upstream: Upstream
) -> None:
    config = CONFIG.replace(
        "api_keys: [first-key, second-key]", "api_keys: [a, b, c], api_key_weights: [3, 1, 2]"
    )
    running = serve(config.format(key=KEY, url=upstream.url) + "workers: 1\n")
    upstream.always(Read(), Send(good("up")))

    def used(count: int) -> dict[str, int]:
        before = len(upstream.requests)
        for _ in range(count):
            assert ask(running.address).status == 200
        seen = [received.headers["authorization"][-1] for received in upstream.requests[before:]]
        return {key: seen.count(key) for key in "abc"}

    assert used(60) == {"a": 30, "b": 10, "c": 20}
    upstream.once(Read(), Send(refusal("429 Slow", "Retry-After: 60")))
    first, *_ = [key for key, count in used(1).items() if count]
    rest = used(60)
    assert rest.pop(first) == 0
    weights = {"a": 3, "b": 1, "c": 2}
    total = sum(weights[key] for key in rest)
    assert all(abs(count - 60 * weights[key] / total) <= 1 for key, count in rest.items())


def test_a_rested_credential_is_taken_again(serve: Serve, upstream: Upstream) -> None:
    running = serve(CONFIG.format(key=KEY, url=upstream.url))
    upstream.always(Read(), Send(good("up")))
    upstream.once(Read(), Send(refusal("429 Slow", "Retry-After: 1")))
    assert ask(running.address).status == 200
    upstream.pause(1.2)
    for _ in range(4):
        assert ask(running.address).status == 200
    used = {received.headers["authorization"] for received in upstream.requests[2:]}
    assert used == {"Bearer first-key", "Bearer second-key"}


def test_the_only_credential_is_used_all_the_same(tmp_path: Path) -> None:
    with several(tmp_path, count=1) as many:
        many.upstreams["a"].once(Read(), Send(refusal("401 No")))
        first = many.ask()
        assert (first.status, first.headers["x-llm-edge-attempts"]) == (401, "1")
        assert many.ask().status == 200


def test_a_target_whose_credential_rests_is_asked_last(serve: Serve, upstream: Upstream) -> None:
    with Upstream() as other:
        other.always(Read(), Send(good("other")))
        running = serve(
            f"""
version: 1
keys: [{{name: app, key: {KEY}}}]
providers:
  up: {{type: openai_compatible, base_url: "{upstream.url}/v1", api_key: only-key}}
  other: {{type: openai_compatible, base_url: "{other.url}/v1"}}
routes:
  chat:
    models: [chat]
    strategy: ordered
    targets: [{{provider: up, model: m}}, {{provider: other, model: m}}]
"""
        )
        upstream.always(Read(), Send(refusal("429 Slow", "Retry-After: 60")))
        for _ in range(5):
            assert ask(running.address).status == 200
        assert (len(upstream.requests), len(other.requests)) == (1, 5)
        # Where the other one refuses too, the resting one is better than nobody.
        other.always(Read(), Send(refusal("503 Busy")))
        upstream.always(Read(), Send(good("up")))
        assert ask(running.address).status == 200


def test_a_credential_without_money_is_not_asked_again(tmp_path: Path) -> None:
    with several(tmp_path, count=1) as many:
        error = refusal("429 No quota", "Retry-After: 0", code="insufficient_quota")
        many.upstreams["a"].always(Read(), Send(error))
        assert many.ask().status == 429
        assert many.seen() == [1]
