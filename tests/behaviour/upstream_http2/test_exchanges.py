"""What passes over HTTP/2 to an upstream passes as it does over HTTP/1.1."""

import contextlib
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h2.errors
import h2.settings
import msgspec
import openai
import pytest

from tests.behaviour.upstream_http2.conftest import Http2Hop, MakeHop
from tests.support.certificates import Authority
from tests.support.hop import CHAT, KEY, PATHS, UPSTREAM_KEY, body, post
from tests.support.http2_upstream import Http2Upstream, ServerStream
from tests.support.streams import EVENTS, SURFACES, TEXT, whole
from tests.support.upstream import Upstream
from tests.support.wire import Wire

STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS
SMALL_WINDOW = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000}


def test_a_request_arrives_with_its_fields_and_its_body(hop2: Http2Hop) -> None:
    fields = ("X-One: a", "X-One: b", "Connection: X-Two", "X-Two: c")
    answer = hop2.ask(post(f"{CHAT}?a=1&b=%3Cx%3E", None, *fields))
    assert (answer.status, answer.body) == (200, b"{}")
    (seen,) = hop2.upstream.requests
    host, port = hop2.upstream.address
    assert seen.headers[":method"] == "POST"
    assert seen.headers[":scheme"] == "http"
    assert seen.headers[":authority"] == f"{host}:{port}"
    assert seen.headers[":path"] == f"{CHAT}?a=1&b=%3Cx%3E"
    assert seen.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert seen.headers["x-one"] == "a, b"
    assert seen.headers["content-length"] == str(len(seen.body))
    assert not {"host", "connection", "x-two", "transfer-encoding"} & set(seen.headers)
    assert seen.body == body().replace(b"up/m", b"m")
    # The client sees a length, as it would over HTTP/1.1.
    assert answer.headers["content-length"] == "2"


@pytest.mark.parametrize("surface", SURFACES)
def test_every_stream_passes_byte_for_byte(hop2: Http2Hop, surface: str) -> None:
    hop2.upstream.always(lambda stream: stream.events(surface))
    with hop2.connect() as wire:
        for _ in range(3):
            wire.send(post(PATHS[surface], body(surface, stream=True)))
            answer = wire.answer()
            assert answer.complete
            assert answer.body == whole(surface)
    assert len(hop2.upstream.connections) == 1


@pytest.mark.parametrize("padding", [None, 0, 255])
def test_a_stream_in_pieces_of_one_byte_and_with_padding_passes(
    hop2: Http2Hop, padding: int | None
) -> None:
    def drip(stream: ServerStream) -> None:
        stream.head(200, ("content-type", "text/event-stream"))
        for byte in whole("chat"):
            stream.data(bytes([byte]), padding=padding)
        stream.data(b"", end=True)

    hop2.upstream.always(drip)
    answer = hop2.ask(post(data=body(stream=True)))
    assert answer.complete
    assert answer.body == whole("chat")


def test_a_large_body_waits_for_the_upstreams_window(make_hop: MakeHop) -> None:
    hop = make_hop(Http2Upstream(settings=SMALL_WINDOW))
    # The window holds once it is known: the library loses count of one that shrinks late.
    assert hop.ask(post()).status == 200
    data = body(text="x" * 60_000)
    assert hop.ask(post(data=data)).status == 200
    assert hop.upstream.requests[1].body == data.replace(b"up/m", b"m")


def test_a_large_reply_passes_in_its_windows(hop2: Http2Hop) -> None:
    data = b'{"data": "' + bytes(range(48, 58)) * 500_000 + b'"}'
    hop2.upstream.always(lambda stream: stream.json(data))
    answer = hop2.ask(post())
    assert answer.complete
    assert answer.body == data


def test_trailers_are_left_out_and_end_the_reply(hop2: Http2Hop) -> None:
    def with_trailers(stream: ServerStream) -> None:
        stream.events(end=False)
        stream.trailers(("x-trailer", "1"), ("grpc-status", "0"))

    hop2.upstream.always(with_trailers)
    answer = hop2.ask(post(data=body(stream=True)))
    assert answer.complete
    assert answer.body == whole("chat")
    assert "x-trailer" not in answer.headers


def test_a_reply_without_a_body_is_whole(hop2: Http2Hop) -> None:
    length = ("content-length", "0")
    hop2.upstream.always(lambda stream: stream.head(400, length, end=True))
    with hop2.connect() as wire:
        for _ in range(2):
            wire.send(post())
            answer = wire.answer()
            assert (answer.status, answer.body, answer.complete) == (400, b"", True)


@pytest.mark.parametrize("says_enough", [False, True])
def test_an_answer_before_the_whole_body_is_passed_on(
    make_hop: MakeHop, *, says_enough: bool
) -> None:
    hop = make_hop(Http2Upstream(at_head=True, takes_bodies=False))

    def too_large(stream: ServerStream) -> None:
        with stream.connection.changed:
            stream.json(b'{"error": "too large"}', 413)
            if says_enough and not stream.whole:
                stream.reset(h2.errors.ErrorCodes.NO_ERROR)

    hop.upstream.always(too_large)
    answer = hop.ask(post(data=body(text="x" * 2_000_000)))
    assert (answer.status, answer.body) == (413, b'{"error": "too large"}')
    # The rest of the request is called off, and the connection goes on.
    if not says_enough:
        (stream,) = hop.upstream.streams
        stream.wait_for_reset()
    assert hop.ask(post()).status == 413
    assert len(hop.upstream.connections) == 1


def test_informational_replies_are_passed_over(hop2: Http2Hop) -> None:
    def hints(stream: ServerStream) -> None:
        with stream.connection.changed:
            stream.connection.http.send_headers(stream.number, [(":status", "103"), ("link", "x")])
            stream.connection.flush()
        stream.json()

    hop2.upstream.always(hints)
    assert hop2.ask(post()).body == b"{}"


def test_a_head_that_is_too_large_is_a_502(make_hop: MakeHop) -> None:
    hop = make_hop(Http2Upstream(), "limits: {upstream_head_bytes_max: 4096}")
    hop.upstream.always(lambda stream: stream.json(b"{}", 200, *[("x-many", "y" * 500)] * 20))
    answer = hop.ask(post())
    assert answer.status == 502
    assert msgspec.json.decode(answer.body)["error"]["code"] == "upstream_invalid"
    hop.upstream.always(ServerStream.json)
    assert hop.ask(post()).status == 200


def test_streams_share_a_connection_and_spread_over_more_when_the_peer_allows_few(
    make_hop: MakeHop,
) -> None:
    hop = make_hop(Http2Upstream(settings={STREAMS: 10}))
    ready = threading.Barrier(60, timeout=15)

    def together(stream: ServerStream) -> None:
        # All 60 are open at one time, or this breaks.
        ready.wait()
        stream.json()

    hop.upstream.always(together)
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: hop.ask(post()), range(60)))
    assert [answer.status for answer in answers] == [200] * 60
    assert hop.upstream.faults == []
    assert max(each.open_max for each in hop.upstream.connections) <= 10
    assert 6 <= len(hop.upstream.connections) <= 8


def test_one_connection_carries_them_all_when_the_peer_allows_many(hop2: Http2Hop) -> None:
    ready = threading.Barrier(60, timeout=15)

    def together(stream: ServerStream) -> None:
        ready.wait()
        stream.json()

    hop2.upstream.always(together)
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: hop2.ask(post()), range(60)))
    assert [answer.status for answer in answers] == [200] * 60
    assert len(hop2.upstream.connections) == 1


def test_requests_wait_for_a_free_stream_when_no_more_connections_may_be_opened(
    make_hop: MakeHop,
) -> None:
    hop = make_hop(
        Http2Upstream(settings={STREAMS: 2}), "limits: {upstream_http2_connections_max: 2}"
    )

    def slow(stream: ServerStream) -> None:
        time.sleep(0.05)
        stream.json()

    hop.upstream.always(slow)
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: hop.ask(post()), range(24)))
    assert [answer.status for answer in answers] == [200] * 24
    assert [each.open_max for each in hop.upstream.connections] == [2, 2]


def test_the_sdk_streams(hop2: Http2Hop) -> None:
    hop2.upstream.always(ServerStream.events)
    with openai.OpenAI(base_url=hop2.running.api, api_key=KEY) as client:
        said = [{"role": "user", "content": "x"}]
        stream = client.chat.completions.create(model="up/m", messages=said, stream=True)
        text = "".join(event.choices[0].delta.content or "" for event in stream)
    assert text == TEXT.replace(" ", "")


@pytest.mark.behaviour("B10")
def test_a_stream_that_nobody_reads_is_not_read_either_and_stops_no_other(hop2: Http2Hop) -> None:
    assert hop2.ask(post()).status == 200
    before = hop2.running.resident_kib
    poured: list[ServerStream] = []

    def pour(stream: ServerStream) -> None:
        poured.append(stream)
        stream.head(200, ("content-type", "text/event-stream"))
        with contextlib.suppress(AssertionError):
            stream.data(EVENTS["chat"][1] * 500_000)

    for _ in range(4):
        hop2.upstream.once(pour)
    wires = [hop2.connect() for _ in range(4)]
    for wire in wires:
        wire.send(post(data=body(stream=True)))
    deadline = time.monotonic() + 8
    sent = -1
    # Until nothing has moved for half a second; others are served all the while.
    while len(poured) < 4 or sent != sum(stream.sent for stream in poured):
        assert time.monotonic() < deadline
        sent = sum(stream.sent for stream in poured)
        time.sleep(0.5)
        assert hop2.ask(post()).status == 200
    assert hop2.running.resident_kib - before < 4 * 256 + 2048
    assert len(hop2.upstream.connections) == 1
    for wire in wires:
        wire.__exit__()
    for stream in poured:
        stream.wait_for_reset()


@pytest.mark.behaviour("B01")
def test_a_client_that_leaves_resets_its_stream_at_once(hop2: Http2Hop) -> None:
    def wait(stream: ServerStream) -> None:
        stream.wait_for_reset()

    def begin(stream: ServerStream) -> None:
        stream.events(upto=2, end=False)
        stream.wait_for_reset()

    for handler in (wait, begin):
        for _ in range(5):
            hop2.upstream.always(handler)
            before = len(hop2.upstream.requests)
            with hop2.connect() as wire:
                wire.send(post(data=body(stream=True)))
                hop2.upstream.wait_for(before + 1)
                if handler is begin:
                    wire.read_until(b"data: ")
            left = time.monotonic()
            stream = hop2.upstream.streams[-1]
            stream.wait_for_reset(1)
            assert stream.reset_at is not None
            assert stream.reset_at - left <= 0.25
            assert stream.reset_code == 8
    assert len(hop2.upstream.connections) == 1


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def server_context(authority: Authority, *protocols: str) -> ssl.SSLContext:
    context = authority.issue("127.0.0.1").server_context()
    context.set_alpn_protocols(list(protocols))
    return context


@pytest.mark.parametrize("http2", ["auto", "always"])
def test_tls_finds_that_both_sides_speak_it(
    make_hop: MakeHop, authority: Authority, http2: str
) -> None:
    tls = server_context(authority, "h2", "http/1.1")
    hop = make_hop(Http2Upstream(tls=tls), http2=http2, ca_file=str(authority.ca_file))
    hop.upstream.always(ServerStream.events)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: hop.ask(post(data=body(stream=True))), range(20)))
    assert [answer.body for answer in answers] == [whole("chat")] * 20
    assert len(hop.upstream.connections) == 1
    assert hop.upstream.requests[0].headers[":scheme"] == "https"


def test_auto_speaks_http11_to_an_upstream_that_chooses_it(
    make_hop: MakeHop, authority: Authority, upstream: Upstream
) -> None:
    upstream.tls = server_context(authority, "http/1.1")
    nobody = Http2Upstream(tls=server_context(authority, "h2"))
    hop = make_hop(nobody, http2="auto", ca_file=str(authority.ca_file))
    path = hop.running.log_path.parent / "llm-edge.yaml"
    path.write_text(path.read_text().replace(nobody.url, upstream.url))
    again = _restarted(hop, path)
    with again:
        for _ in range(3):
            again.send(post())
            assert again.answer().body == b"{}"
    assert upstream.connections == 1
    assert upstream.requests[0].request_line == f"POST {CHAT} HTTP/1.1"


def _restarted(hop: Http2Hop, path: Path) -> Wire:
    """A connection once the gateway has read `path` again."""
    deadline = time.monotonic() + 10
    while '"event":"reloaded"' not in hop.running.log().replace(" ", ""):
        assert time.monotonic() < deadline, f"{path} was not read again"
        time.sleep(0.05)
    return hop.connect()


def test_always_takes_nothing_else(
    make_hop: MakeHop, authority: Authority, upstream: Upstream
) -> None:
    nobody = Http2Upstream(tls=server_context(authority, "http/1.1"))
    hop = make_hop(nobody, http2="always", ca_file=str(authority.ca_file))
    answer = hop.ask(post())
    assert answer.status == 502
    error = msgspec.json.decode(answer.body)["error"]
    assert error["code"] == "upstream_unreachable"
    assert nobody.requests == []
    assert upstream.requests == []


def test_never_is_the_default(make_hop: MakeHop, authority: Authority) -> None:
    server = Http2Upstream(tls=server_context(authority, "h2", "http/1.1"))
    hop = make_hop(server, http2="never", ca_file=str(authority.ca_file))
    hop.ask(post())
    assert server.requests == []
