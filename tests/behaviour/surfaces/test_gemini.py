"""Google's API: the model in the path, the key in the address, two forms of stream."""

from collections.abc import Iterator

import msgspec
import pytest

from tests.support.gateway import start
from tests.support.hop import KEY, UPSTREAM_KEY, Hop
from tests.support.upstream import Close, Read, Send, Upstream, chunk, reply, stream_head
from tests.support.wire import Answer, request

ASK = msgspec.json.encode({"contents": [{"role": "user", "parts": [{"text": "Grüße, 世界"}]}]})
REPLY = b'{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}'
HALF = b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}'
EVENTS = [b"data: " + HALF + b"\r\n\r\n", b"data: " + REPLY + b"\r\n\r\n"]
CONFIG = """
version: 1
keys: [{{name: app, key: {key}, models: ["g/*", flash]}}]
providers:
  g: {{type: gemini, base_url: "{url}/v1beta", api_key: {upstream_key}}}
routes:
  flash: {{models: [flash], targets: [{{provider: g, model: real}}], cache: {{ttl_s: 60}}}}
"""


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("gemini")
    with Upstream() as upstream:
        path = folder / "llm-edge.yaml"
        path.write_text(CONFIG.format(key=KEY, url=upstream.url, upstream_key=UPSTREAM_KEY))
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        try:
            yield Hop(running, upstream)
        finally:
            running.stop()


def ask(hop: Hop, path: str, *fields: str, key: str | None = KEY, body: bytes = ASK) -> Answer:
    own = [f"x-goog-api-key: {key}"] if key else []
    return hop.ask(request(path, body, "content-type: application/json", *own, *fields))


@pytest.mark.parametrize("before", ["/v1beta", "/v1", "/genai/v1beta", "/genai/v1"])
@pytest.mark.parametrize("model", ["g/m-1", "g%2Fm-1"])
@pytest.mark.parametrize("method", ["generateContent", "countTokens"])
def test_the_model_of_the_path_is_asked(hop: Hop, before: str, model: str, method: str) -> None:
    hop.upstream.always(Read(), Send(reply(REPLY)))
    answer = ask(hop, f"{before}/models/{model}:{method}")
    assert (answer.status, answer.body) == (200, REPLY)
    got = hop.upstream.requests[-1]
    assert got.request_line == f"POST /v1beta/models/m-1:{method} HTTP/1.1"
    assert got.body == ASK
    assert got.headers["x-goog-api-key"] == UPSTREAM_KEY
    assert "authorization" not in got.headers
    assert KEY not in str(got.headers)


def test_a_key_in_the_address_is_taken_and_goes_no_further(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(REPLY)))
    path = "/v1beta/models/g/m:generateContent"
    for query in (
        f"key={KEY}",
        f"a=1&key={KEY}&b=2",
        f"key={KEY.replace('-', '%2D')}",
        f"k%65y={KEY}&access_token={KEY}&oauth%5Ftoken={KEY}",
    ):
        answer = ask(hop, f"{path}?{query}", key=None)
        assert answer.status == 200, query
        line = hop.upstream.requests[-1].request_line
        assert KEY not in line
        kept = "?a=1&b=2" if "a=1" in query else ""
        assert line == f"POST /v1beta/models/m:generateContent{kept} HTTP/1.1"
    before = hop.seen
    for query in ("", "?key=", "?key=sk-edge-nobody", f"?Key={KEY}", f"?key={KEY}x"):
        answer = ask(hop, path + query, key=None)
        error = msgspec.json.decode(answer.body)["error"]
        assert (answer.status, error["status"]) == (401, "UNAUTHENTICATED"), query
        assert KEY not in answer.body.decode()
    # In the address of another API it is nothing.
    chat = msgspec.json.encode({"model": "g/m", "messages": [{"role": "user", "content": "x"}]})
    assert ask(hop, f"/v1/chat/completions?key={KEY}", key=None, body=chat).status == 401
    assert hop.seen == before


def test_a_route_s_model_is_put_into_the_path(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(REPLY)))
    assert ask(hop, "/v1beta/models/flash:generateContent", "cache-control: no-store").status == 200
    line = hop.upstream.requests[-1].request_line
    assert line == "POST /v1beta/models/real:generateContent HTTP/1.1"


def test_a_stream_comes_as_events(hop: Hop) -> None:
    end = b"0\r\n\r\n"
    hop.upstream.always(
        Read(), Send(stream_head() + b"".join(chunk(event) for event in EVENTS) + end)
    )
    answer = ask(hop, f"/v1beta/models/g/m:streamGenerateContent?alt=sse&key={KEY}", key=None)
    assert (answer.status, answer.body) == (200, b"".join(EVENTS))
    line = hop.upstream.requests[-1].request_line
    assert line == "POST /v1beta/models/m:streamGenerateContent?alt=sse HTTP/1.1"


def test_a_stream_comes_as_an_array_too(hop: Hop) -> None:
    array = b"[" + HALF + b",\r\n" + REPLY + b"]"
    hop.upstream.always(Read(), Send(reply(array)))
    answer = ask(hop, "/v1beta/models/g/m:streamGenerateContent")
    assert (answer.status, answer.body) == (200, array)
    line = hop.upstream.requests[-1].request_line
    assert line == "POST /v1beta/models/m:streamGenerateContent HTTP/1.1"


def test_a_stream_without_its_reason_is_no_whole_one(hop: Hop) -> None:
    head = stream_head("Connection: close")
    hop.upstream.always(Read(), Send(head + chunk(EVENTS[0]) + b"0\r\n\r\n"), Close())
    answer = ask(hop, "/v1beta/models/g/m:streamGenerateContent?alt=sse")
    assert answer.body.startswith(EVENTS[0])
    last = answer.body.removeprefix(EVENTS[0])
    error = msgspec.json.decode(last.strip().removeprefix(b"data: "))["error"]
    assert (error["code"], error["status"]) == (502, "UNAVAILABLE")


def test_the_cache_tells_models_and_methods_apart_and_keys_of_one_caller_not(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(REPLY)))
    path = "/v1beta/models/flash:generateContent"
    body = ASK.replace(b"Gr", b"gr")
    before = hop.seen
    for where, key in ((path, KEY), (f"{path}?key={KEY}", None), (path.replace("beta", ""), KEY)):
        assert ask(hop, where, key=key, body=body).status == 200
    assert hop.seen == before + 1
    assert ask(hop, path.replace("flash", "g/real"), body=body).status == 200
    assert ask(hop, path.replace("generateContent", "countTokens"), body=body).status == 200
    assert hop.seen == before + 3


def test_errors_have_google_s_shape(hop: Hop) -> None:
    path = "/v1beta/models/g/m:generateContent"
    for answer, status, word in (
        (ask(hop, path.replace("g/m", "h/m")), 404, "NOT_FOUND"),
        (ask(hop, path.replace("g/m", "g/%ff")), 404, "NOT_FOUND"),
        (ask(hop, path.replace(":generate", ":degenerate")), 404, "NOT_FOUND"),
        (ask(hop, path, body=b'{"contents": ['), 400, "INVALID_ARGUMENT"),
        (ask(hop, path, body=b'{"contents": [], "contents": []}'), 400, "INVALID_ARGUMENT"),
        (ask(hop, path, "content-encoding: gzip"), 415, "INVALID_ARGUMENT"),
        (hop.ask(request(path, b"", method="PUT")), 405, "INVALID_ARGUMENT"),
    ):
        error = msgspec.json.decode(answer.body)["error"]
        assert (answer.status, error["code"], error["status"]) == (status, status, word)
        assert error["message"]
        assert error["details"][0]["@type"].endswith("ErrorInfo")


def test_models_are_listed_in_the_shape_of_the_one_who_asks(hop: Hop) -> None:
    def listed(path: str, *fields: str) -> dict[str, list[dict[str, str]]]:
        return msgspec.json.decode(hop.ask(request(path, b"", *fields, method="GET")).body)

    google, other = f"x-goog-api-key: {KEY}", f"authorization: Bearer {KEY}"
    for path, key in (
        ("/v1beta/models", other),
        ("/genai/v1/models", other),
        ("/v1/models", google),
    ):
        assert listed(path, key)["models"][0]["name"] == "models/flash"
    assert listed("/v1/models", other)["data"][0]["id"] == "flash"
    assert listed("/openai/v1/models", google)["data"][0]["id"] == "flash"
    assert listed("/v1/models", other, "anthropic-version: 2023-06-01")["has_more"] is False


def test_a_name_that_would_leave_its_place_in_the_path_is_refused(hop: Hop) -> None:
    before = hop.seen
    for name in ("g/..", "g/%2E%2E", "g/.", "g/"):
        assert ask(hop, f"/v1beta/models/{name}:generateContent").status in (400, 404), name
    assert hop.seen == before
    hop.upstream.always(Read(), Send(reply(REPLY)))
    assert ask(hop, "/v1beta/models/g/..%2Fm%3Fx:generateContent").status == 200
    line = hop.upstream.requests[-1].request_line
    assert line == "POST /v1beta/models/..%2Fm%3Fx:generateContent HTTP/1.1"
