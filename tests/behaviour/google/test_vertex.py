"""Vertex AI is asked as its reference and Anthropic's SDK ask it, whatever the client speaks."""

from collections.abc import Iterator
from pathlib import Path

import anthropic
import msgspec
import pytest

from tests.support.gateway import start
from tests.support.google import PROJECT, SCOPE, Tokens
from tests.support.hop import CHAT, KEY, Hop, post
from tests.support.upstream import Read, Received, Send, Upstream, reply

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  gemini: {{type: vertex, base_url: "{url}", google: {{{account}, location: europe-west1}}}}
  claude: {{type: vertex_anthropic, base_url: "{url}", google: {{{account}, location: global}}}}
  open:
    type: vertex_openai
    base_url: "{url}"
    google: {{{account}, project: p-2, location: us}}
routes:
  renamed: {{models: [renamed], targets: [{{provider: claude, model: claude-x@1}}]}}
"""
GEMINI = f"/v1/projects/{PROJECT}/locations/europe-west1/publishers/google/models/gemini-x"
CLAUDE = f"/v1/projects/{PROJECT}/locations/global/publishers/anthropic/models"
HELLO = [{"role": "user", "content": "Hello"}]
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
MESSAGE = msgspec.json.encode(
    {
        "id": "msg_vrtx_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }
)
EVENTS = b"".join(
    b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **more}))
    for kind, more in (
        ("message_start", {"message": msgspec.json.decode(MESSAGE) | {"content": []}}),
        (
            "content_block_start",
            {"index": 0, "content_block": {"type": "text", "text": ""}},
        ),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Hi"}}),
        ("content_block_stop", {"index": 0}),
        (
            "message_delta",
            {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        ),
        ("message_stop", {}),
    )
)
CANDIDATE = msgspec.json.encode(
    {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
    }
)


@pytest.fixture(scope="module")
def tokens() -> Iterator[Tokens]:
    with Tokens() as tokens:
        yield tokens


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tokens: Tokens) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("vertex")
    account = f'credentials_file: "{tokens.write_account(folder)}"'
    with Upstream() as upstream:
        config = folder / "llm-edge.yaml"
        config.write_text(CONFIG.format(key=KEY, url=upstream.url, account=account))
        running = start(["serve", "--config", str(config), "--workers", "1"], folder)
        yield Hop(running, upstream)
        running.stop()


@pytest.fixture
def hop(shared: Hop) -> Hop:
    shared.upstream.reset()
    return shared


def ask(hop: Hop, path: str, tree: object, *fields: str) -> Received:
    """Ask with a body as the bytes of `tree`, and return what Vertex saw of it."""
    data = tree if isinstance(tree, bytes) else msgspec.json.encode(tree)
    answer = hop.ask(post(path, data, *fields))
    assert answer.status == 200, answer.body
    (seen,) = hop.upstream.requests
    return seen


def stream_of(events: bytes) -> bytes:
    """A whole stream of events."""
    return reply(events, content_type="text/event-stream")


def test_every_request_carries_a_token_that_the_account_was_given(hop: Hop, tokens: Tokens) -> None:
    seen = ask(hop, "/v1beta/models/gemini%2Fgemini-x:generateContent", CONTENTS)
    assert seen.headers["authorization"].removeprefix("Bearer ") in tokens.given
    assert not {"x-goog-api-key", "x-api-key"} & set(seen.headers)
    assert KEY not in seen.head.decode()
    assert tokens.faults == []
    assert {claims["scope"] for claims in tokens.claims} == {SCOPE}


@pytest.mark.parametrize("method", ["generateContent", "countTokens"])
def test_gemini_is_asked_in_its_own_words_byte_for_byte(hop: Hop, method: str) -> None:
    data = b' {"contents" : [{"parts":[{"text":"\\u0048i"}]}], "new_field":1.50}'
    seen = ask(hop, f"/v1beta/models/gemini%2Fgemini-x:{method}", data)
    assert seen.request_line == f"POST {GEMINI}:{method} HTTP/1.1"
    assert seen.body == data


def test_a_stream_of_gemini_comes_as_events(hop: Hop) -> None:
    events = b"data: " + CANDIDATE + b"\n\n"
    hop.upstream.always(Read(), Send(stream_of(events)))
    path = "/v1beta/models/gemini%2Fgemini-x:streamGenerateContent?alt=sse"
    answer = hop.ask(post(path, msgspec.json.encode(CONTENTS)))
    assert answer.body == events
    (seen,) = hop.upstream.requests
    assert seen.request_line == f"POST {GEMINI}:streamGenerateContent?alt=sse HTTP/1.1"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_of_openai_s_reaches_gemini(hop: Hop, *, stream: bool) -> None:
    head = stream_of(b"data: " + CANDIDATE + b"\n\n") if stream else reply(CANDIDATE)
    hop.upstream.always(Read(), Send(head))
    tree = {"model": "gemini/gemini-x", "messages": HELLO, "stream": stream}
    seen = ask(hop, CHAT, tree)
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    assert seen.request_line == f"POST {GEMINI}:{method} HTTP/1.1"


def test_claude_is_asked_with_the_version_in_place_of_the_model(hop: Hop) -> None:
    data = b'{"max_tokens": 9,\n "mod\\u0065l" : "claude/claude-x@1", "messages": [], "x":1.50}'
    seen = ask(
        hop, "/v1/messages", data, "anthropic-version: 2023-06-01", "anthropic-beta: context-1m"
    )
    assert seen.request_line == f"POST {CLAUDE}/claude-x%401:rawPredict HTTP/1.1"
    model = b'"mod\\u0065l" : "claude/claude-x@1"'
    assert seen.body == data.replace(model, b'"anthropic_version":"vertex-2023-10-16"')
    assert seen.headers["anthropic-beta"] == "context-1m"
    assert "anthropic-version" not in seen.headers


def test_a_stream_of_claude_is_asked_for_where_it_is(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(stream_of(EVENTS)))
    data = b'{"stream":true,"model":"claude/claude-x","max_tokens":9,"messages":[]}'
    answer = hop.ask(post("/v1/messages?beta=true", data))
    assert (answer.status, answer.body) == (200, EVENTS)
    (seen,) = hop.upstream.requests
    # Google knows no `beta` in a query, and refuses what it does not know.
    assert seen.request_line == f"POST {CLAUDE}/claude-x:streamRawPredict HTTP/1.1"
    assert msgspec.json.decode(seen.body)["stream"] is True


def test_a_route_s_own_name_for_the_model_is_in_the_path(hop: Hop) -> None:
    seen = ask(hop, "/v1/messages", b'{"model":"renamed","max_tokens":9,"messages":[]}')
    assert seen.request_line == f"POST {CLAUDE}/claude-x%401:rawPredict HTTP/1.1"
    assert b"renamed" not in seen.body


def test_tokens_of_claude_are_counted_with_the_model_in_the_body(hop: Hop) -> None:
    data = b'{"messages":[],"model":"claude/claude-x"}'
    seen = ask(hop, "/v1/messages/count_tokens?beta=true", data)
    assert seen.request_line == f"POST {CLAUDE}/count-tokens:rawPredict HTTP/1.1"
    version = b'{"anthropic_version":"vertex-2023-10-16",'
    assert seen.body == version + b'"messages":[],"model":"claude-x"}'


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_of_openai_s_reaches_claude(hop: Hop, *, stream: bool) -> None:
    hop.upstream.always(Read(), Send(stream_of(EVENTS) if stream else reply(MESSAGE)))
    tree = {"model": "claude/claude-x", "messages": HELLO, "stream": stream, "max_tokens": 9}
    seen = ask(hop, CHAT, tree)
    method = "streamRawPredict" if stream else "rawPredict"
    assert seen.request_line == f"POST {CLAUDE}/claude-x:{method} HTTP/1.1"
    body = msgspec.json.decode(seen.body)
    assert body["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in body


def test_an_open_model_is_asked_in_openai_s_words(hop: Hop) -> None:
    tree = {"model": "open/meta/llama-x-maas", "messages": HELLO}
    seen = ask(hop, CHAT, tree)
    where = "/v1/projects/p-2/locations/us/endpoints/openapi/chat/completions"
    assert seen.request_line == f"POST {where} HTTP/1.1"
    assert msgspec.json.decode(seen.body)["model"] == "meta/llama-x-maas"


def test_a_caller_does_not_choose_whose_quota_is_used(hop: Hop) -> None:
    path = "/v1beta/models/gemini%2Fgemini-x:generateContent"
    seen = ask(hop, path, CONTENTS, "X-Goog-User-Project: theirs")
    assert "x-goog-user-project" not in seen.headers


@pytest.mark.parametrize("stream", [False, True])
def test_the_request_is_the_one_that_anthropic_s_own_client_for_vertex_sends(
    hop: Hop, *, stream: bool
) -> None:
    question = {
        "max_tokens": 64,
        "system": "Be brief.",
        "messages": HELLO,
        "tools": [{"name": "look", "input_schema": {"type": "object"}}],
        "stream": stream,
    }
    hop.upstream.always(Read(), Send(stream_of(EVENTS) if stream else reply(MESSAGE)))
    at = f"{hop.upstream.url}/v1"
    with anthropic.AnthropicVertex(
        region="global", project_id=PROJECT, access_token="t", base_url=at
    ) as direct:
        _drain(direct.messages.create(model="claude-x", **question), stream=stream)
        direct.messages.count_tokens(model="claude-x", messages=HELLO)
    theirs = list(hop.upstream.requests)
    hop.upstream.requests.clear()
    with anthropic.Anthropic(base_url=hop.running.anthropic, api_key=KEY) as client:
        _drain(client.messages.create(model="claude/claude-x", **question), stream=stream)
        client.messages.count_tokens(model="claude/claude-x", messages=HELLO)
    for ours, their in zip(hop.upstream.requests, theirs, strict=True):
        assert ours.request_line == their.request_line
        sent, wanted = msgspec.json.decode(ours.body), msgspec.json.decode(their.body)
        # Since 2.12 the SDK names the version of Anthropic's own API; the documents name this one.
        assert sent.pop("anthropic_version") == "vertex-2023-10-16"
        assert wanted.pop("anthropic_version")
        assert sent == wanted
        assert ours.headers.keys() >= {"authorization", "content-type"}


def _drain(answer: object, *, stream: bool) -> None:
    text = ""
    if stream:
        for event in answer:  # type: ignore[attr-defined]
            text += getattr(getattr(event, "delta", None), "text", "")
    else:
        text = answer.content[0].text  # type: ignore[attr-defined]
    assert text == "Hi"


def test_an_account_may_be_written_out(tmp_path: Path, tokens: Tokens) -> None:
    file = tokens.write_account(tmp_path)
    with Upstream() as upstream:
        config = tmp_path / "llm-edge.yaml"
        account = f'credentials: "${{file:{file}}}"'
        config.write_text(CONFIG.format(key=KEY, url=upstream.url, account=account))
        running = start(["serve", "--config", str(config), "--workers", "1"], tmp_path)
        hop = Hop(running, upstream)
        try:
            seen = ask(hop, "/v1/messages", b'{"model":"claude/m","max_tokens":9,"messages":[]}')
            shown = msgspec.json.encode(running.ask_admin("config")).decode()
        finally:
            log = running.stop()
    assert seen.headers["authorization"].removeprefix("Bearer ") in tokens.given
    assert '"credentials":"***"' in shown
    assert "PRIVATE KEY" not in shown + log
