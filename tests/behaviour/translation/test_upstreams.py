"""Every API that models are reached by, from every API that clients speak, through real sockets.

What is said is checked in the core's own tests; here it is that requests arrive where they should,
that replies come back whole and streamed, and that a stream which breaks off never looks whole.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.behaviour.failure.several import metric
from tests.support.gateway import start
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Close, Read, Send, Upstream, chunk, reply, stream_head
from tests.support.wire import Answer

HELLO = [{"role": "user", "content": "Grüße, 世界!"}]
CONTENTS = [{"role": "user", "parts": [{"text": "Grüße, 世界!"}]}]
TEXT = "你好, welt"
CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  cohere: {{type: cohere, base_url: "{url}", api_key: {upstream_key}}}
  ollama: {{type: ollama, base_url: "{url}"}}
  perplexity: {{type: perplexity, base_url: "{url}/v1", api_key: {upstream_key}}}
  google: {{type: gemini, base_url: "{url}/v1beta", api_key: {upstream_key}}}
"""
ASKS: dict[str, tuple[str, dict[str, Any], bytes]] = {
    "chat": ("/v1/chat/completions", {"messages": HELLO}, b"data: [DONE]\n\n"),
    "responses": ("/v1/responses", {"input": HELLO}, b""),
    "messages": ("/v1/messages", {"messages": HELLO, "max_tokens": 16}, b'"message_stop"}\n\n'),
    "gemini": ("/v1beta/models/{model}:{method}", {"contents": CONTENTS}, b""),
}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "m-1",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12},
}


def sse(*events: dict[str, object]) -> bytes:
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event))
        for event in events
    )


def lines(*events: dict[str, object]) -> bytes:
    return b"".join(msgspec.json.encode(event) + b"\n" for event in events)


def said(text: str, *, done: bool = False) -> dict[str, Any]:
    """A line of Ollama's."""
    counts = {"prompt_eval_count": 7, "eval_count": 5, "done_reason": "stop"} if done else {}
    message = {"role": "assistant", "content": text}
    return {
        "model": "m",
        "created_at": "2026-01-01T00:00:00Z",
        "message": message,
        "done": done,
    } | counts


def candidate(text: str, reason: str | None = None) -> dict[str, Any]:
    """A chunk, or a whole reply, of Google's."""
    content = {"role": "model", "parts": [{"text": text}]}
    ended = {"finishReason": reason} if reason else {}
    counts = {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12}
    return {
        "candidates": [{"content": content, "index": 0} | ended],
        "usageMetadata": counts,
        "modelVersion": "m-1",
        "responseId": "r1",
    }


PIECES = [TEXT[:1], TEXT[1:]]
WHERE = {
    "cohere": "/v2/chat",
    "ollama": "/api/chat",
    "perplexity": "/v1/responses",
    "google": "/v1beta/models/m:generateContent",
}
WHOLE: dict[str, dict[str, Any]] = {
    "cohere": {
        "id": "c1",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": TEXT}]},
        "usage": {"tokens": {"input_tokens": 7, "output_tokens": 5}},
    },
    "ollama": said(TEXT, done=True),
    "perplexity": RESPONSE,
    "google": candidate(TEXT, "STOP"),
}
STREAM = {
    "cohere": (
        "text/event-stream",
        sse(
            {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}},
            {
                "type": "content-start",
                "index": 0,
                "delta": {"message": {"content": {"type": "text", "text": ""}}},
            },
            *(
                {
                    "type": "content-delta",
                    "index": 0,
                    "delta": {"message": {"content": {"text": piece}}},
                }
                for piece in PIECES
            ),
            {"type": "content-end", "index": 0},
            {
                "type": "message-end",
                "delta": {
                    "finish_reason": "COMPLETE",
                    "usage": {"tokens": {"input_tokens": 7, "output_tokens": 5}},
                },
            },
        ),
    ),
    "ollama": ("application/x-ndjson", lines(*map(said, PIECES), said("", done=True))),
    "perplexity": (
        "text/event-stream",
        sse(
            {"type": "response.created", "response": RESPONSE | {"output": [], "status": "queued"}},
            *(
                {
                    "type": "response.output_text.delta",
                    "item_id": "msg_1",
                    "output_index": 0,
                    "content_index": 0,
                    "delta": piece,
                }
                for piece in PIECES
            ),
            {"type": "response.completed", "response": RESPONSE},
        ),
    ),
    "google": (
        "text/event-stream",
        b"".join(
            b"data: " + msgspec.json.encode(event) + b"\r\n\r\n"
            for event in [*map(candidate, PIECES), candidate("", "STOP")]
        ),
    ),
}
PAIRS = [
    (surface, target)
    for target in WHERE
    for surface in ASKS
    if (surface, target)
    not in {
        ("responses", "perplexity"),
        ("chat", "ollama"),
        ("chat", "google"),
        ("gemini", "google"),
    }
]
"""All but those that share their API."""


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


def ask(hop: Hop, surface: str, target: str, **fields: object) -> Answer:
    path, asked, _ = ASKS[surface]
    if surface == "gemini":
        stream = fields.pop("stream", False)
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        path = path.format(model=f"{target}/m", method=method)
        return hop.ask(post(path, msgspec.json.encode(asked | fields)))
    return hop.ask(post(path, msgspec.json.encode({"model": f"{target}/m"} | asked | fields)))


def streams(hop: Hop, target: str, whole: bytes, piece: int = 0) -> None:
    media_type, _ = STREAM[target]
    head = stream_head("Connection: close").replace(b"text/event-stream", media_type.encode())
    # Chunks that end anywhere, so that events lie across them.
    cut = [whole[at : at + 53] for at in range(0, len(whole), 53)]
    hop.upstream.always(Read(), Send(head + b"".join(map(chunk, [*cut, b""])), piece), Close())


def texts(body: bytes) -> str:
    """The text of a client's stream, whatever API it is in."""
    found = ""
    for event in body.decode().split("\n\n"):
        data = event.rsplit("data: ", 1)[-1]
        if not data.startswith("{"):
            continue
        tree = msgspec.json.decode(data)
        if tree.get("type") == "response.output_text.delta":
            found += tree["delta"]
        elif tree.get("type") == "content_block_delta":
            found += tree["delta"].get("text", "")
        elif tree.get("choices"):
            found += tree["choices"][0]["delta"].get("content") or ""
        elif tree.get("candidates"):
            parts = tree["candidates"][0].get("content", {}).get("parts", [])
            found += "".join(part.get("text", "") for part in parts)
    return found


@pytest.mark.parametrize(("surface", "target"), PAIRS)
def test_a_whole_answer(hop: Hop, surface: str, target: str) -> None:
    hop.upstream.always(Read(), Send(reply(msgspec.json.encode(WHOLE[target]))))
    answer = ask(hop, surface, target)
    assert answer.status == 200
    seen = hop.upstream.requests[-1]
    assert seen.request_line == f"POST {WHERE[target]} HTTP/1.1"
    body = msgspec.json.decode(seen.body)
    assert target == "google" or (body["model"], body.get("stream", False)) == ("m", False)
    assert "Grüße, 世界!" in seen.body.decode()
    assert TEXT in answer.body.decode()
    assert metric(hop.running, "llm_edge_tokens_total", type="input") == 7
    assert metric(hop.running, "llm_edge_tokens_total", type="output") == 5


@pytest.mark.parametrize("piece", [0, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize(("surface", "target"), PAIRS)
def test_a_stream(hop: Hop, surface: str, target: str, piece: int) -> None:
    streams(hop, target, STREAM[target][1], piece)
    answer = ask(hop, surface, target, stream=True)
    assert (answer.status, answer.complete) == (200, True)
    assert answer.headers["content-type"] == "text/event-stream"
    seen = hop.upstream.requests[-1]
    if target == "google":
        line = "POST /v1beta/models/m:streamGenerateContent?alt=sse HTTP/1.1"
        assert seen.request_line == line
    else:
        assert msgspec.json.decode(seen.body)["stream"] is True
    assert texts(answer.body) == TEXT
    assert answer.body.endswith(ASKS[surface][2])
    assert metric(hop.running, "llm_edge_tokens_total", type="output") == 5


@pytest.mark.parametrize(("surface", "target"), PAIRS)
def test_a_stream_that_breaks_off_never_looks_whole(hop: Hop, surface: str, target: str) -> None:
    whole = STREAM[target][1]
    last = whole.rstrip().rfind(b"\n" if target == "ollama" else b"\n\n")
    for cut in range(0, last, max(1, last // 12)):
        streams(hop, target, whole[:cut])
        answer = ask(hop, surface, target, stream=True)
        assert b"error" in answer.body
        assert b"[DONE]" not in answer.body
        assert b"message_stop" not in answer.body
        assert b"response.completed" not in answer.body
        assert b"finishReason" not in answer.body
        assert TEXT.startswith(texts(answer.body))


BROKEN: dict[str, tuple[object, ...]] = {
    "cohere": (
        {"type": "content-delta", "index": 0, "delta": 7},
        {"type": "tool-call-delta", "index": 9, "delta": {"message": {"tool_calls": 1}}},
    ),
    "ollama": ({"message": {"content": 7}, "done": False}, {"message": "hm", "done": False}),
    "perplexity": (
        {"type": "response.output_text.delta", "output_index": 0, "delta": 7},
        {"type": "response.output_item.added", "output_index": 0, "item": "hm"},
    ),
    "google": ({"candidates": 7}, {"candidates": [{"content": {"parts": "hm"}}]}),
}
"""Events of a wrong shape."""
DAMAGED: list[str | int] = ["cut", "no text", "no JSON", 0, 1]


def damaged(target: str, how: str | int) -> bytes:
    """An event that is none, framed as the others."""
    match how:
        case "cut":
            data = b'{"type":"content-delta","delta":{"mess'
        case "no text":
            data = b'{"type":"\xff\xfe"}'
        case "no JSON":
            data = b"<html>busy</html>"
        case number:
            data = msgspec.json.encode(BROKEN[target][int(number)])
    return data + b"\n" if target == "ollama" else b"data: " + data + b"\n\n"


def last_of(body: bytes) -> dict[str, Any]:
    """What the last event of a client's stream holds."""
    events = [event for event in body.decode().split("\n\n") if "data: " in event]
    tree: dict[str, Any] = msgspec.json.decode(events[-1].rsplit("data: ", 1)[1])
    return tree


@pytest.mark.parametrize(("surface", "target"), PAIRS)
def test_a_malformed_event_after_words_is_an_error_and_no_end(
    hop: Hop, surface: str, target: str
) -> None:
    whole = STREAM[target][1]
    frame = b"\n" if target == "ollama" else b"\r\n\r\n" if target == "google" else b"\n\n"
    # Behind the second piece of the text.
    said = whole.index(frame, whole.index(PIECES[1].encode())) + len(frame)
    for how in DAMAGED:
        streams(hop, target, whole[:said] + damaged(target, how) + whole[said:])
        answer = ask(hop, surface, target, stream=True)
        assert (answer.status, texts(answer.body)) == (200, TEXT), how
        last = last_of(answer.body)
        told = last if last.get("type") == "error" and "error" not in last else last["error"]
        assert "cannot be translated" in told["message"], how
        for end in (b"[DONE]", b"message_stop", b"response.completed", b"finishReason"):
            assert end not in answer.body, how


NO_REPLIES: dict[str, tuple[object, ...]] = {
    "cohere": ({}, {"message": 7}, WHOLE["cohere"] | {"message": {"content": "hm"}}),
    "ollama": ({}, {"message": 7, "done": True}, said("hm")),
    "perplexity": ({}, {"output": 7}, RESPONSE | {"output": ["hm"]}),
    "google": ({}, {"candidates": 7}, {"candidates": [{"content": {"parts": "hm"}}]}),
}


@pytest.mark.parametrize(("surface", "target"), PAIRS)
def test_a_whole_answer_that_is_none_is_an_explicit_error(
    hop: Hop, surface: str, target: str
) -> None:
    bodies = [msgspec.json.encode(document) for document in NO_REPLIES[target]]
    cut = msgspec.json.encode(WHOLE[target])[:-9]
    for body in (*bodies, b"[]", b"", b"<html>busy</html>", b'"\xff"', cut):
        hop.upstream.always(Read(), Send(reply(body)))
        answer = ask(hop, surface, target)
        assert answer.status == 502, body
        error = msgspec.json.decode(answer.body)["error"]
        assert "cannot be translated" in error["message"], body


def test_a_stream_that_is_put_into_google_s_words_comes_as_an_array_too(hop: Hop) -> None:
    path = "/v1beta/models/cohere/m:streamGenerateContent"
    whole = STREAM["cohere"][1]
    streams(hop, "cohere", whole)
    answer = hop.ask(post(path, msgspec.json.encode({"contents": CONTENTS})))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    chunks = msgspec.json.decode(answer.body)
    parts = [part for one in chunks for part in one["candidates"][0]["content"].get("parts", [])]
    assert "".join(part.get("text", "") for part in parts) == TEXT
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    streams(hop, "cohere", whole[: whole.index(b"event: content-end")])
    answer = hop.ask(post(path, msgspec.json.encode({"contents": CONTENTS})))
    [*before, last] = msgspec.json.decode(answer.body)
    assert (answer.status, len(before), last["error"]["status"]) == (200, 2, "UNAVAILABLE")
