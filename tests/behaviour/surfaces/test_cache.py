"""The exact cache: what is kept, for whom and for how long; what is replayed is what came."""

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.behaviour.failure.several import data, delta, good, metric, refusal, streamed
from tests.conftest import Serve
from tests.support.hop import UPSTREAM_KEY, Hop, post
from tests.support.upstream import Action, Close, Read, Send, Upstream, Wait, chunk, stream_head
from tests.support.wire import Answer

KEYS = {"one": "sk-edge-one-0123456789", "two": "sk-edge-two-0123456789"}
CONFIG = """
version: 1
providers:
  up: {{type: openai_compatible, base_url: "{url}/v1", api_key: {secret}}}
routes:
  chat:
    models: [chat]
    targets: [{{provider: up, model: m}}]
    cache: {cache}
    retry: {{attempts_max: 1}}
keys:
- {{name: one, key: {one}}}
- {{name: two, key: {two}}}
"""
CHAT = "/v1/chat/completions"
END = [delta(content="Hi"), data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})]

Cached = Callable[..., Hop]


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def cached(serve: Serve, upstream: Upstream) -> Cached:
    """A gateway whose route keeps replies; `cache` is YAML of its options."""
    upstream.always(Read(), Send(good("up")))

    def start(cache: str = "{ttl_s: 60}") -> Hop:
        text = CONFIG.format(url=upstream.url, secret=UPSTREAM_KEY, cache=cache, **KEYS)
        return Hop(serve(text, "--workers", "1"), upstream)

    return start


def ask(
    hop: Hop,
    *fields: str,
    key: str = "one",
    path: str = CHAT,
    **more: Any,  # noqa: ANN401
) -> Answer:
    body = {"model": "chat", "messages": said("hello"), **more}
    return hop.ask(post(path, msgspec.json.encode(body), *fields, key=KEYS[key]))


def how(answer: Answer) -> str:
    assert answer.status == 200
    return answer.headers["x-llm-edge-cache"]


def test_the_same_again_is_a_hit_and_says_how_long_it_lives(cached: Cached) -> None:
    hop = cached()
    first, second = ask(hop), ask(hop)
    assert (how(first), how(second), hop.seen) == ("miss", "hit", 1)
    assert second.body == first.body
    assert second.headers["cache-status"].startswith("llm-edge; hit; ttl=")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    for result, count in (("hit", 1), ("miss", 1), ("bypass", 0)):
        name = "llm_edge_cache_lookups_total"
        assert metric(hop.running, name, route="chat", result=result) == count
    assert metric(hop.running, "llm_edge_cache_stored_total") == 1


def test_a_stream_is_replayed_to_the_byte(cached: Cached, upstream: Upstream) -> None:
    hop = cached()
    upstream.always(Read(), Send(streamed(*END)))
    first, second = ask(hop, stream=True), ask(hop, stream=True)
    assert (how(first), how(second), hop.seen) == ("miss", "hit", 1)
    assert first.complete
    assert second.body == first.body == b"".join(END) + b"data: [DONE]\n\n"


def test_callers_share_nothing(cached: Cached) -> None:
    hop = cached()
    assert [how(ask(hop, key=key)) for key in ("one", "two", "two", "one")] == [
        "miss",
        "miss",
        "hit",
        "hit",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"temperature": 0.5},
        {"messages": said("hello ")},
        {"path": f"{CHAT}?a=1"},
        {"path": "/openai/v1/completions", "prompt": "hello"},
        {"field": "X-Tenant: b"},
        {"field": "OpenAI-Beta: realtime=v1"},
    ],
    ids=str,
)
def test_whatever_may_shape_the_reply_is_looked_at(cached: Cached, changed: dict[str, Any]) -> None:
    hop = cached()
    fields = [changed.pop("field")] if "field" in changed else []
    assert how(ask(hop)) == "miss"
    assert how(ask(hop, *fields, **changed)) == "miss"
    assert how(ask(hop)) == "hit"


@pytest.mark.parametrize(
    "field",
    ["X-Request-Id: abc", "traceparent: 00-1-1-01", "X-Stainless-Lang: js", "User-Agent: x"],
)
def test_what_tells_about_the_client_is_not(cached: Cached, field: str) -> None:
    hop = cached()
    assert [how(ask(hop)), how(ask(hop, field))] == ["miss", "hit"]


def test_a_client_may_decline(cached: Cached) -> None:
    hop = cached()
    assert how(ask(hop)) == "miss"
    assert how(ask(hop, "Cache-Control: no-cache")) == "bypass"
    assert hop.seen == 2
    assert how(ask(hop)) == "hit"
    assert how(ask(hop, "Cache-Control: no-store", messages=said("other"))) in {"bypass", "miss"}
    assert how(ask(hop, messages=said("other"))) == "miss"
    assert hop.seen == 4


def test_only_replies_that_are_whole_and_good_are_kept(cached: Cached, upstream: Upstream) -> None:
    hop = cached("{ttl_s: 60, reply_bytes_max: 1000}")
    begun = stream_head() + chunk(END[0])
    bad: dict[str, list[Action]] = {
        "refused": [Send(refusal("400 Bad Request"))],
        "failed": [Send(refusal("500 Internal Server Error"))],
        "error event": [Send(streamed(END[0], data({"error": {"message": "no"}})))],
        "cut": [Send(begun), Close()],
        "no end": [Send(begun + chunk(b""))],
        "too long": [Send(streamed(*[delta(content="x" * 200)] * 9, *END))],
    }
    for name, reply in bad.items():
        upstream.once(Read(), *reply)
        ask(hop, messages=said(name), stream=True)
        upstream.once(Read(), Send(streamed(*END)))
        again = ask(hop, messages=said(name), stream=True)
        assert (name, how(again)) == (name, "miss")
        assert b"[DONE]" in again.body
    assert metric(hop.running, "llm_edge_cache_stored_total") == len(bad)


def test_what_its_client_left_is_not_kept(cached: Cached, upstream: Upstream) -> None:
    hop = cached()
    go_on = threading.Event()
    upstream.once(Read(), Send(stream_head() + chunk(END[0])), Wait(go_on))
    body = {"model": "chat", "messages": said("hello"), "stream": True}
    with hop.connect() as wire:
        wire.send(post(CHAT, msgspec.json.encode(body), key=KEYS["one"]))
        wire.read_until(b"Hi")
        wire.reset()
    go_on.set()
    upstream.always(Read(), Send(streamed(*END)))
    assert [how(ask(hop, stream=True)) for _ in range(2)] == ["miss", "hit"]


def test_its_time_to_live_is_kept(cached: Cached) -> None:
    hop = cached("{ttl_s: 1}")
    began = time.monotonic()
    assert [how(ask(hop)), how(ask(hop))] == ["miss", "hit"]
    time.sleep(max(0.0, began + 1.2 - time.monotonic()))
    assert how(ask(hop)) == "miss"
