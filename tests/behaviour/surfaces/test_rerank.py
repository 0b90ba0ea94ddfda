"""The ranking of documents: wherever it is asked for, it passes as it is."""

from collections.abc import Iterator

import msgspec
import pytest

from tests.behaviour.failure.several import metric
from tests.support.gateway import start
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply

REPLY = (
    b'{"id":"r","results":[{"index":1, "relevance_score":0.99},{"index":0,"relevance_score":0.1}],'
    b'"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}'
)
ASK = b' {"query":"Gr\xc3\xbc\xc3\x9fe","documents":["a",{"text":"b"}],"top_n":2, "model":"%s" }'
CONFIG = """
version: 1
keys: [{{name: app, key: {key}, models: ["*"]}}]
providers:
  claude: {{type: anthropic, base_url: "{url}", api_key: {upstream_key}}}
  cohere: {{type: cohere, base_url: "{url}", api_key: {upstream_key}}}
  vllm: {{type: vllm, base_url: "{url}/v1", api_key: {upstream_key}}}
routes:
  either:
    models: [either]
    strategy: ordered
    retry: {{attempts_max: 2, backoff_ms: 10}}
    targets: [{{provider: cohere, model: rerank-v4}}, {{provider: vllm, model: bge}}]
    cache: {{ttl_s: 60}}
"""
WHERE = {"cohere": "/v2/rerank", "vllm": "/v1/rerank"}


@pytest.fixture
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("rerank")
    with Upstream() as upstream:
        path = folder / "llm-edge.yaml"
        path.write_text(CONFIG.format(key=KEY, url=upstream.url, upstream_key=UPSTREAM_KEY))
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        try:
            yield Hop(running, upstream)
        finally:
            running.stop()


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank", "/openai/v1/rerank"])
@pytest.mark.parametrize("target", WHERE)
def test_it_goes_where_the_provider_has_it_with_nothing_changed_but_the_model(
    hop: Hop, path: str, target: str
) -> None:
    hop.upstream.always(Read(), Send(reply(REPLY)))
    answer = hop.ask(post(path, ASK % f"{target}/m-1".encode()))
    assert (answer.status, answer.body) == (200, REPLY)
    (seen,) = hop.upstream.requests
    assert seen.request_line == f"POST {WHERE[target]} HTTP/1.1"
    assert seen.body == ASK % b"m-1"
    assert seen.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert KEY not in str(seen.headers)


def test_a_bare_name_goes_to_the_first_provider_that_ranks(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(REPLY)))
    assert hop.ask(post("/v2/rerank", ASK % b"rerank-v4")).status == 200
    assert hop.upstream.requests[0].request_line == "POST /v2/rerank HTTP/1.1"


def test_a_busy_provider_gives_way_to_the_other_and_the_reply_is_kept(hop: Hop) -> None:
    busy = reply(b'{"message":"too many requests"}', "429 Too Many Requests")
    hop.upstream.once(Read(), Send(busy))
    hop.upstream.always(Read(), Send(reply(REPLY)))
    for _ in range(2):
        answer = hop.ask(post("/v1/rerank", ASK % b"either"))
        assert (answer.status, answer.body) == (200, REPLY)
    lines = [seen.request_line.split()[1] for seen in hop.upstream.requests]
    assert lines == ["/v2/rerank", "/v1/rerank"]


def test_tokens_are_counted_where_the_reply_tells_them(hop: Hop) -> None:
    counted = REPLY.replace(b'"meta"', b'"usage":{"prompt_tokens":5,"total_tokens":5},"meta"')
    hop.upstream.always(Read(), Send(reply(counted)))
    assert hop.ask(post("/v1/rerank", ASK % b"vllm/m")).status == 200
    assert metric(hop.running, "llm_edge_tokens_total", type="input") == 5
    assert metric(hop.running, "llm_edge_search_units_total") == 1
    hop.upstream.always(Read(), Send(reply(REPLY)))
    assert hop.ask(post("/v2/rerank", ASK % b"cohere/m")).status == 200
    assert metric(hop.running, "llm_edge_search_units_total", provider="cohere") == 1


def test_what_cannot_be_ranked_is_refused_in_openai_s_shape(hop: Hop) -> None:
    for data, code, param in [
        (b'{"query":"x","documents":["a"]}', "invalid_field", "model"),
        (b'{"model":1,"query":"x","documents":["a"]}', "invalid_field", "model"),
        (b'{"model":"vllm/m","query":"x","query":"y"}', "invalid_json", "query"),
        (b'{"model":"vllm/m","Documents":[]}', "invalid_json", "documents"),
        (b"[]", "invalid_json", None),
        (ASK % b"claude/m", "dialect_mismatch", "model"),
    ]:
        answer = hop.ask(post("/v2/rerank", data))
        error = msgspec.json.decode(answer.body)["error"]
        assert (answer.status, error["code"], error["param"]) == (400, code, param), data
    answer = hop.ask(post("/v2/rerank", ASK % b"nobody/m"))
    assert (answer.status, b"model_not_found" in answer.body) == (404, True)
    answer = hop.ask(post("/v2/rerank").replace(b"POST", b"GET", 1))
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert hop.ask(post("/v2/embeddings", ASK % b"vllm/m")).status == 404
    assert hop.seen == 0


def test_an_error_of_the_provider_passes_as_it_is(hop: Hop) -> None:
    refusal = b'{"id":"e","message":"too many documents"}'
    hop.upstream.always(Read(), Send(reply(refusal, "400 Bad Request")))
    answer = hop.ask(post("/v2/rerank", ASK % b"cohere/m"))
    assert (answer.status, answer.body) == (400, refusal)
