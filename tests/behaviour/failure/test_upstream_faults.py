"""An upstream that fails is an explicit error: which one, whether a retry is safe, and an id."""

import msgspec
import openai
import pytest

from tests.conftest import Serve
from tests.support.hop import CHAT, KEY, PATHS, Hop, body, config, post
from tests.support.upstream import Close, Pause, Read, Reset, Send, Upstream, reply
from tests.support.wire import Answer, Wire

SURFACES = list(PATHS)


def check(answer: Answer, status: int, code: str, *, retry: bool | None) -> None:
    """An error in OpenAI's shape; `retry` is what `x-should-retry` says, if anything."""
    assert answer.complete
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["code"]) == (status, code), error
    said = {None: [], True: ["true"], False: ["false"]}[retry]
    assert answer.values("x-should-retry") == said
    assert answer.headers["x-request-id"] == answer.headers["request-id"] != ""


def test_an_upstream_that_refuses_is_a_502_that_may_be_tried_again(
    serve: Serve, closed_port: int
) -> None:
    running = serve(config(f"http://127.0.0.1:{closed_port}"))
    with Wire(running.address) as wire:
        wire.send(post())
        check(wire.answer(), 502, "upstream_unreachable", retry=True)
        # The client's connection is none the worse.
        wire.send(post("/v1/messages", body("messages")))
        answer = wire.answer()
    assert (answer.status, answer.values("x-should-retry")) == (502, ["true"])
    said = msgspec.json.decode(answer.body)
    assert (said["type"], said["error"]["type"]) == ("error", "api_error")


def test_the_sdk_tries_again_where_that_is_safe(serve: Serve, closed_port: int) -> None:
    running = serve(config(f"http://127.0.0.1:{closed_port}") + "request_log: {mode: all}\n")
    with openai.OpenAI(base_url=running.api, api_key=KEY, max_retries=1) as client:
        said = [{"role": "user", "content": "x"}]
        with pytest.raises(openai.InternalServerError) as raised:
            client.chat.completions.create(model="up/m", messages=said)
    assert raised.value.request_id
    running.stop()
    assert running.log().count('"code":"upstream_unreachable"') == 2


@pytest.mark.behaviour("B03")
@pytest.mark.parametrize("end", [Close(), Reset()], ids=["fin", "rst"])
@pytest.mark.parametrize("after", ["the request", "its first byte"])
def test_an_upstream_that_leaves_before_it_replies_is_a_502_without_advice(
    hop: Hop, after: str, end: Close | Reset
) -> None:
    # On a new connection: an old one may be found closed before anything was written.
    hop.upstream.always(*([Read()] if after == "the request" else [Pause(0.05)]), end)
    answer = hop.ask(post())
    check(answer, 502, "upstream_closed", retry=None)
    assert hop.upstream.begun == 1


GARBAGE = {
    "text": b"hello, I am not an HTTP server\r\n\r\n",
    "binary": bytes(range(256)) * 4,
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/2 frames": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18),
    "HTTP/0.9": b"<html>hello</html>",
    "HTTP/3.0": b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "status 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and coding": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "NUL in a field": b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    "line break in a field": b"HTTP/1.1 200 OK\r\nX-A: a\rX-B: b\r\nContent-Length: 2\r\n\r\n{}",
    "folded field": b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "no colon": b"HTTP/1.1 200 OK\r\nnocolon\r\nContent-Length: 2\r\n\r\n{}",
    "bad chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "head without end": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000,
    "fields without end": b"HTTP/1.1 200 OK\r\n" + b"X-A: aaaaaaaaaaaaaaaaaaaaaa\r\n" * 3000,
}


@pytest.mark.parametrize("piece", [0, 1])
@pytest.mark.parametrize("name", GARBAGE)
def test_an_upstream_that_speaks_something_else_is_a_502(hop: Hop, name: str, piece: int) -> None:
    data = GARBAGE[name]
    if piece and len(data) > 5000:
        piece = 4096
    hop.upstream.once(Read(), Send(data, piece), Pause(0.2), Close())
    with hop.connect() as wire:
        wire.send(post())
        answer = wire.answer()
        assert answer.status == 502, answer
        error = msgspec.json.decode(answer.body)["error"]
        assert error["code"] in {"upstream_invalid", "upstream_closed"}, error
        assert "x-should-retry" not in answer.headers
        # Nothing of it leaks into the next exchange.
        if answer.headers.get("connection") != "close":
            wire.send(post())
            assert wire.answer().body == b"{}"
    hop.still_works()


def test_bytes_behind_a_reply_never_become_the_next_one(hop: Hop) -> None:
    smuggled = reply(b'{"smuggled":true}')
    hop.upstream.once(Read(), Send(reply(b'{"first":true}') + smuggled))
    with hop.connect() as wire:
        wire.send(post())
        assert wire.answer().body == b'{"first":true}'
        for _ in range(3):
            wire.send(post())
            assert wire.answer().body == b"{}"


def test_bytes_that_come_unasked_spoil_the_idle_connection(hop: Hop) -> None:
    hop.upstream.once(
        Read(), Send(reply(b'{"first":true}')), Pause(0.1), Send(reply(b'{"unasked":true}'))
    )
    with hop.connect() as wire:
        wire.send(post())
        assert wire.answer().body == b'{"first":true}'
        hop.upstream.pause(0.3)
        wire.send(post())
        assert wire.answer().body == b"{}"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_reply_that_has_no_body_has_none(hop: Hop, status: str) -> None:
    hop.upstream.once(Read(), Send(f"HTTP/1.1 {status}\r\nX-A: b\r\n\r\n".encode()))
    with hop.connect() as wire:
        wire.send(post())
        answer = wire.answer()
        assert (answer.status, answer.headers["x-a"]) == (int(status[:3]), "b")
        assert "transfer-encoding" not in answer.headers
        wire.send(post())
        assert wire.answer().body == b"{}"


def test_two_targets_of_which_the_first_refuses(
    serve: Serve, upstream: Upstream, closed_port: int
) -> None:
    running = serve(f"""\
version: 1
keys: [{{name: app, key: {KEY}}}]
providers:
  gone: {{type: openai_compatible, base_url: "http://127.0.0.1:{closed_port}/v1"}}
  here: {{type: openai_compatible, base_url: "{upstream.url}/v1"}}
routes:
  both:
    models: [both]
    strategy: ordered
    targets: [{{provider: gone, model: a}}, {{provider: here, model: b}}]
""")
    data = body().replace(b"up/m", b"both")
    with Wire(running.address) as wire:
        for _ in range(5):
            wire.send(post(CHAT, data))
            answer = wire.answer()
            assert (answer.status, answer.headers["x-llm-edge-provider"]) == (200, "here")
    assert {msgspec.json.decode(got.body)["model"] for got in upstream.requests} == {"b"}
    assert len(upstream.requests) == 5


@pytest.mark.behaviour("B03")
@pytest.mark.parametrize("first", ["rst", "garbage", "500"])
def test_a_first_target_that_has_read_the_request_is_the_only_one(
    two_targets: tuple[Hop, Upstream], first: str
) -> None:
    hop, second = two_targets
    match first:
        case "rst":
            hop.upstream.always(Read(), Reset())
        case "garbage":
            hop.upstream.always(Read(), Send(b"garbage\r\n\r\n"), Close())
        case _:
            hop.upstream.always(Read(), Send(reply(b"{}", "500 Internal Server Error")))
    answer = hop.ask(post(data=body().replace(b"up/m", b"both")))
    assert answer.status in {500, 502}
    assert (hop.upstream.begun, second.begun) == (1, 0)


def test_a_connection_that_the_upstream_closed_while_idle_is_replaced_silently(hop: Hop) -> None:
    with hop.connect() as wire:
        for round_number in range(20):
            end = Close() if round_number % 2 else Reset()
            hop.upstream.once(Read(), Send(reply(b'{"n":%d}' % round_number)), Pause(0.01), end)
            wire.send(post())
            assert wire.answer().body == b'{"n":%d}' % round_number
            hop.upstream.pause(0.03)
    assert hop.seen == 20
