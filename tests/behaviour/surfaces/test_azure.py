"""Azure's paths: the model in the path, whatever the body says of it; a version in the query."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from tests.support.gateway import start
from tests.support.hop import KEY, Hop, config, post
from tests.support.upstream import Read, Send, Upstream, reply
from tests.support.wire import Answer, Wire, request

BEFORE = "/openai/deployments/"
VERSION = "api-version=2024-10-21"
MESSAGE = b'{"messages":[]}'
MESSAGES = b'"messages":[{"role":"user","content":"Gr\xc3\xbc\xc3\x9fe, \\u4e16\\u754c"}]'


def ask(hop: Hop, path: str, body: bytes, *fields: str) -> Answer:
    hop.upstream.always(Read(), Send(reply(b'{"id":"c"}')))
    return hop.ask(
        request(path, body, f"api-key: {KEY}", "content-type: application/json", *fields)
    )


@pytest.mark.parametrize("deployment", ["up/m", "up%2Fm"])
@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (b"{%s}", b'{"model":"m",%s}'),
        (b'{"model":"up/m",%s}', b'{"model":"m",%s}'),
        (b'{"model":"up\\/m", %s}', b'{"model":"m", %s}'),
        (b'{"model": null, %s}', b'{"model": "m", %s}'),
        (b'{%s, "model" : "gpt-4" }', b'{%s, "model" : "m" }'),
        (b'\n { "n":1, %s}', b'\n {"model":"m", "n":1, %s}'),
    ],
    ids=["none", "same", "escaped", "null", "another", "spaces"],
)
def test_the_deployment_is_asked_and_the_rest_is_the_clients(
    hop: Hop, deployment: str, written: bytes, sent: bytes
) -> None:
    answer = ask(hop, f"{BEFORE}{deployment}/chat/completions?{VERSION}", written % MESSAGES)
    assert (answer.status, answer.body) == (200, b'{"id":"c"}')
    got = hop.upstream.requests[-1]
    assert got.request_line == "POST /v1/chat/completions HTTP/1.1"
    assert got.body == sent % MESSAGES
    assert "api-key" not in got.headers


@pytest.mark.parametrize("end", ["completions", "embeddings"])
def test_other_operations_of_a_deployment(hop: Hop, end: str) -> None:
    assert ask(hop, f"{BEFORE}up/m/{end}?{VERSION}", b"{}").status == 200
    got = hop.upstream.requests[-1]
    assert got.request_line == f"POST /v1/{end} HTTP/1.1"
    assert got.body == b'{"model":"m"}'


def test_only_the_version_stays_here(hop: Hop) -> None:
    ask(hop, f"{BEFORE}up/m/embeddings?a=1&{VERSION}&b=2", b"{}")
    assert hop.upstream.requests[-1].request_line == "POST /v1/embeddings?a=1&b=2 HTTP/1.1"
    ask(hop, f"/openai/responses?{VERSION}", b'{"model":"up/m","input":"x"}')
    assert hop.upstream.requests[-1].request_line == "POST /v1/responses HTTP/1.1"
    ask(hop, f"/openai/v1/embeddings?{VERSION}", b'{"model":"up/m"}')
    assert hop.upstream.requests[-1].request_line == f"POST /v1/embeddings?{VERSION} HTTP/1.1"


def test_a_chunked_body_is_made_to_say_the_deployment_too(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(b"{}")))
    head = f"POST {BEFORE}up/m/embeddings HTTP/1.1\r\nhost: x\r\napi-key: {KEY}\r\n"
    head += "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    with Wire(hop.running.address) as wire:
        wire.send(head.encode() + b'8\r\n{"input"\r\n5\r\n:"x"}\r\n0\r\n\r\n' + post())
        assert [wire.answer().status for _ in range(2)] == [200] * 2
    assert hop.upstream.requests[0].body == b'{"model":"m","input":"x"}'


def test_over_http2(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(b'{"id":"c"}')))
    url = f"http://{hop.running.address[0]}:{hop.running.address[1]}{BEFORE}up/m/embeddings"
    with httpx2.Client(http1=False, http2=True) as client:
        answer = client.post(url, headers={"api-key": KEY}, json={"input": "x"})
    assert (answer.status_code, answer.content) == (200, b'{"id":"c"}')
    assert msgspec.json.decode(hop.upstream.requests[-1].body) == {"model": "m", "input": "x"}


@pytest.fixture
def narrow(tmp_path: Path, upstream: Upstream) -> Iterator[Hop]:
    """A key for one model, whose replies are kept."""
    upstream.always(Read(), Send(reply(b'{"id":"c"}')))
    cache = "routes: {up: {models: ['up/*'], targets: [{provider: up}], cache: {ttl_s: 60}}}"
    path = tmp_path / "llm-edge.yaml"
    path.write_text(config(upstream.url, cache, models=["up/m", "up/n"]))
    running = start(["serve", "--config", str(path), "--workers", "1"], tmp_path)
    yield Hop(running, upstream)
    running.stop()


def test_what_a_key_may_use_and_what_is_kept_go_by_the_deployment(narrow: Hop) -> None:
    def told(deployment: str, body: bytes = MESSAGE) -> tuple[int, str]:
        path = f"{BEFORE}{deployment}/chat/completions"
        answer = narrow.ask(request(path, body, f"api-key: {KEY}"))
        return answer.status, answer.headers.get("x-llm-edge-cache", "")

    assert told("up/secret", b'{"model":"up/m"}')[0] == 404
    assert narrow.seen == 0
    assert told("up/m") == (200, "miss")
    assert told("up/n") == (200, "miss")
    assert told("up/m") == (200, "hit")
    assert narrow.seen == 2


def test_what_follows_on_the_connection_is_another_request(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(b"{}")))
    first = request(
        f"{BEFORE}up/a-deployment/chat/completions",
        b'{"model":"x"}',
        f"api-key: {KEY}",
        "content-type: application/json",
    )
    with Wire(hop.running.address) as wire:
        wire.send(first + first + post())
        assert [wire.answer().status for _ in range(3)] == [200] * 3
    models = [msgspec.json.decode(got.body)["model"] for got in hop.upstream.requests]
    assert models == ["a-deployment", "a-deployment", "m"]


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        (
            "up/m/images/generations",
            b"{}",
            404,
            "`chat/completions`, `completions` and `embeddings`",
        ),
        ("up/m", b"{}", 404, "`chat/completions`, `completions` and `embeddings`"),
        ("upp/m/embeddings", b"{}", 404, "`upp/m`"),
        ("up%ff/embeddings", b"{}", 404, "percent-encoded UTF-8"),
        ("up/m/embeddings", b"[]", 400, "object"),
        ("up/m/embeddings", b'{"model":1}', 400, "model"),
        ("up/m/embeddings", b"", 400, "JSON"),
    ],
)
def test_what_cannot_be_served_is_told(
    hop: Hop, path: str, body: bytes, status: int, says: str
) -> None:
    answer = ask(hop, f"{BEFORE}{path}?{VERSION}", body)
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, says in error["message"]) == (status, True), error
    assert hop.seen == 0
