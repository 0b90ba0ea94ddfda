"""One spelling per path and host: what was authorised is what is served."""

import pytest

from tests.conftest import Serve
from tests.support.hop import CHAT, KEY, Hop, body, post
from tests.support.upstream import Upstream
from tests.support.wire import Wire

pytestmark = pytest.mark.behaviour("B15")

OTHER_PATHS = [
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/chat//completions",
    "/v1/chat/completions/",
    "/v1/chat/completions//",
    "/v1/chat%2fcompletions",
    "/v1/chat%2Fcompletions",
    "/v1/chat/%63ompletions",
    "/v1/./chat/completions",
    "/v1/../v1/chat/completions",
    "/x/../v1/chat/completions",
    "/v1/x/%2e%2e/chat/completions",
    "/v1/chat/completions/..",
    "/v1/chat/completions;x=1",
    "/v1;x/chat/completions",
    "/v1/chat/completions%00",
    "/v1/chat/completions%20",
    "/v1/chat\\completions",
    "/V1/chat/completions",
    "/v1/Chat/Completions",
    "/v1/chat/completions#x",
    "/anthropic/v1/chat/completions",
    "/openai/openai/v1/chat/completions",
    "/openai/v1/messages",
    "v1/chat/completions",
    "*",
]

SAME_PATHS = [
    "/v1/chat/completions",
    "/openai/v1/chat/completions",
    "/chat/completions",
    "http://gateway.test/v1/chat/completions",
]

OTHER_HOSTS = [
    "",
    "edge evil",
    "edge, evil",
    "edge/",
    "edge/admin?",
    "edge?x",
    "edge#x",
    "user@edge",
    "edge:port",
    "edge:123456",
    "edge:80:80",
    "[::1",
    "::1",
    "http://edge",
    "edge\\evil",
    "ed\u00e9",
]

SAME_HOSTS = ["edge", "edge:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080", "a-b.example"]


@pytest.mark.parametrize("path", OTHER_PATHS)
def test_another_spelling_of_a_path_is_not_that_path(hop: Hop, path: str) -> None:
    assert hop.ask(post(path)).status in {400, 404}
    assert hop.upstream.begun == 0


@pytest.mark.parametrize("path", SAME_PATHS)
def test_each_documented_path_leads_to_one_path_upstream(hop: Hop, path: str) -> None:
    assert hop.ask(post(path)).status == 200
    assert [got.request_line for got in hop.upstream.requests] == [
        "POST /v1/chat/completions HTTP/1.1"
    ]


def test_a_query_travels_as_it_was_written(hop: Hop) -> None:
    assert hop.ask(post(CHAT + "?a=%2F&b=../x&a=2")).status == 200
    (got,) = hop.upstream.requests
    assert got.request_line == "POST /v1/chat/completions?a=%2F&b=../x&a=2 HTTP/1.1"


def with_host(host: str) -> bytes:
    return post().replace(b"Host: gateway.test", b"Host: " + host.encode("latin-1"))


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_what_is_no_host_is_refused(hop: Hop, host: str) -> None:
    answer = hop.ask(with_host(host))
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert hop.upstream.begun == 0


@pytest.mark.parametrize("host", SAME_HOSTS)
def test_the_upstream_sees_its_own_host_whatever_the_client_calls_us(hop: Hop, host: str) -> None:
    assert hop.ask(with_host(host)).status == 200
    (got,) = hop.upstream.requests
    assert got.headers["host"] == "{}:{}".format(*hop.upstream.address)


@pytest.mark.parametrize(
    "target", ["http://evil/v1/chat/completions", "https://gateway.test:1/v1/chat/completions"]
)
def test_an_absolute_target_with_another_host_is_refused(hop: Hop, target: str) -> None:
    assert hop.ask(post(target)).status == 400
    assert hop.upstream.begun == 0


@pytest.mark.behaviour("B22")
@pytest.mark.parametrize(
    ("model", "segment"),
    [
        ("gpt-x", "gpt-x"),
        ("../../admin", "..%2F..%2Fadmin"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("a%2fb", "a%252fb"),
        ("a\\\\b", "a%5Cb"),
        ("a:cancel", "a%3Acancel"),
        ("é\\u0000", "%C3%A9%00"),
        ("..", None),
        (".", None),
        ("", None),
    ],
)
def test_a_model_in_the_upstream_path_stays_in_its_segment(
    serve: Serve, upstream: Upstream, model: str, segment: str | None
) -> None:
    running = serve(f"""\
version: 1
keys: [{{name: app, key: {KEY}}}]
providers:
  az: {{type: azure_openai, base_url: "{upstream.url}", api_key: k, api_version: 2024-10-21}}
""")
    with Wire(running.address) as wire:
        wire.send(post(data=body().replace(b"up/m", b"az/" + model.encode())))
        answer = wire.answer()
    if segment is None:
        # A client of the upstream's HTTP would take dot segments away, and with them ours.
        assert answer.status in {400, 404}
        assert upstream.begun == 0
        return
    assert answer.status == 200
    (got,) = upstream.requests
    path = f"/openai/deployments/{segment}/chat/completions?api-version=2024-10-21"
    assert got.request_line == f"POST {path} HTTP/1.1"


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "/v1/responses/resp_1", "/openai/responses/resp_1?{version}"),
        ("POST", "/v1/responses/resp_1/cancel", "/openai/responses/resp_1/cancel?{version}"),
        (
            "GET",
            "/openai/responses/resp_1/input_items?api-version=1&limit=2",
            "/openai/responses/resp_1/input_items?limit=2&{version}",
        ),
        ("GET", "/v1/files/file-1/content", "/openai/files/file-1/content?{version}"),
    ],
)
def test_a_version_is_asked_behind_paths_that_are_kept(
    serve: Serve, upstream: Upstream, method: str, path: str, asked: str
) -> None:
    running = serve(f"""\
version: 1
keys: [{{name: app, key: {KEY}}}]
providers:
  az:
    type: azure_openai
    base_url: "{upstream.url}"
    api_key: k
    api_version: 2025-04-01-preview
routes:
  files: {{targets: [{{provider: az}}], pass_through: ["files*"]}}
""")
    with Wire(running.address) as wire:
        wire.send(post(path).replace(b"POST", method.encode(), 1))
        assert wire.answer().status == 200
    (got,) = upstream.requests
    wanted = asked.format(version="api-version=2025-04-01-preview")
    assert got.request_line == f"{method} {wanted} HTTP/1.1"
