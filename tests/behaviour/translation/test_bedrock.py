"""Clients of the other APIs reach models on Amazon Bedrock, whose streams are binary."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.failure.several import metric
from tests.support.event_stream import MEDIA_TYPE, frame
from tests.support.gateway import start
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Close, Read, Send, Upstream, chunk, reply, stream_head
from tests.support.wire import Answer

MODEL = "aws/anthropic.claude-5-v1:0"
HELLO = [{"role": "user", "content": "Grüße, 世界!"}]
CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  aws: {{type: bedrock, base_url: "{url}", api_key: {upstream_key}}}
"""
USAGE = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 12, "cacheReadInputTokens": 4}
CONTENT = [
    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
    {"text": "你好"},
    {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": "世界", "n": 1.0}}},
]
WHOLE = {
    "output": {"message": {"role": "assistant", "content": CONTENT}},
    "stopReason": "tool_use",
    "usage": USAGE,
    "metrics": {"latencyMs": 1},
}
FRAMES = [
    frame("messageStart", {"role": "assistant"}),
    frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "你"}}),
    frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "好"}}),
    frame("contentBlockStop", {"contentBlockIndex": 0}),
    frame("messageStop", {"stopReason": "end_turn"}),
    frame("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
]


@pytest.fixture
def hop(tmp_path: Path) -> Iterator[Hop]:
    with Upstream() as upstream:
        path = tmp_path / "llm-edge.yaml"
        path.write_text(CONFIG.format(key=KEY, url=upstream.url, upstream_key=UPSTREAM_KEY))
        running = start(["serve", "--config", str(path), "--workers", "1"], tmp_path)
        try:
            yield Hop(running, upstream)
        finally:
            running.stop()


def ask(hop: Hop, surface: str = "chat", **fields: object) -> Answer:
    asked: dict[str, object]
    match surface:
        case "responses":
            path, asked = "/v1/responses", {"input": HELLO}
        case "messages":
            path, asked = "/v1/messages", {"messages": HELLO, "max_tokens": 16}
        case _:
            path, asked = "/v1/chat/completions", {"messages": HELLO}
    return hop.ask(post(path, msgspec.json.encode({"model": MODEL} | asked | fields)))


def streams(hop: Hop, frames: list[bytes], piece: int = 0) -> None:
    head = stream_head("Connection: close").replace(b"text/event-stream", MEDIA_TYPE.encode())
    hop.upstream.always(Read(), Send(head + b"".join(map(chunk, [*frames, b""])), piece), Close())


def line(hop: Hop) -> str:
    return hop.upstream.requests[-1].request_line


def test_a_whole_answer(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(msgspec.json.encode(WHOLE))))
    answer = ask(hop, seed=7)
    assert (answer.status, answer.headers["x-llm-edge-dropped"]) == (200, "seed")
    assert line(hop) == "POST /model/anthropic.claude-5-v1%3A0/converse HTTP/1.1"
    seen = hop.upstream.requests[-1]
    assert seen.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    body = msgspec.json.decode(seen.body)
    assert body["messages"][0] == {"role": "user", "content": [{"text": HELLO[0]["content"]}]}
    assert "model" not in body
    said = msgspec.json.decode(answer.body)
    message = said["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("你好", "hm")
    assert message["tool_calls"][0]["function"]["arguments"] == '{"at":"世界","n":1.0}'
    assert (said["usage"]["prompt_tokens"], said["usage"]["completion_tokens"]) == (7, 5)
    assert metric(hop.running, "llm_edge_tokens_total", type="output") == 5


@pytest.mark.parametrize("piece", [0, 1, 7], ids=["at once", "byte by byte", "in sevens"])
@pytest.mark.parametrize(
    ("surface", "last", "text"),
    [
        ("chat", b"data: [DONE]\n\n", b'"content":"'),
        ("messages", b'data: {"type":"message_stop"}\n\n', b'"text":"'),
        ("responses", b"", b'"delta":"'),
    ],
)
def test_a_stream(hop: Hop, surface: str, last: bytes, text: bytes, piece: int) -> None:
    streams(hop, FRAMES, piece)
    answer = ask(hop, surface, stream=True)
    assert (answer.status, answer.complete) == (200, True)
    assert answer.headers["content-type"] == "text/event-stream"
    assert line(hop) == "POST /model/anthropic.claude-5-v1%3A0/converse-stream HTTP/1.1"
    assert answer.body.endswith(last)
    assert text + "你".encode() in answer.body
    assert text + "好".encode() in answer.body
    assert b"error" not in answer.body.replace(b'"error":null', b"")
    assert metric(hop.running, "llm_edge_tokens_total", type="output") == 5
    assert metric(hop.running, "llm_edge_tokens_total", type="input") == 3 + 4
    assert metric(hop.running, "llm_edge_tokens_total", type="cached_input") == 4


@pytest.mark.parametrize("cut", range(0, len(b"".join(FRAMES)), 29))
def test_a_stream_that_is_cut_is_no_whole_one(hop: Hop, cut: int) -> None:
    streams(hop, [b"".join(FRAMES)[:cut] or b""][: bool(cut)])
    answer = ask(hop, stream=True)
    assert not answer.body.endswith(b"[DONE]\n\n")
    assert b'"error"' in answer.body
    # What came before was whole events, and the connections live on.
    hop.upstream.always(Read(), Send(reply(msgspec.json.encode(WHOLE))))
    assert ask(hop).status == 200


def test_an_exception_in_a_stream_is_an_error_of_the_client_s_api(hop: Hop) -> None:
    failure = frame("throttlingException", {"message": "slow down"}, exception=True)
    streams(hop, [*FRAMES[:2], failure])
    answer = ask(hop, stream=True)
    last = answer.body.strip().rsplit(b"data: ", 1)[1]
    error = msgspec.json.decode(last)["error"]
    assert error["message"] == "slow down"
    assert not answer.body.endswith(b"[DONE]\n\n")
    answer = ask(hop, "messages", stream=True)
    last = answer.body.strip().rsplit(b"data: ", 1)[1]
    assert msgspec.json.decode(last)["error"]["type"] == "rate_limit_error"


def test_a_damaged_frame_is_an_error(hop: Hop) -> None:
    damaged = bytearray(FRAMES[1])
    damaged[-6] ^= 1
    streams(hop, [FRAMES[0], bytes(damaged), *FRAMES[2:]])
    answer = ask(hop, stream=True)
    assert b"cannot be translated" in answer.body
    assert not answer.body.endswith(b"[DONE]\n\n")


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "424 Failed Dependency"])
def test_a_refusal_is_told_in_the_client_s_shape(hop: Hop, status: str) -> None:
    hop.upstream.always(Read(), Send(reply(b'{"message":"no such model"}', status)))
    answer = ask(hop)
    assert answer.status == int(status[:3])
    assert msgspec.json.decode(answer.body)["error"]["message"] == "no such model"


def test_a_client_of_bedrock_s_own_api_is_not_served(hop: Hop) -> None:
    answer = hop.ask(post("/model/m/converse", b"{}"))
    assert answer.status == 404
