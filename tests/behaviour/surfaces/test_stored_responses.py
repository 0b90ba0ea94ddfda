"""Responses that a provider keeps: asked for by their id, wherever they are."""

from collections.abc import Iterator

import msgspec
import openai
import pytest

from tests.support.gateway import start
from tests.support.hop import KEY, Hop
from tests.support.upstream import Close, Read, Send, Upstream, reply
from tests.support.wire import Answer, request

ONE, TWO, THREE = "sk-first-account", "sk-second-account", "sk-third-account"
OTHER_KEY = "sk-test-only-other-0000000"
CONFIG = """
version: 1
keys:
  - {{name: app, key: {key}, models: ["*"]}}
  - {{name: other, key: {other_key}, models: ["claude/*"]}}
providers:
  o: {{type: openai, base_url: "{url}/o/v1", api_keys: [{one}, {two}]}}
  p: {{type: openai_compatible, base_url: "{second}/p/v1", api_key: {three}}}
  claude: {{type: anthropic, base_url: "{url}", api_key: {one}}}
routes:
  mine:
    models: [mine]
    targets: [{{provider: o, model: real}}, {{provider: p}}]
    retry: {{attempts_max: 1}}
  owned:
    models: [owned]
    targets: [{{provider: o, model: real}}]
    retry: {{attempts_max: 3, backoff_ms: 10, cooldown_ms: 10}}
"""
FOUND = (
    b'{"id":"resp_1","object":"response","created_at":1,"model":"real","output":[],'
    b'"status":"completed","parallel_tool_calls":true,"tool_choice":"auto","tools":[]}'
)
UNKNOWN = b'{"error":{"message":"`resp_1` was not found.","type":"invalid_request_error"}}'
NOT_FOUND = reply(UNKNOWN, "404 Not Found")


@pytest.fixture(scope="module")
def second() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, second: Upstream) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("stored")
    with Upstream() as upstream:
        path = folder / "llm-edge.yaml"
        path.write_text(
            CONFIG.format(
                key=KEY,
                other_key=OTHER_KEY,
                url=upstream.url,
                second=second.url,
                one=ONE,
                two=TWO,
                three=THREE,
            )
        )
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        try:
            yield Hop(running, upstream)
        finally:
            running.stop()


@pytest.fixture
def hop(shared: Hop, second: Upstream) -> Hop:
    shared.upstream.reset()
    second.reset()
    second.always(Read(), Send(NOT_FOUND))
    return shared


def ask(hop: Hop, method: str, path: str, body: bytes = b"", key: str = KEY) -> Answer:
    return hop.ask(request(path, body, f"authorization: Bearer {key}", method=method))


def accounts(*upstreams: Upstream) -> list[str]:
    return [
        got.headers["authorization"].removeprefix("Bearer ")
        for upstream in upstreams
        for got in upstream.requests
    ]


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", ""),
        ("GET", "?include=a&stream=false"),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("GET", "/input_items?limit=2"),
    ],
)
def test_the_first_account_that_has_it_answers(hop: Hop, method: str, rest: str) -> None:
    hop.upstream.always(Read(), Send(reply(FOUND)))
    answer = ask(hop, method, f"/v1/responses/resp_1{rest}")
    assert (answer.status, answer.body) == (200, FOUND)
    assert (
        hop.upstream.requests[0].request_line == f"{method} /o/v1/responses/resp_1{rest} HTTP/1.1"
    )
    assert accounts(hop.upstream) == [ONE]


def test_every_account_is_asked_until_one_has_it(hop: Hop, second: Upstream) -> None:
    hop.upstream.always(Read(), Send(NOT_FOUND))
    second.always(Read(), Send(reply(FOUND)))
    answer = ask(hop, "GET", "/v1/responses/resp_1")
    assert (answer.status, answer.body) == (200, FOUND)
    assert accounts(hop.upstream, second) == [ONE, TWO, THREE]
    assert second.requests[0].request_line == "GET /p/v1/responses/resp_1 HTTP/1.1"


def test_the_account_that_gave_it_is_asked_first(hop: Hop) -> None:
    given = FOUND.replace(b"resp_1", b"resp_of_the_second")
    # The first account is busy, so the second one answers.
    busy = b'{"error":{"message":"slow down","type":"rate_limit_error"}}'
    hop.upstream.once(Read(), Send(reply(busy, "429 Too Many Requests")))
    hop.upstream.always(Read(), Send(reply(given)))
    asks = b'{"model":"owned","input":"hello"}'
    fields = (f"Authorization: Bearer {KEY}", "Content-Type: application/json")
    assert hop.ask(request("/v1/responses", asks, *fields)).status == 200
    (first, owner) = accounts(hop.upstream)
    assert {first, owner} == {ONE, TWO}
    for method, rest in (("GET", ""), ("POST", "/cancel"), ("DELETE", "")):
        hop.upstream.reset()
        hop.upstream.always(Read(), Send(reply(given)))
        answer = ask(hop, method, f"/v1/responses/resp_of_the_second{rest}")
        assert answer.status == 200
        assert accounts(hop.upstream) == [owner]


def test_what_nobody_has_is_not_found(hop: Hop, second: Upstream) -> None:
    hop.upstream.always(Read(), Send(NOT_FOUND))
    answer = ask(hop, "DELETE", "/v1/responses/resp_1")
    assert (answer.status, answer.body) == (404, UNKNOWN)
    assert accounts(hop.upstream, second) == [ONE, TWO, THREE]


def test_an_account_that_does_not_say_counts_more_than_those_that_have_it_not(
    hop: Hop, second: Upstream
) -> None:
    broken = b'{"error":{"message":"no","type":"server_error"}}'
    hop.upstream.once(Read(), Send(reply(broken, "500 Internal Server Error")))
    hop.upstream.always(Read(), Send(NOT_FOUND))
    answer = ask(hop, "GET", "/v1/responses/resp_1")
    assert (answer.status, answer.body) == (500, broken)
    assert accounts(hop.upstream, second) == [ONE, TWO, THREE]


def test_one_that_breaks_off_is_an_error_and_no_absence(hop: Hop, second: Upstream) -> None:
    second.always(Read(), Close())
    hop.upstream.always(Read(), Send(NOT_FOUND))
    answer = ask(hop, "GET", "/v1/responses/resp_1")
    assert answer.status == 502


def test_a_key_asks_only_where_its_models_are(hop: Hop, second: Upstream) -> None:
    answer = ask(hop, "GET", "/v1/responses/resp_1", key=OTHER_KEY)
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["code"]) == (404, "unknown_path")
    assert not accounts(hop.upstream, second)


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/v1/responses/resp_1", 405, "GET, DELETE"),
        ("GET", "/v1/responses/resp_1/cancel", 405, "POST"),
        ("DELETE", "/v1/responses/resp_1/input_items", 405, "GET"),
        ("GET", "/v1/responses/input_tokens", 405, "POST"),
        ("GET", "/v1/responses/resp_1/else", 404, None),
        ("GET", "/v1/responses/resp%201", 404, None),
        ("GET", "/v1/responses/..", 404, None),
        ("GET", "/v1/responses/", 404, None),
    ],
)
def test_other_ways_to_ask_are_refused(
    hop: Hop, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = ask(hop, method, path)
    assert (answer.status, answer.headers.get("allow")) == (status, allow)
    assert hop.seen == 0


@pytest.mark.parametrize("what", ["input_tokens", "compact"])
def test_what_names_a_model_goes_where_that_leads(hop: Hop, what: str) -> None:
    hop.upstream.always(Read(), Send(reply(b'{"object":"x","input_tokens":7}')))
    answer = ask(hop, "POST", f"/v1/responses/{what}", b'{"model":"o/real","input":"hi"}')
    assert answer.status == 200
    (got,) = hop.upstream.requests
    assert got.request_line == f"POST /o/v1/responses/{what} HTTP/1.1"
    assert got.body == b'{"model":"real","input":"hi"}'


def test_openais_sdk_gets_lists_cancels_and_deletes(hop: Hop, second: Upstream) -> None:
    with openai.OpenAI(base_url=hop.running.api, api_key=KEY, max_retries=0) as client:
        hop.upstream.always(Read(), Send(reply(FOUND)))
        assert client.responses.retrieve("resp_1").id == "resp_1"
        assert client.responses.cancel("resp_1").status == "completed"
        hop.upstream.always(Read(), Send(reply(b'{"object":"list","data":[],"has_more":false}')))
        assert list(client.responses.input_items.list("resp_1")) == []
        hop.upstream.always(Read(), Send(reply(b'{"id":"resp_1","deleted":true}')))
        client.responses.delete("resp_1")
        hop.upstream.always(
            Read(), Send(reply(b'{"object":"response.input_tokens","input_tokens":7}'))
        )
        second.always(Read(), Send(reply(b'{"object":"response.input_tokens","input_tokens":7}')))
        counted = client.responses.input_tokens.count(model="mine", input="hi")
        assert counted.input_tokens == 7
        hop.upstream.always(Read(), Send(NOT_FOUND))
        second.always(Read(), Send(NOT_FOUND))
        with pytest.raises(openai.NotFoundError, match="not found"):
            client.responses.retrieve("resp_1")
