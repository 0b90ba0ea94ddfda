"""Each type of provider is asked where it listens, with its key where it looks for it."""

from collections.abc import Iterator

import msgspec
import pytest

from llm_edge_agent.providers import SPECS
from tests.support.gateway import start
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply

HELLO = [{"role": "user", "content": "hello"}]
CONTENT = {"parts": [{"text": "hello"}]}
CONTENTS = {"contents": [{"role": "user", **CONTENT}]}
SURFACES = {
    "chat_completions": ("/v1/chat/completions", {"messages": HELLO}),
    "completions": ("/v1/completions", {"prompt": "hello"}),
    "responses": ("/v1/responses", {"input": "hello"}),
    "embeddings": ("/v1/embeddings", {"input": "hello"}),
    "messages": ("/v1/messages", {"messages": HELLO, "max_tokens": 16}),
    "count_tokens": ("/v1/messages/count_tokens", {"messages": HELLO}),
    "generate_content": ("/v1beta/models/{model}:generateContent", CONTENTS),
    "stream_generate_content": ("/v1beta/models/{model}:streamGenerateContent", CONTENTS),
    "gemini_count_tokens": ("/v1beta/models/{model}:countTokens", CONTENTS),
    "embed_content": ("/v1beta/models/{model}:embedContent", {"content": CONTENT}),
    "batch_embed_contents": (
        "/v1beta/models/{model}:batchEmbedContents",
        {"requests": [{"content": CONTENT}]},
    ),
    "rerank": ("/v2/rerank", {"query": "hello", "documents": ["hello"]}),
}
PLACE = "/v1/projects/p/locations/l"
MORE = {
    name: {"google": {"project": "p", "location": "l"}}
    for name in ("vertex", "vertex_anthropic", "vertex_openai")
}
# What follows the host in the provider's own base URL, and then the operation's whole path.
WHERE = {
    "openai": (
        "/v1",
        {
            "chat_completions": "/v1/chat/completions",
            "completions": "/v1/completions",
            "responses": "/v1/responses",
            "embeddings": "/v1/embeddings",
            "input_tokens": "/v1/responses/input_tokens",
        },
    ),
    "anthropic": (
        "",
        {"messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens"},
    ),
    "azure_openai": (
        "",
        {
            "chat_completions": "/openai/v1/chat/completions",
            "completions": "/openai/v1/completions",
            "responses": "/openai/v1/responses",
            "embeddings": "/openai/v1/embeddings",
            "input_tokens": "/openai/v1/responses/input_tokens",
        },
    ),
    "gemini": (
        "/v1beta",
        {
            "chat_completions": "/v1beta/openai/chat/completions",
            "embeddings": "/v1beta/openai/embeddings",
            "generate_content": "/v1beta/models/m:generateContent",
            "stream_generate_content": "/v1beta/models/m:streamGenerateContent",
            "gemini_count_tokens": "/v1beta/models/m:countTokens",
            "embed_content": "/v1beta/models/m:embedContent",
            "batch_embed_contents": "/v1beta/models/m:batchEmbedContents",
        },
    ),
    "vertex": (
        "",
        {
            "generate_content": f"{PLACE}/publishers/google/models/m:generateContent",
            "stream_generate_content": f"{PLACE}/publishers/google/models/m:streamGenerateContent",
            "gemini_count_tokens": f"{PLACE}/publishers/google/models/m:countTokens",
        },
    ),
    "vertex_anthropic": (
        "",
        {
            "messages": f"{PLACE}/publishers/anthropic/models/m:rawPredict",
            "count_tokens": f"{PLACE}/publishers/anthropic/models/count-tokens:rawPredict",
        },
    ),
    "vertex_openai": ("", {"chat_completions": f"{PLACE}/endpoints/openapi/chat/completions"}),
    "mistral": (
        "/v1",
        {"chat_completions": "/v1/chat/completions", "embeddings": "/v1/embeddings"},
    ),
    "groq": (
        "/openai/v1",
        {
            "chat_completions": "/openai/v1/chat/completions",
            "responses": "/openai/v1/responses",
        },
    ),
    "deepseek": (
        "",
        {
            "chat_completions": "/chat/completions",
            "completions": "/beta/completions",
            "messages": "/anthropic/v1/messages",
        },
    ),
    "xai": (
        "/v1",
        {"chat_completions": "/v1/chat/completions", "responses": "/v1/responses"},
    ),
    "together": (
        "/v1",
        {
            "chat_completions": "/v1/chat/completions",
            "completions": "/v1/completions",
            "embeddings": "/v1/embeddings",
            "rerank": "/v1/rerank",
        },
    ),
    "fireworks": (
        "/inference/v1",
        {
            "chat_completions": "/inference/v1/chat/completions",
            "completions": "/inference/v1/completions",
            "responses": "/inference/v1/responses",
            "embeddings": "/inference/v1/embeddings",
        },
    ),
    "openrouter": (
        "/api/v1",
        {
            "chat_completions": "/api/v1/chat/completions",
            "completions": "/api/v1/completions",
            "responses": "/api/v1/responses",
            "embeddings": "/api/v1/embeddings",
            "messages": "/api/v1/messages",
            "rerank": "/api/v1/rerank",
        },
    ),
    "perplexity": ("/v1", {"responses": "/v1/responses"}),
    "bedrock": (
        "",
        {
            "converse": "/model/m/converse",
            "converse_stream": "/model/m/converse-stream",
            "bedrock_count_tokens": "/model/m/count-tokens",
        },
    ),
    "cohere": (
        "",
        {"cohere_chat": "/v2/chat", "cohere_embed": "/v2/embed", "rerank": "/v2/rerank"},
    ),
    "ollama": (
        "",
        {
            "chat_completions": "/v1/chat/completions",
            "completions": "/v1/completions",
            "embeddings": "/v1/embeddings",
            "ollama_chat": "/api/chat",
            "ollama_embed": "/api/embed",
        },
    ),
    "vllm": (
        "/v1",
        {
            "chat_completions": "/v1/chat/completions",
            "completions": "/v1/completions",
            "responses": "/v1/responses",
            "embeddings": "/v1/embeddings",
            "messages": "/v1/messages",
            "rerank": "/v1/rerank",
        },
    ),
    "openai_compatible": (
        "/v1",
        {
            "chat_completions": "/v1/chat/completions",
            "completions": "/v1/completions",
            "responses": "/v1/responses",
            "embeddings": "/v1/embeddings",
            "rerank": "/v1/rerank",
        },
    ),
}
HEADERS = {"anthropic": ("x-api-key", ""), "azure_openai": ("api-key", "")}
BEARER = ("authorization", "Bearer ")
IN_GOOGLE_S = {
    "generate_content",
    "stream_generate_content",
    "gemini_count_tokens",
    "embed_content",
    "batch_embed_contents",
}
"""Operations of Google's own API: the key is in a header of their own."""
GOOGLE_STREAM = "stream_generate_content"
TRANSLATED = ("chat_completions", "responses", "messages", "generate_content", GOOGLE_STREAM)
COUNTS = ("count_tokens", "gemini_count_tokens", "bedrock_count_tokens", "input_tokens")
EMBEDDINGS = ("batch_embed_contents", "embed_content", "cohere_embed", "ollama_embed", "embeddings")
"""What is put into another API where the provider does not have it."""
ALIKE = ("cohere_chat", "ollama_chat", "chat_completions", "responses")
BY_FIDELITY = {
    False: ("messages", "generate_content", "converse", *ALIKE),
    True: ("messages", GOOGLE_STREAM, "converse_stream", *ALIKE),
}
"""What a provider is then asked for, best first, where a stream is asked for and where not.

For embeddings it is the order of `EMBEDDINGS`.
"""


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    """A gateway with a provider of each type, all at one upstream."""
    folder = tmp_path_factory.mktemp("types")
    with Upstream() as upstream:
        tree = {
            "version": 1,
            "keys": [{"name": "app", "key": KEY}],
            "providers": {
                name: {
                    "type": name,
                    "base_url": upstream.url + prefix,
                    "api_key": UPSTREAM_KEY,
                    **MORE.get(name, {}),
                }
                for name, (prefix, _) in WHERE.items()
            },
        }
        path = folder / "llm-edge.json"
        path.write_bytes(msgspec.json.encode(tree))
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        try:
            yield Hop(running, upstream)
        finally:
            running.stop()


def test_no_type_is_forgotten() -> None:
    assert set(WHERE) | {"mock"} == set(SPECS)


@pytest.mark.parametrize("name", WHERE)
def test_it_is_asked_where_it_listens(hop: Hop, name: str) -> None:
    hop.upstream.always(Read(), Send(reply(b"{}")))
    prefix, paths = WHERE[name]
    official = SPECS[name].base_url
    assert official is None or official.split("/", 3)[3:] == [prefix[1:]] * bool(prefix)
    for operation, (path, fields) in SURFACES.items():
        before = len(hop.upstream.requests)
        tree = fields if "{model}" in path else {"model": f"{name}/m", **fields}
        answer = hop.ask(post(path.format(model=f"{name}/m"), msgspec.json.encode(tree)))
        seen = hop.upstream.requests[before:]
        asked = operation
        if operation not in paths:
            best: tuple[str, ...] = ()
            if operation in EMBEDDINGS:
                best = EMBEDDINGS
            elif operation in COUNTS:
                best = COUNTS
            elif operation in TRANSLATED:
                best = BY_FIDELITY[operation == GOOGLE_STREAM]
            others = [o for o in best if o in paths]
            if not others:
                # Tokens are estimated where nobody counts them.
                status = 200 if operation in COUNTS else 400
                assert (answer.status, seen) == (status, []), operation
                continue
            asked = others[0]
        # What comes back is a reply to nobody who speaks another dialect.
        assert answer.status == (200 if asked == operation else 502), (operation, answer.body)
        [got] = seen
        where = paths[asked]
        if operation == GOOGLE_STREAM:
            where = where.replace(":rawPredict", ":streamRawPredict")
        assert got.request_line == f"POST {where} HTTP/1.1"
        header, before_key = HEADERS.get(name, BEARER)
        if asked in IN_GOOGLE_S and name == "gemini":
            header, before_key = "x-goog-api-key", ""
        assert got.headers[header] == before_key + UPSTREAM_KEY
        assert KEY not in str(got.headers)
        in_path = "/m:" in paths[asked] or "/m/" in paths[asked]
        assert in_path or msgspec.json.decode(got.body)["model"] == "m"
