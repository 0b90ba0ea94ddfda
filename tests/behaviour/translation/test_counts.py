"""Token counts asked in one API of a model whose provider counts in another."""

from collections.abc import Iterator
from typing import Any

import anthropic
import msgspec
import openai
import pytest
from google import genai
from google.genai import types

from tests.support.gateway import start
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  o: {{type: openai, base_url: "{url}/v1", api_key: {upstream_key}}}
  a: {{type: anthropic, base_url: "{url}", api_key: {upstream_key}}}
  g: {{type: gemini, base_url: "{url}/v1beta", api_key: {upstream_key}}}
  b: {{type: bedrock, base_url: "{url}", api_key: {upstream_key}}}
  v:
    type: vertex
    base_url: "{url}"
    api_key: {upstream_key}
    google: {{project: p, location: l}}
  c: {{type: cohere, base_url: "{url}", api_key: {upstream_key}}}
"""
ANSWERS = {
    "o": ("/v1/responses/input_tokens", b'{"object":"response.input_tokens","input_tokens":7}'),
    "a": ("/v1/messages/count_tokens", b'{"input_tokens":7}'),
    "g": ("/v1beta/models/m:countTokens", b'{"totalTokens":7}'),
    "v": (
        "/v1/projects/p/locations/l/publishers/google/models/m:countTokens",
        b'{"totalTokens":7,"totalBillableCharacters":2}',
    ),
    "b": ("/model/m/count-tokens", b'{"inputTokens":7}'),
}
MESSAGES = b'{"model":"%s/m","messages":[{"role":"user","content":"hi"}]}'


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("counts")
    with Upstream() as upstream:
        path = folder / "llm-edge.yaml"
        path.write_text(CONFIG.format(key=KEY, url=upstream.url, upstream_key=UPSTREAM_KEY))
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        try:
            yield Hop(running, upstream)
        finally:
            running.stop()


def sent(hop: Hop, provider: str) -> dict[str, Any]:
    """What the upstream was asked."""
    got = hop.upstream.requests[-1]
    assert got.request_line == f"POST {ANSWERS[provider][0]} HTTP/1.1"
    return msgspec.json.decode(got.body, type=dict[str, Any])


@pytest.mark.parametrize("provider", ANSWERS)
def test_anthropics_sdk_is_told(hop: Hop, provider: str) -> None:
    hop.upstream.always(Read(), Send(reply(ANSWERS[provider][1])))
    with anthropic.Anthropic(base_url=hop.running.anthropic, api_key=KEY, max_retries=0) as client:
        counted = client.messages.count_tokens(
            model=f"{provider}/m",
            system="Be brief.",
            messages=[{"role": "user", "content": "Grüße"}],
        )
        assert counted.input_tokens == 7
        assert "Grüße" in str(sent(hop, provider))


@pytest.mark.parametrize("provider", ANSWERS)
def test_googles_sdk_is_told(hop: Hop, provider: str) -> None:
    hop.upstream.always(Read(), Send(reply(ANSWERS[provider][1])))
    with genai.Client(
        api_key=KEY, http_options=types.HttpOptions(base_url=hop.running.anthropic)
    ) as client:
        counted = client.models.count_tokens(model=f"{provider}/m", contents="Grüße")
        assert counted.total_tokens == 7
        assert "Grüße" in str(sent(hop, provider))


@pytest.mark.parametrize("provider", ANSWERS)
def test_openais_sdk_is_told(hop: Hop, provider: str) -> None:
    hop.upstream.always(Read(), Send(reply(ANSWERS[provider][1])))
    with openai.OpenAI(base_url=hop.running.api, api_key=KEY, max_retries=0) as client:
        counted = client.responses.input_tokens.count(model=f"{provider}/m", input="Grüße")
        assert counted.input_tokens == 7
        assert "Grüße" in str(sent(hop, provider))


def test_vertex_counts_what_is_not_wrapped(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(ANSWERS["v"][1])))
    with anthropic.Anthropic(base_url=hop.running.anthropic, api_key=KEY, max_retries=0) as client:
        client.messages.count_tokens(
            model="v/m", system="Be brief.", messages=[{"role": "user", "content": "Grüße"}]
        )
        assert sent(hop, "v") == {
            "generationConfig": {},
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": "Grüße"}]}],
        }


def test_vertex_is_asked_without_what_googles_own_api_wraps_around(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(ANSWERS["v"][1])))
    question = b'{"contents":[{"role":"user","parts":[{"text":"Gr\\u00fc\\u00dfe"}]}]%s}'
    wrapped = b'{"generateContentRequest":%s}' % (question % b',"model":"models/m","toolConfig":{}')
    answer = hop.ask(post("/v1beta/models/v%2Fm:countTokens", wrapped))
    assert msgspec.json.decode(answer.body)["totalTokens"] == 7
    assert hop.upstream.requests[-1].body == question % b""


ESTIMATED = {
    "/v1/messages/count_tokens": (MESSAGES % b"c", {"input_tokens": 8}),
    "/v1/responses/input_tokens": (
        b'{"model":"c/m","input":"hi"}',
        {"object": "response.input_tokens", "input_tokens": 8},
    ),
    "/v1beta/models/c%2Fm:countTokens": (
        b'{"contents":[{"parts":[{"text":"hi"}]}]}',
        {"totalTokens": 1},
    ),
}


@pytest.mark.parametrize("path", ESTIMATED)
def test_a_provider_that_counts_nowhere_has_its_tokens_estimated(hop: Hop, path: str) -> None:
    before = hop.seen
    body, wanted = ESTIMATED[path]
    answer = hop.ask(post(path, body))
    assert (answer.status, msgspec.json.decode(answer.body)) == (200, wanted)
    assert answer.values("x-llm-edge-tokens") == ["estimate"]
    assert answer.values("content-type") == ["application/json"]
    assert hop.seen == before


def test_a_long_request_is_estimated_while_others_are_served(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(ANSWERS["a"][1])))
    text = b"so it goes, again and again, and nobody knows why. " * 300_000
    with hop.connect() as slow:
        slow.send(post("/v1/messages/count_tokens", (MESSAGES % b"c").replace(b"hi", text)))
        while not slow.readable_within(0):
            assert hop.ask(post("/v1/messages/count_tokens", MESSAGES % b"a")).status == 200
        answer = slow.answer()
    tokens = msgspec.json.decode(answer.body)["input_tokens"]
    assert tokens == 13 * 300_000 + 8


def test_what_cannot_be_read_is_refused_before_it_is_estimated(hop: Hop) -> None:
    answer = hop.ask(post("/v1/messages/count_tokens", b'{"model":"c/m","messages":['))
    assert (answer.status, answer.values("x-llm-edge-tokens")) == (400, [])


def test_an_error_and_what_is_no_count_come_back_as_errors(hop: Hop) -> None:
    refused = b'{"error":{"code":404,"message":"no such model","status":"NOT_FOUND"}}'
    hop.upstream.always(Read(), Send(reply(refused, "404 Not Found")))
    answer = hop.ask(post("/v1/messages/count_tokens", MESSAGES % b"g"))
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["message"]) == (404, "no such model")
    hop.upstream.always(Read(), Send(reply(b'{"totalTokens":"many"}')))
    answer = hop.ask(post("/v1/messages/count_tokens", MESSAGES % b"g"))
    error = msgspec.json.decode(answer.body)["error"]
    assert answer.status == 502
    assert "totalTokens" in error["message"]
