"""Embeddings of every API that models are reached by, from both APIs that clients speak.

What is said is checked in the core's own tests; here it is that requests arrive where they should,
that the SDKs understand the replies, and what becomes of those that cannot be carried over.
"""

from collections.abc import Iterator

import msgspec
import openai
import pytest
from google import genai
from google.genai import errors, types

from tests.behaviour.failure.several import metric
from tests.support.gateway import start
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply
from tests.support.wire import Answer

TEXTS = ["Grüße, 世界!", "two"]
VECTORS = [[0.10000000149011612, -1.5], [0.25, 7.0]]
CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  cohere: {{type: cohere, base_url: "{url}", api_key: {upstream_key}}}
  ollama: {{type: ollama, base_url: "{url}"}}
  up: {{type: openai_compatible, base_url: "{url}/v1", api_key: {upstream_key}}}
  google: {{type: gemini, base_url: "{url}/v1beta", api_key: {upstream_key}}}
  claude: {{type: anthropic, base_url: "{url}", api_key: {upstream_key}}}
routes:
  strict:
    models: [strict]
    targets: [{{provider: cohere, model: m}}]
    translation: {{strict: true}}
  both:
    models: [both]
    strategy: ordered
    targets: [{{provider: cohere, model: m}}, {{provider: up, model: n}}]
"""
WHERE = {
    "cohere": ("/v2/embed", "texts"),
    "ollama": ("/api/embed", "input"),
    "up": ("/v1/embeddings", "input"),
}


def told(target: str, vectors: list[list[float]]) -> bytes:
    """A reply of that provider's."""
    trees: dict[str, object] = {
        "cohere": {
            "id": "e1",
            "embeddings": {"float": vectors},
            "texts": TEXTS,
            "response_type": "embeddings_by_type",
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 7}},
        },
        "ollama": {"model": "m-1", "embeddings": vectors, "prompt_eval_count": 7},
        "up": {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(vectors)
            ],
            "model": "m-1",
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        },
    }
    return msgspec.json.encode(trees[target])


@pytest.fixture
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("embeddings")
    with Upstream() as upstream:
        path = folder / "llm-edge.yaml"
        path.write_text(CONFIG.format(key=KEY, url=upstream.url, upstream_key=UPSTREAM_KEY))
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        try:
            yield Hop(running, upstream)
        finally:
            running.stop()


def ask(hop: Hop, model: str, **fields: object) -> Answer:
    """By OpenAI's API."""
    tree = {"model": model, "input": TEXTS} | fields
    return hop.ask(post("/v1/embeddings", msgspec.json.encode(tree)))


def google(hop: Hop) -> genai.Client:
    options = types.HttpOptions(base_url=hop.running.anthropic, timeout=20_000)
    return genai.Client(api_key=KEY, http_options=options)


def oai(hop: Hop) -> openai.OpenAI:
    return openai.OpenAI(base_url=hop.running.api, api_key=KEY, max_retries=0, timeout=20)


def test_openai_s_sdk_gets_vectors_of_cohere_in_both_forms(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(told("cohere", VECTORS))))
    with oai(hop) as client:
        # Packed as base64, unless it is told what to ask for.
        packed = client.embeddings.create(model="cohere/m", input=TEXTS, dimensions=2)
        floats = client.embeddings.create(model="cohere/m", input=TEXTS, encoding_format="float")
    assert [one.embedding for one in floats.data] == VECTORS
    for index, one in enumerate(packed.data):
        assert (one.index, one.object) == (index, "embedding")
        assert one.embedding == pytest.approx(VECTORS[index], abs=1e-7)
    assert (packed.model, packed.object) == ("cohere/m", "list")
    assert (packed.usage.prompt_tokens, packed.usage.total_tokens) == (7, 7)
    seen = hop.upstream.requests[0]
    assert seen.request_line == "POST /v2/embed HTTP/1.1"
    assert seen.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert msgspec.json.decode(seen.body) == {
        "model": "m",
        "input_type": "search_document",
        "texts": TEXTS,
        "embedding_types": ["float"],
        "output_dimension": 2,
        "truncate": "NONE",
    }
    assert metric(hop.running, "llm_edge_tokens_total", type="input") == 14
    assert metric(hop.running, "llm_edge_translations_total", part="request", result="whole") == 2
    assert metric(hop.running, "llm_edge_translations_total", part="reply", result="whole") == 2


@pytest.mark.parametrize("target", WHERE)
def test_google_s_sdk_gets_vectors_of_every_provider(hop: Hop, target: str) -> None:
    hop.upstream.always(Read(), Send(reply(told(target, VECTORS))))
    config = types.EmbedContentConfig(output_dimensionality=2)
    with google(hop) as client:
        got = client.models.embed_content(model=f"{target}/m", contents=TEXTS, config=config)
    assert [embedding.values for embedding in got.embeddings] == VECTORS
    (seen,) = hop.upstream.requests
    path, texts = WHERE[target]
    assert seen.request_line == f"POST {path} HTTP/1.1"
    body = msgspec.json.decode(seen.body)
    assert (body["model"], body[texts]) == ("m", TEXTS)
    assert 2 in (body.get("dimensions"), body.get("output_dimension"))
    assert not [name for name in seen.headers if name.startswith("x-goog-")]
    assert metric(hop.running, "llm_edge_tokens_total", type="input") == 7


@pytest.mark.parametrize("before", ["/v1beta", "/v1", "/genai/v1beta"])
@pytest.mark.parametrize("target", WHERE)
def test_one_content_is_answered_by_one_vector(hop: Hop, before: str, target: str) -> None:
    hop.upstream.always(Read(), Send(reply(told(target, VECTORS[:1]))))
    path = f"{before}/models/{target}%2Fm:embedContent?key={KEY}"
    tree = {"content": {"parts": [{"text": TEXTS[0]}]}, "title": "t"}
    answer = hop.ask(post(path, msgspec.json.encode(tree), key=None))
    assert answer.status == 200
    assert msgspec.json.decode(answer.body) == {
        "embedding": {"values": VECTORS[0]},
        "usageMetadata": {"promptTokenCount": 7},
    }
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-llm-edge-dropped"] == "title"
    (seen,) = hop.upstream.requests
    assert seen.request_line == f"POST {WHERE[target][0]} HTTP/1.1"


def test_what_google_s_clients_send_to_google_stays_as_it_is(hop: Hop) -> None:
    vectors = b' {"embeddings": [{"values": [1.0]}], "usageMetadata":{"promptTokenCount": 7}}'
    hop.upstream.always(Read(), Send(reply(vectors)))
    sent = b' { "requests":[{"model":"models/m","content":{"parts":[{"text":"x"}]} }] }'
    answer = hop.ask(post("/v1beta/models/m:batchEmbedContents", sent))
    assert (answer.status, answer.body) == (200, vectors)
    # By another name here than there, it is called by the name there, wherever it is named.
    named = sent.replace(b"models/m", b"models/google/m")
    answer = hop.ask(post("/v1beta/models/google/m:batchEmbedContents?a=1", named))
    assert (answer.status, answer.body) == (200, vectors)
    one = b'{"content":{"parts":[{"text":"model"}]},"model":"models/google/m"}'
    assert hop.ask(post("/v1/models/google%2Fm:embedContent", one)).status == 200
    first, second, third = hop.upstream.requests
    assert first.request_line == "POST /v1beta/models/m:batchEmbedContents HTTP/1.1"
    assert second.request_line == "POST /v1beta/models/m:batchEmbedContents?a=1 HTTP/1.1"
    assert third.request_line == "POST /v1beta/models/m:embedContent HTTP/1.1"
    assert (first.body, second.body) == (sent, sent)
    assert third.body == one.replace(b"google/", b"")
    for seen in hop.upstream.requests:
        assert seen.headers["x-goog-api-key"] == UPSTREAM_KEY
        assert KEY not in str(seen.headers)
    assert metric(hop.running, "llm_edge_tokens_total", type="input") == 21
    assert metric(hop.running, "llm_edge_translations_total") == 0


def test_what_gets_lost_is_said_and_refused_where_the_route_is_strict(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(told("cohere", VECTORS))))
    answer = ask(hop, "cohere/m", user="u", input_type="search_query", seed=1)
    assert (answer.status, answer.headers["x-llm-edge-dropped"]) == (200, "seed,user")
    assert msgspec.json.decode(hop.upstream.requests[0].body)["input_type"] == "search_query"
    answer = ask(hop, "strict", user="u")
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["code"], error["param"]) == (400, "untranslatable", "user")
    content = {"content": {"parts": [{"text": "x"}]}, "taskType": "SEMANTIC_SIMILARITY"}
    path = "/v1beta/models/strict:embedContent"
    answer = hop.ask(post(path, msgspec.json.encode(content)))
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["status"]) == (400, "INVALID_ARGUMENT")
    assert "`taskType`" in error["message"]
    assert ask(hop, "strict").status == 200
    assert hop.seen == 2


def test_token_ids_go_to_who_can_read_them(hop: Hop) -> None:
    answer = ask(hop, "cohere/m", input=[1, 2, 3])
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["code"], error["param"]) == (400, "untranslatable", "input")
    assert "send the text" in error["message"]
    assert hop.seen == 0
    hop.upstream.always(Read(), Send(reply(told("up", VECTORS))))
    answer = ask(hop, "both", input=[[1, 2], [3]])
    assert (answer.status, answer.body) == (200, told("up", VECTORS))
    (seen,) = hop.upstream.requests
    assert msgspec.json.decode(seen.body) == {"model": "n", "input": [[1, 2], [3]]}


def test_an_error_of_the_provider_is_told_in_the_client_s_shape(hop: Hop) -> None:
    refusal = reply(b'{"id":"e","message":"at most 96 texts"}', "400 Bad Request")
    hop.upstream.always(Read(), Send(refusal))
    with oai(hop) as client, pytest.raises(openai.BadRequestError, match="at most 96 texts"):
        client.embeddings.create(model="cohere/m", input=TEXTS)
    with google(hop) as client, pytest.raises(errors.ClientError, match="at most 96 texts") as of:
        client.models.embed_content(model="cohere/m", contents=TEXTS)
    assert (of.value.code, of.value.status) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "body",
    [
        told("cohere", VECTORS[:1]),
        told("cohere", [*VECTORS, [1.0]]),
        told("cohere", [[], []]),
        b'{"embeddings":{"float":[[1],["x"]]}}',
        b'{"embeddings":{}}',
        b"{}",
        b"[",
    ],
    ids=["one less", "one more", "empty", "no numbers", "no floats", "nothing", "no JSON"],
)
def test_a_reply_that_is_none_is_an_error_for_both_clients(hop: Hop, body: bytes) -> None:
    hop.upstream.always(Read(), Send(reply(body)))
    answer = ask(hop, "cohere/m")
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["code"]) == (502, "upstream_invalid")
    batch = {"requests": [{"content": {"parts": [{"text": text}]}} for text in TEXTS]}
    path = "/v1beta/models/cohere/m:batchEmbedContents"
    answer = hop.ask(post(path, msgspec.json.encode(batch)))
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["status"]) == (502, "UNAVAILABLE")


def test_vectors_never_come_as_a_stream(hop: Hop) -> None:
    events = reply(b"data: [DONE]\n\n", content_type="text/event-stream")
    hop.upstream.always(Read(), Send(events))
    answer = ask(hop, "cohere/m")
    assert (answer.status, answer.headers["content-type"]) == (502, "application/json")


def test_a_provider_without_embeddings_is_named(hop: Hop) -> None:
    answer = ask(hop, "claude/m")
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["code"]) == (400, "dialect_mismatch")
    path = "/v1beta/models/claude/m:embedContent"
    answer = hop.ask(post(path, b'{"content":{"parts":[{"text":"x"}]}}'))
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["details"][0]["reason"]) == (400, "dialect_mismatch")
    assert hop.seen == 0


def test_a_method_of_google_s_is_called_by_post_with_a_body_that_is_one(hop: Hop) -> None:
    for method in ("embedContent", "batchEmbedContents"):
        path = f"/v1beta/models/cohere/m:{method}"
        answer = hop.ask(post(path, b"{}"))
        error = msgspec.json.decode(answer.body)["error"]
        assert (answer.status, error["status"]) == (400, "INVALID_ARGUMENT")
        assert "is missing" in error["message"]
        answer = hop.ask(post(path, b'{"content":{},"content":{},"requests":[],"requests":[]}'))
        assert (answer.status, b"twice" in answer.body) == (400, True)
        answer = hop.ask(post(path).replace(b"POST", b"GET", 1))
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert hop.seen == 0
