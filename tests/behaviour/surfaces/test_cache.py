"""The exact cache: what is kept, for whom and for how long; what is replayed is what came."""

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.behaviour.failure.several import data, delta, good, metric, refusal, streamed
from tests.behaviour.process.programs import wait_until
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
    assert first.headers["cache-status"] == "llm-edge; fwd=miss"
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


def test_what_was_answered_to_one_key_is_in_no_reply_to_another(
    cached: Cached, upstream: Upstream
) -> None:
    hop = cached()
    for name in ("one", "two", "nobody"):
        upstream.once(Read(), Send(good(f"for {name}")))

    def told(key: str, *fields: str) -> tuple[str, str]:
        answer = ask(hop, *fields, key=key)
        return how(answer), msgspec.json.decode(answer.body)["id"]

    for key in KEYS:
        assert [told(key), told(key)] == [("miss", f"for {key}"), ("hit", f"for {key}")]
    # Neither a name nor an end user that the client gives makes it somebody else.
    assert told("one", "X-Forwarded-User: two") == ("hit", "for one")
    assert hop.seen == 2


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ([], {"temperature": 0.5}),
        ([], {"messages": said("hello ")}),
        ([], {"path": f"{CHAT}?a=1"}),
        ([], {"path": "/openai/v1/completions", "prompt": "hello"}),
        (["X-Tenant: b"], {}),
        (["OpenAI-Beta: realtime=v1"], {}),
        (["Anthropic-Version: 2023-06-01"], {}),
        (["Anthropic-Beta: context-1m-2025-08-07"], {}),
    ],
    ids=str,
)
def test_whatever_may_shape_the_reply_is_looked_at(
    cached: Cached, fields: list[str], changed: dict[str, Any]
) -> None:
    hop = cached()
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
    declined = ask(hop, "Cache-Control: no-cache")
    assert (how(declined), declined.headers["cache-status"]) == (
        "bypass",
        "llm-edge; fwd=request",
    )
    assert hop.seen == 2
    assert how(ask(hop)) == "hit"
    assert how(ask(hop, "Cache-Control: no-store", messages=said("other"))) == "bypass"
    assert how(ask(hop, messages=said("other"))) == "miss"
    assert hop.seen == 4
    name = "llm_edge_cache_lookups_total"
    assert metric(hop.running, name, route="chat", result="bypass") == 2


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
    begun = stream_head() + chunk(END[0])
    rest = streamed(*END).removeprefix(begun)
    upstream.once(Read(), Send(begun), Wait(go_on), Send(rest))
    body = {"model": "chat", "messages": said("hello"), "stream": True}
    with hop.connect() as wire:
        wire.send(post(CHAT, msgspec.json.encode(body), key=KEYS["one"]))
        wire.read_until(b"Hi")
        wire.reset()
    # Before that, nobody knows that the client has left.
    wait_until(lambda: metric(hop.running, "llm_edge_open_streams") == 0)
    go_on.set()
    # Whoever read on would have it all by now.
    time.sleep(0.3)
    upstream.always(Read(), Send(streamed(*END)))
    assert [how(ask(hop, stream=True)) for _ in range(2)] == ["miss", "hit"]


def test_its_time_to_live_is_kept(cached: Cached) -> None:
    hop = cached("{ttl_s: 1}")
    began = time.monotonic()
    assert [how(ask(hop)), how(ask(hop))] == ["miss", "hit"]
    time.sleep(max(0.0, began + 1.2 - time.monotonic()))
    assert how(ask(hop)) == "miss"


def test_a_reply_just_as_long_as_may_be_is_kept(cached: Cached, upstream: Upstream) -> None:
    body = good("up").split(b"\r\n\r\n", 1)[1]
    for spare, told in ((0, ["miss", "hit"]), (-1, ["miss", "miss"])):
        hop = cached(f"{{ttl_s: 60, reply_bytes_max: {len(body) + spare}}}")
        assert [how(ask(hop)) for _ in range(2)] == told
