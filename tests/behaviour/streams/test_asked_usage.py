"""Where the gateway asks for a stream's usage, its client sees the stream it would have got."""

from pathlib import Path

import msgspec
import pytest

from tests.behaviour.failure.several import data, several
from tests.conftest import Serve
from tests.support.hop import KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, chunk, stream_head

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
PLAIN = [
    b'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n',
    b": keep-alive\n\n",
    'data: {"id":"c","choices":[{"index":0,"delta":{"content":"你好"}}]}\n\n'.encode(),
]
LAST = b"data: [DONE]\n\n"


def asked(event: bytes) -> bytes:
    """An event as the upstream sends it once it is asked for usage."""
    return event.replace(b"]}\n", b'],"usage":null}\n')


TOLD = data({"id": "c", "choices": [], "usage": USAGE})
WITH_USAGE = b"".join([*map(asked, PLAIN), TOLD, LAST])
WITHOUT = b"".join([*PLAIN, LAST])


def body(**fields: object) -> bytes:
    """A streamed request."""
    messages = [{"role": "user", "content": "hello"}]
    return msgspec.json.encode({"model": "chat", "messages": messages, "stream": True} | fields)


@pytest.mark.parametrize("piece", [0, 1, 7], ids=["at once", "byte by byte", "in sevens"])
@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}])
def test_usage_is_counted_and_the_stream_is_what_it_would_have_been(
    tmp_path: Path, piece: int, options: dict[str, object]
) -> None:
    with several(tmp_path, "ask_usage: true", count=1) as many:
        whole = stream_head() + chunk(WITH_USAGE) + chunk(b"")
        many.upstreams["a"].always(Read(), Send(whole, piece))
        answer = many.hop.ask(post("/v1/chat/completions", body(**options)))
        assert answer.complete
        assert answer.body == WITHOUT
        [seen] = many.upstreams["a"].requests
        assert msgspec.json.decode(seen.body)["stream_options"] == {"include_usage": True}
        assert many.metric("llm_edge_tokens_total", type="input") == 7
        assert many.metric("llm_edge_tokens_total", type="output") == 5


def test_where_ids_of_tool_calls_are_changed_as_well(serve: Serve, upstream: Upstream) -> None:
    upstream.always(Read(), Send(stream_head() + chunk(WITH_USAGE) + chunk(b"")))
    at = f'{{type: openai_compatible, base_url: "{upstream.url}/v1", tool_id_length: 9}}'
    running = serve(
        f"version: 1\nkeys: [{{name: app, key: {KEY}}}]\nproviders: {{up: {at}}}\n"
        "routes: {chat: {models: [chat], targets: [{provider: up, model: m}], ask_usage: true}}\n"
    )
    result = {"role": "tool", "tool_call_id": "call_of_another", "content": "sunny"}
    answer = Hop(running, upstream).ask(post("/v1/chat/completions", body(messages=[result])))
    assert answer.body == WITHOUT
    seen = msgspec.json.decode(upstream.requests[0].body)
    assert seen["stream_options"] == {"include_usage": True}
    assert len(seen["messages"][0]["tool_call_id"]) == 9


def test_a_client_that_asks_itself_gets_all_of_it(tmp_path: Path) -> None:
    with several(tmp_path, "ask_usage: true", count=1) as many:
        many.upstreams["a"].always(Read(), Send(stream_head() + chunk(WITH_USAGE) + chunk(b"")))
        sent = body(stream_options={"include_usage": True})
        answer = many.hop.ask(post("/v1/chat/completions", sent))
        assert answer.body == WITH_USAGE
        assert many.upstreams["a"].requests[0].body == sent.replace(b'"chat"', b'"m"')


def test_without_the_option_nothing_is_asked(tmp_path: Path) -> None:
    with several(tmp_path, count=1) as many:
        many.upstreams["a"].always(Read(), Send(stream_head() + chunk(WITHOUT) + chunk(b"")))
        answer = many.hop.ask(post("/v1/chat/completions", body()))
        assert answer.body == WITHOUT
        assert b"stream_options" not in many.upstreams["a"].requests[0].body


def test_what_is_stored_is_the_clients_stream(tmp_path: Path) -> None:
    with several(tmp_path, "ask_usage: true\ncache: {ttl_s: 60}", count=1) as many:
        many.upstreams["a"].always(Read(), Send(stream_head() + chunk(WITH_USAGE) + chunk(b""), 11))
        sent = body(temperature=0)
        first = many.hop.ask(post("/v1/chat/completions", sent))
        again = many.hop.ask(post("/v1/chat/completions", sent))
        assert again.headers["x-llm-edge-cache"] == "hit"
        assert first.body == again.body == WITHOUT


def test_a_stream_that_breaks_off_still_says_so(tmp_path: Path) -> None:
    with several(tmp_path, "ask_usage: true", count=1) as many:
        events = b"".join(map(asked, PLAIN))
        many.upstreams["a"].always(Read(), Send(stream_head() + chunk(events) + chunk(b"")))
        answer = many.hop.ask(post("/v1/chat/completions", body()))
        assert answer.body.startswith(b"".join(PLAIN))
        assert b"upstream_closed" in answer.body
        assert LAST not in answer.body
