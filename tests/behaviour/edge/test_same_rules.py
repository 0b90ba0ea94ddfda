"""The rules of the edge on HTTP/2 as on HTTP/1.1: fields, paths, hosts, limits, tunnels."""

import time
from collections.abc import Iterator

import msgspec
import pytest

from tests.support.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    RST_STREAM,
    Frames,
    block,
    frame,
    get,
)
from tests.support.hop import CHAT, KEY, Hop, body, post, start_hop
from tests.support.http2 import Http2, Stream
from tests.support.upstream import Upstream
from tests.support.wire import Wire, request

AUTH = ("authorization", f"Bearer {KEY}")
MARK = "m4rk-of-the-caller"
SOON_S = 0.05
"""Within this a limit answers (B17)."""

LIMITS = """\
limits:
  body_bytes_max: 200000
  buffered_bytes_max: 250000
  head_bytes_max: 4096
  headers_max: 20
  target_bytes_max: 200
"""


@pytest.fixture(scope="module")
def narrow_hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with Upstream() as upstream:
        hop = start_hop(tmp_path_factory.mktemp("rules"), upstream, LIMITS, "--workers", "1")
        yield hop
        hop.running.stop()


@pytest.fixture
def narrow(narrow_hop: Hop) -> Hop:
    narrow_hop.upstream.reset()
    return narrow_hop


def ask(hop: Hop, path: str, data: bytes, *fields: tuple[str, str]) -> Stream:
    with Http2(hop.running.address) as client:
        return client.answer(client.request(path, data, *fields))


# B13


@pytest.mark.behaviour("B13")
@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-litellm-api-key",
        "helicone-auth",
        "cookie",
        "proxy-authorization",
        "proxy-authenticate",
        "trailer",
        "x_underscore",
        "x-llm-edge-route",
        "baggage",
        "accept-encoding",
        "forwarded",
        "x-forwarded-for",
        "via",
    ],
)
@pytest.mark.parametrize("surface", ["chat", "messages"])
def test_a_mark_in_a_field_of_ours_reaches_no_byte_upstream(
    hop: Hop, surface: str, name: str
) -> None:
    path = CHAT if surface == "chat" else "/v1/messages"
    key = ("x-goog-api-key" if name != "x-goog-api-key" else "api-key", KEY)
    assert ask(hop, path, body(surface), key, (name, MARK)).status == 200
    (got,) = hop.upstream.requests
    assert MARK.encode() not in got.head + got.body
    assert KEY.encode() not in got.head + got.body


@pytest.mark.behaviour("B13")
@pytest.mark.parametrize(
    "field",
    [
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
    ],
)
def test_a_field_of_a_connection_is_malformed_on_a_stream(hop: Hop, field: tuple[str, str]) -> None:
    # RFC 9113 §8.2.2
    fields = block(get(CHAT, AUTH, field, method="POST"))
    with Frames(hop.running.address) as client:
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, fields))
        kinds = [
            kind for kind, _, _, _ in client.frames(1) if kind in {RST_STREAM, GOAWAY, HEADERS}
        ]
        assert kinds, "no answer at all"
        assert kinds[0] in {RST_STREAM, GOAWAY}
    assert hop.upstream.begun == 0


# B14: what would be a second line, or a second request, once it is written out as HTTP/1.1


@pytest.mark.behaviour("B14")
@pytest.mark.parametrize(
    "field",
    [
        ("x-a", "b\r\nx-c: d"),
        ("x-a", "b\nx-c: d"),
        ("x-a", "b\rc"),
        ("x-a", "b\0c"),
        ("x-a", "b\r\n\r\nGET /admin HTTP/1.1"),
        ("x-a\r\nx-c", "d"),
        ("x-a: b\r\nx-c", "d"),
        ("x a", "b"),
        ("x-a:", "b"),
        ("", "b"),
        ("X-A", "b"),
        ("content-length", "3, 3"),
        ("content-length", "+3"),
        ("content-length", "3\r\nx: y"),
        (":method", "GET"),
        (":x", "y"),
        (":authority", "evil"),
    ],
)
def test_a_field_that_would_be_more_than_one_line_is_never_sent_on(
    hop: Hop, field: tuple[str, str]
) -> None:
    fields = block(get(CHAT, AUTH, ("content-type", "application/json"), field, method="POST"))
    with Frames(hop.running.address) as client:
        client.send(frame(HEADERS, END_HEADERS, 1, fields) + frame(DATA, END_STREAM, 1, body()))
        kinds = [kind for kind, _, _, _ in client.frames(0.5)]
        assert {RST_STREAM, GOAWAY, HEADERS} & set(kinds)
    assert hop.upstream.begun == 0
    hop.still_works()


# B15


@pytest.mark.behaviour("B15")
@pytest.mark.parametrize(
    "path",
    [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/v1/chat%2fcompletions",
        "/v1/chat/%63ompletions",
        "/v1/./chat/completions",
        "/x/../v1/chat/completions",
        "/v1/x/%2e%2e/chat/completions",
        "/v1/chat/completions;x=1",
        "/v1/chat/completions%00",
        "/V1/chat/completions",
        "v1/chat/completions",
        "*",
        "",
        "/v1/chat completions",
        "/v1/chat/completions\r\nx: y",
    ],
)
def test_another_spelling_of_a_path_is_not_that_path(hop: Hop, path: str) -> None:
    stream = ask(hop, path, body(), AUTH)
    assert stream.status in {400, 404} or stream.reset_code is not None
    assert hop.upstream.begun == 0


@pytest.mark.behaviour("B15")
def test_a_fragment_is_gone_before_the_path_is_looked_at(hop: Hop) -> None:
    # RFC 9113 §8.3.1 has none in `:path`: it is dropped, so that both know one path.
    assert ask(hop, CHAT + "#/../../v1/models", body(), AUTH).status == 200
    (got,) = hop.upstream.requests
    assert got.request_line == f"POST {CHAT} HTTP/1.1"


@pytest.mark.behaviour("B15")
@pytest.mark.parametrize(
    "host", ["edge evil", "edge/", "edge?x", "user@edge", "edge:port", "[::1", "http://edge", ""]
)
def test_what_is_no_host_is_refused(hop: Hop, host: str) -> None:
    with Http2(hop.running.address) as client:
        stream = client.answer(client.request(CHAT, body(), AUTH, authority=host))
    assert stream.status == 400 or stream.reset_code is not None
    assert hop.upstream.begun == 0


@pytest.mark.behaviour("B15")
def test_two_names_of_the_host_must_agree(hop: Hop) -> None:
    assert ask(hop, CHAT, body(), AUTH, ("host", "evil")).status == 400
    assert hop.upstream.begun == 0
    assert ask(hop, CHAT, body(), AUTH, ("host", "gateway.test")).status == 200


# B17


REFUSED = {
    "target_bytes_max": (414, CHAT + "?" + "q" * 300, b"{}", []),
    "headers_max": (431, CHAT, b"{}", [(f"x-{n}", "1") for n in range(30)]),
    "head_bytes_max": (431, CHAT, b"{}", [("x-big", "x" * 4500)]),
    "body_bytes_max": (413, CHAT, body(text="x" * 200_001), []),
}


@pytest.mark.behaviour("B17")
@pytest.mark.parametrize("limit", REFUSED)
@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
def test_each_limit_is_named_and_answers_at_once(narrow: Hop, protocol: str, limit: str) -> None:
    status, path, data, fields = REFUSED[limit]
    took = []
    for _ in range(3):
        if protocol == "HTTP/2":
            with Http2(narrow.running.address) as client:
                began = time.monotonic()
                stream = client.answer(client.request(path, data, AUTH, *fields))
                took.append(time.monotonic() - began)
            said, code = stream.body, stream.status
        else:
            sent = post(path, data, *(f"{name}: {value}" for name, value in fields))
            with narrow.connect() as wire:
                began = time.monotonic()
                wire.send(sent)
                answer = wire.answer()
                took.append(time.monotonic() - began)
            said, code = answer.body, answer.status
        error = msgspec.json.decode(said)["error"]
        assert (code, f"limits.{limit}" in error["message"]) == (status, True), error
    assert min(took) < SOON_S
    assert narrow.upstream.begun == 0


@pytest.mark.behaviour("B17")
def test_a_head_far_above_the_limit_is_refused_by_the_protocol_itself(narrow: Hop) -> None:
    stream = ask(narrow, CHAT, b"{}", AUTH, ("x-big", "x" * 9000))
    assert stream.status == 431 or stream.reset_code is not None
    assert narrow.upstream.begun == 0


@pytest.mark.behaviour("B17")
@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
def test_a_length_that_is_too_large_is_refused_before_the_body_comes(
    narrow: Hop, protocol: str
) -> None:
    began = time.monotonic()
    if protocol == "HTTP/2":
        with Http2(narrow.running.address) as client:
            length = ("content-length", "200001")
            stream = client.answer(client.request(CHAT, b"{}", AUTH, length, upto=1))
        assert stream.status == 413
    else:
        with narrow.connect() as wire:
            head = post(CHAT, b"").replace(b"Content-Length: 0", b"Content-Length: 200001")
            wire.send(head)
            assert wire.answer().status == 413
    assert time.monotonic() - began < 0.5


# B20


@pytest.mark.behaviour("B20")
@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("protocol", ["websocket", "WebSocket", "h2c, websocket", "websocket/13"])
def test_a_websocket_is_refused_and_nothing_behind_it_is_read(
    hop: Hop, protocol: str, method: str, key: str | None
) -> None:
    own = [f"Authorization: Bearer {key}"] if key else []
    fields = [*own, "Connection: Upgrade", f"Upgrade: {protocol}", "Sec-WebSocket-Version: 13"]
    data = request(CHAT, body() if method == "POST" else b"", *fields, method=method)
    with hop.connect() as wire:
        wire.send(data + post())
        answer = wire.answer()
        # Another name than WebSocket's own is a protocol we do not know, and is ignored.
        known = "/" not in protocol
        assert answer.status == 400 if known else answer.status in {200, 401, 405}
        assert answer.status != 101
        assert answer.headers["connection"] == "close"
        assert wire.read_to_end() == b""
    assert hop.upstream.begun <= (0 if known else 1)


@pytest.mark.behaviour("B20")
@pytest.mark.parametrize("protocol", ["h2c", "TLS/1.2, HTTP/1.1", "HTTP/2.0", "unheard-of"])
def test_another_upgrade_is_ignored_and_nothing_behind_it_is_read(hop: Hop, protocol: str) -> None:
    # RFC 9110 §7.8 lets a server ignore it; clients offer these without being asked.
    with hop.connect() as wire:
        wire.send(post(CHAT, body(), "Connection: Upgrade", f"Upgrade: {protocol}") + post())
        answer = wire.answer()
        assert (answer.status, answer.body) == (200, b"{}")
        assert answer.headers["connection"] == "close"
        assert "upgrade" not in answer.headers
        assert wire.read_to_end() == b""
    (got,) = hop.upstream.requests
    assert b"upgrade" not in got.head.lower()


@pytest.mark.behaviour("B20")
@pytest.mark.parametrize(
    "line",
    ["CONNECT gateway.test:80 HTTP/1.1", "CONNECT /v1/models HTTP/1.1", "CONNECT * HTTP/1.1"],
)
def test_no_tunnel_is_opened(hop: Hop, line: str) -> None:
    host = "gateway.test:80" if "80" in line else "gateway.test"
    with hop.connect() as wire:
        wire.send(
            f"{line}\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode() + post()
        )
        assert 400 <= wire.answer().status < 500
    assert all(b"CONNECT" not in got.head for got in hop.upstream.requests)


@pytest.mark.behaviour("B20")
@pytest.mark.parametrize("extended", [False, True])
def test_no_tunnel_is_opened_on_a_stream(hop: Hop, extended: bool) -> None:
    pseudo = [(":method", "CONNECT"), (":authority", "gateway.test:80"), AUTH]
    if extended:  # RFC 8441, which we do not announce
        pseudo[1:1] = [(":protocol", "websocket"), (":scheme", "http"), (":path", CHAT)]
    with Frames(hop.running.address) as client:
        client.send(frame(HEADERS, END_HEADERS, 1, block(pseudo)))
        for kind, _, _, payload in client.frames(2):
            if kind in {RST_STREAM, GOAWAY}:
                break
            if kind == HEADERS:
                # Indexed `:status: 200`, or one that is written out.
                assert payload[0] != 0x88
                break
        else:
            pytest.fail("no answer")
    assert hop.upstream.begun == 0
    hop.still_works()


# B22


IDS = [
    "../keys",
    "a/../../b",
    "a?b",
    "a#b",
    "a%2f..%2fb",
    "a%00b",
    "a\\b",
    "a:cancel",
    "..",
    "%2e%2e",
]


@pytest.mark.behaviour("B22")
@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("ident", IDS)
def test_an_id_in_a_path_is_looked_up_here_and_never_sent_on(
    hop: Hop, ident: str, protocol: str
) -> None:
    path = f"/v1/models/{ident}"
    if protocol == "HTTP/2":
        with Http2(hop.running.address) as client:
            status = client.answer(client.request(path, b"", AUTH, method="GET")).status
    else:
        with Wire(hop.running.address) as wire:
            wire.send(request(path, b"", f"Authorization: Bearer {KEY}", method="GET"))
            status = wire.answer().status
    assert status in {0, 400, 404}
    assert hop.upstream.begun == 0
