"""HTTP/2 by prior knowledge: the same requests, the same rules, streams beside each other."""

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from tests.behaviour.process.programs import wait_until
from tests.support.hop import CHAT, KEY, PATHS, UPSTREAM_KEY, Hop, body, post, start_hop
from tests.support.http2 import Http2
from tests.support.streams import EVENTS, SURFACES, chunked, whole
from tests.support.upstream import (
    AwaitClose,
    Close,
    Pause,
    Pour,
    Read,
    Send,
    Upstream,
    Wait,
    chunk,
    reply,
    stream_head,
)

AUTH = ("authorization", f"Bearer {KEY}")
JSON = ("content-type", "application/json")


@pytest.fixture
def client(hop: Hop) -> Iterator[Http2]:
    with Http2(hop.running.address) as connection:
        yield connection


def test_a_document_comes_back_as_it_was_sent(hop: Hop, client: Http2) -> None:
    hop.upstream.always(
        Read(), Send(reply(b'{"a":1}', "200 OK", "X-Theirs: yes", "Set-Cookie: no"))
    )
    stream = client.answer(client.request(CHAT, body(), AUTH, JSON))
    assert (stream.status, stream.body, stream.ended) == (200, b'{"a":1}', True)
    assert stream.headers["x-theirs"] == "yes"
    assert stream.headers["x-request-id"]
    assert "set-cookie" not in stream.headers
    (got,) = hop.upstream.requests
    assert got.body == body().replace(b"up/m", b"m")
    assert got.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert got.headers["host"] == "{}:{}".format(*hop.upstream.address)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("piece", [0, 1, 33])
def test_a_stream_comes_back_as_it_was_sent(
    hop: Hop, client: Http2, surface: str, piece: int
) -> None:
    hop.upstream.always(Read(), Send(chunked(EVENTS[surface]), piece))
    sent = client.request(PATHS[surface], body(surface, stream=True), AUTH, JSON)
    stream = client.answer(sent)
    assert (stream.status, stream.ended) == (200, True)
    assert stream.body == whole(surface)


def test_a_large_body_passes_both_ways(hop: Hop, client: Http2) -> None:
    large = b'{"x":"%s"}' % (b"y" * 3_000_000)
    hop.upstream.always(Read(), Send(reply(large)))
    data = body(text="z" * 3_000_000)
    stream = client.answer(client.request(CHAT, data, AUTH, JSON))
    assert stream.body == large
    assert hop.upstream.requests[0].body == data.replace(b"up/m", b"m")


def test_streams_run_beside_each_other(hop: Hop, client: Http2) -> None:
    hop.upstream.always(
        Read(),
        Send(stream_head() + chunk(EVENTS["chat"][0])),
        Pause(0.5),
        Send(b"".join(map(chunk, EVENTS["chat"][1:])) + chunk(b"")),
    )
    began = time.monotonic()
    sent = [client.request(CHAT, body(stream=True), AUTH, JSON) for _ in range(30)]
    assert [client.answer(number).body for number in sent] == [whole("chat")] * 30
    assert time.monotonic() - began < 5


@pytest.mark.behaviour("B01")
@pytest.mark.parametrize("window", ["before the reply", "mid-stream"])
def test_a_cancelled_stream_is_cancelled_upstream_and_the_others_go_on(
    hop: Hop, client: Http2, window: str
) -> None:
    first = EVENTS["chat"][0]
    actions = [Send(stream_head() + chunk(first))] if window == "mid-stream" else []
    for round_number in range(1, 6):
        hop.upstream.once(Read(), *actions, AwaitClose())
        number = client.request(CHAT, body(stream=True), AUTH, JSON)
        hop.upstream.wait_for(requests=2 * round_number - 1)
        if actions:
            client.wait_for(number, first)
        began = time.monotonic()
        client.reset(number)
        hop.upstream.wait_for(cancelled=round_number)
        assert time.monotonic() - began < 1
        assert client.answer(client.request(CHAT, body(), AUTH, JSON)).body == b"{}"


@pytest.mark.behaviour("B01")
def test_a_client_that_leaves_cancels_all_its_streams(hop: Hop) -> None:
    hop.upstream.always(Read(), AwaitClose())
    with Http2(hop.running.address) as client:
        for _ in range(10):
            client.request(CHAT, body(stream=True), AUTH, JSON)
        hop.upstream.wait_for(requests=10)
    hop.upstream.wait_for(cancelled=10)


@pytest.mark.behaviour("B16")
@pytest.mark.parametrize("ending", ["reset", "leave", "leave rudely"])
def test_a_body_without_its_end_is_never_executed(hop: Hop, ending: str) -> None:
    data = body(text="x" * 2000)
    for tenth in range(11):
        with Http2(hop.running.address) as client:
            number = client.request(CHAT, data, AUTH, JSON, upto=len(data) * tenth // 10)
            if ending == "reset":
                client.reset(number)
                assert client.answer(client.request("/livez", b"", method="GET")).status == 200
    hop.still_works()
    assert hop.upstream.begun == 1


@pytest.mark.behaviour("B16")
@pytest.mark.parametrize("more", [-5, 5])
def test_a_body_that_is_not_as_long_as_announced_is_never_executed(hop: Hop, more: int) -> None:
    data = body()
    with Http2(hop.running.address) as client:
        length = ("content-length", str(len(data) + more))
        number = client.request(CHAT, data, AUTH, JSON, length)
        stream = client.answer(number)
        assert stream.reset_code is not None or stream.status == 400
    assert hop.upstream.begun == 0


@pytest.mark.behaviour("B04")
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("kind", ["fin", "no terminal event", "length without terminal event"])
def test_a_stream_that_breaks_off_is_reset(
    hop: Hop, client: Http2, surface: str, kind: str
) -> None:
    some = EVENTS[surface][:2]
    match kind:
        case "fin":
            actions = (Send(stream_head() + b"".join(map(chunk, some))), Close())
        case "no terminal event":
            actions = (
                Send(stream_head() + b"".join(map(chunk, some))),
                Pause(0.05),
                Send(chunk(b"")),
            )
        case _:
            data = reply(b"".join(some), content_type="text/event-stream")
            actions = (Send(data[:-30]), Pause(0.05), Send(data[-30:]))
    hop.upstream.always(Read(), *actions)
    sent = client.request(PATHS[surface], body(surface, stream=True), AUTH, JSON)
    stream = client.answer(sent)
    assert not stream.ended
    assert stream.reset_code is not None
    assert EVENTS[surface][-1] not in stream.body
    # The connection outlives it.
    hop.upstream.reset()
    assert client.answer(client.request(CHAT, body(), AUTH, JSON)).status == 200


@pytest.mark.behaviour("B04")
@pytest.mark.parametrize("surface", SURFACES)
def test_what_came_before_the_break_arrives_and_so_does_the_error_event(
    hop: Hop, client: Http2, surface: str
) -> None:
    some = EVENTS[surface][:2]
    hop.upstream.always(Read(), Send(stream_head() + b"".join(map(chunk, some))), Close())
    sent = client.request(PATHS[surface], body(surface, stream=True), AUTH, JSON)
    stream = client.answer(sent)
    assert stream.status == 200
    assert stream.body.startswith(b"".join(some))
    assert b'"error"' in stream.body[len(b"".join(some)) :]


@pytest.mark.behaviour("B10")
def test_a_window_that_stays_shut_stops_the_upstream(hop: Hop) -> None:
    half = chunk(EVENTS["chat"][1] * 200)
    hop.upstream.once(Read(), Send(stream_head()), Pour(half, 256 << 20), AwaitClose())
    with Http2(hop.running.address, window=1000) as client:
        number = client.request(CHAT, body(stream=True), AUTH, JSON)
        client.wait_for(number, EVENTS["chat"][1])
        deadline = time.monotonic() + 8
        while not hop.upstream.poured:
            assert time.monotonic() < deadline
            assert hop.ask(post()).status == 200
        assert hop.upstream.poured < 40 << 20
    hop.upstream.wait_for(cancelled=1)


@pytest.mark.parametrize(
    ("status", "path", "data", "fields"),
    [
        (401, CHAT, body(), []),
        (404, "/v1/nothing", b"{}", [AUTH]),
        (404, "/v1/chat%2fcompletions", b"{}", [AUTH]),
        (415, CHAT, body(), [AUTH, ("content-type", "text/plain")]),
        (400, CHAT, b'{"model":', [AUTH]),
        (404, CHAT, b'{"model":"nobody/knows"}', [AUTH]),
        (414, CHAT + "?" + "q" * 9000, body(), [AUTH]),
        (400, "/v1/messages", b"[]", [AUTH]),
        (431, CHAT, body(), [AUTH, *((f"x-{n}", "1") for n in range(200))]),
    ],
)
def test_what_is_refused_is_refused_here_too(
    hop: Hop, status: int, path: str, data: bytes, fields: list[tuple[str, str]]
) -> None:
    with Http2(hop.running.address) as client:
        stream = client.answer(client.request(path, data, *fields))
        assert (stream.status, stream.ended) == (status, True)
        said = msgspec.json.decode(stream.body)
        assert said["error"]["message"]
        assert stream.headers["x-request-id"]
        assert hop.upstream.begun == 0
        # One stream's fault is not the connection's.
        assert client.answer(client.request(CHAT, body(), AUTH)).status == 200


def test_fields_that_stations_look_for_are_found_here_too(hop: Hop, client: Http2) -> None:
    own_id = ("x-request-id", "mine-2")
    stream = client.answer(client.request(CHAT, body(), AUTH, own_id))
    assert stream.headers["x-request-id"] == "mine-2"
    version = ("anthropic-version", "2023-06-01")
    listed = client.answer(client.request("/v1/models", b"", AUTH, version, method="GET"))
    assert "has_more" in msgspec.json.decode(listed.body)
    squeezed = client.request(CHAT, body(), AUTH, ("content-encoding", "gzip"))
    assert client.answer(squeezed).status == 415


@pytest.mark.behaviour("B15")
def test_a_request_without_a_host_is_refused(hop: Hop, client: Http2) -> None:
    stream = client.answer(client.request(CHAT, body(), AUTH, authority=None))
    assert stream.reset_code is not None or stream.status == 400
    assert hop.upstream.begun == 0


@pytest.mark.behaviour("B13")
@pytest.mark.parametrize("name", ["cookie", "x-api-key", "proxy-authorization", "api-key"])
def test_secrets_of_the_caller_stay_here(hop: Hop, client: Http2, name: str) -> None:
    assert client.answer(client.request(CHAT, body(), AUTH, (name, "m4rk"))).status == 200
    assert b"m4rk" not in hop.upstream.requests[0].head


def test_too_large_a_body_is_a_413(hop: Hop, client: Http2) -> None:
    length = ("content-length", str(33 << 20))
    number = client.request(CHAT, b"{", AUTH, length, upto=1)
    stream = client.answer(number)
    assert stream.status == 413
    assert b"limits.body_bytes_max" in stream.body
    assert hop.upstream.begun == 0


@pytest.fixture
def half_said(tmp_path: Path, upstream: Upstream) -> Iterator[tuple[Hop, threading.Event]]:
    """A gateway whose upstream's streams wait after their first event, and what lets them go on."""
    hop = start_hop(tmp_path / "drain", upstream, "", "--workers", "1")
    go_on = threading.Event()
    first, *rest = EVENTS["chat"]
    upstream.always(
        Read(),
        Send(stream_head() + chunk(first)),
        Wait(go_on),
        Send(b"".join(map(chunk, rest)) + chunk(b"")),
    )
    yield hop, go_on
    hop.running.check_end()


def begin(client: Http2, count: int) -> list[int]:
    """So many streams, each with its first event."""
    sent = [client.request(CHAT, body(stream=True), AUTH, JSON) for _ in range(count)]
    for number in sent:
        client.wait_for(number, EVENTS["chat"][0])
    return sent


@pytest.mark.behaviour("B28")
def test_a_drain_says_goaway_when_the_last_stream_has_ended(
    half_said: tuple[Hop, threading.Event],
) -> None:
    hop, go_on = half_said
    with Http2(hop.running.address) as client, Http2(hop.running.address) as idle:
        assert idle.answer(idle.request("/livez", b"", method="GET")).status == 200
        sent = begin(client, 5)
        hop.running.signal(signal.SIGTERM)
        idle.read_to_end()
        assert idle.goaway
        # Python's h2 would give up these five if it heard of it before they are over.
        go_on.set()
        assert [client.answer(number).body for number in sent] == [whole("chat")] * 5
        assert not client.goaway
        client.read_to_end()
        assert client.goaway


@pytest.mark.behaviour("B28")
def test_a_drain_says_goaway_to_who_asks_for_more_and_serves_that_too(
    half_said: tuple[Hop, threading.Event],
) -> None:
    hop, go_on = half_said
    with Http2(hop.running.address) as client:
        sent = begin(client, 2)
        hop.running.signal(signal.SIGTERM)
        wait_until(lambda: httpx2.get(f"{hop.running.metrics}/readyz").status_code != 200)
        assert not client.goaway
        sent += begin(client, 1)
        client.wait_for_goaway()
        go_on.set()
        assert [client.answer(number).body for number in sent] == [whole("chat")] * 3


@pytest.mark.behaviour("B28")
def test_a_client_that_does_not_listen_holds_up_no_drain(
    half_said: tuple[Hop, threading.Event],
) -> None:
    hop, go_on = half_said
    go_on.set()
    with Http2(hop.running.address) as client:
        (number,) = begin(client, 1)
        assert client.answer(number).body == whole("chat")
        began = time.monotonic()
        hop.running.signal(signal.SIGTERM)
        hop.running.process.wait(timeout=10)
        assert time.monotonic() - began < 5


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("stream", [False, True])
def test_curl_is_served(hop: Hop, stream: bool) -> None:
    if stream:
        hop.upstream.always(Read(), Send(chunked(EVENTS["chat"])))
    result = subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--http2-prior-knowledge",
            "--max-time",
            "10",
            "--write-out",
            "\n%{http_code} %{http_version}",
            "--header",
            f"authorization: Bearer {KEY}",
            "--json",
            body(stream=stream).decode(),
            f"{hop.running.api}/chat/completions",
        ],
        check=True,
        capture_output=True,
        timeout=15,
    )
    data, _, code = result.stdout.rpartition(b"\n")
    assert code == b"200 2"
    assert data == (whole("chat") if stream else b"{}")
