"""TLS on the listener: HTTP/2 and HTTP/1.1 by ALPN, with the same behaviour behind it."""

import contextlib
import socket
import ssl
from collections.abc import Iterator

import httpx2
import openai
import pytest

from tests.support.certificates import Authority
from tests.support.hop import CHAT, KEY, Hop, body, post, start_hop
from tests.support.http2 import Http2
from tests.support.streams import EVENTS, TEXT, chunked, whole
from tests.support.upstream import AwaitClose, Close, Read, Send, Upstream, chunk, stream_head
from tests.support.wire import Wire

AUTH = ("authorization", f"Bearer {KEY}")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def shared_tls_hop(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Hop]:
    own = authority.issue("127.0.0.1", "localhost")
    files = f'tls: {{cert_file: "{own.cert_file}", key_file: "{own.key_file}"}}'
    with Upstream() as upstream:
        hop = start_hop(tmp_path_factory.mktemp("tls"), upstream, files, "--workers", "1")
        yield hop
        hop.running.stop()


@pytest.fixture
def tls_hop(shared_tls_hop: Hop) -> Hop:
    shared_tls_hop.upstream.reset()
    return shared_tls_hop


def test_the_first_line_says_https(tls_hop: Hop) -> None:
    assert tls_hop.running.api.startswith("https://")


@pytest.mark.parametrize("offered", [(), ("http/1.1",), ("h2c", "http/1.1")])
def test_http11_is_spoken_to_whoever_does_not_offer_http2(
    tls_hop: Hop, authority: Authority, offered: tuple[str, ...]
) -> None:
    with Wire(tls_hop.running.address, authority.client_context(*offered)) as wire:
        for number in range(3):
            wire.send(post(data=body(text=str(number))))
            assert wire.answer().body == b"{}"
    assert tls_hop.seen == 3


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(
    tls_hop: Hop, authority: Authority, version: ssl.TLSVersion
) -> None:
    tls = authority.client_context()
    tls.minimum_version = tls.maximum_version = version
    with socket.create_connection(tls_hop.running.address, timeout=5) as bare:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = tls.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        while True:
            try:
                engine.do_handshake()
                break
            except ssl.SSLWantReadError:
                bare.sendall(outgoing.read())
                incoming.write(bare.recv(65_536))
        # TLS 1.3: what ends the handshake and the request leave as one segment.
        engine.write(post() + post())
        bare.sendall(outgoing.read())
        got = b""
        while got.count(b"HTTP/1.1 200 ") < 2:
            try:
                got += engine.read()
            except ssl.SSLWantReadError:
                data = bare.recv(65_536)
                assert data, got
                incoming.write(data)


def test_pipelined_requests_in_few_records_are_all_answered(
    tls_hop: Hop, authority: Authority
) -> None:
    with Wire(tls_hop.running.address, authority.client_context()) as wire:
        wire.send(b"".join(post(data=body(text="x" * size)) for size in range(0, 9000, 300)))
        assert [wire.answer().status for _ in range(30)] == [200] * 30


def test_http2_is_spoken_to_whoever_offers_it(tls_hop: Hop, authority: Authority) -> None:
    tls_hop.upstream.always(Read(), Send(chunked(EVENTS["chat"]), piece=9))
    tls = authority.client_context("h2", "http/1.1")
    with Http2(tls_hop.running.address, tls) as client:
        sent = [client.request(CHAT, body(stream=True), AUTH) for _ in range(5)]
        assert [client.answer(number).body for number in sent] == [whole("chat")] * 5


def test_a_large_reply_and_a_large_request_pass(tls_hop: Hop, authority: Authority) -> None:
    events = [EVENTS["chat"][1] * 100] * 300 + [EVENTS["chat"][-1]]
    tls_hop.upstream.always(Read(), Send(chunked(events)))
    data = body(stream=True, text="x" * 2_000_000)
    with Wire(tls_hop.running.address, authority.client_context()) as wire:
        wire.send(post(data=data))
        answer = wire.answer()
    assert answer.complete
    assert answer.body == b"".join(events)
    assert tls_hop.upstream.requests[0].body == data.replace(b"up/m", b"m")


@pytest.mark.behaviour("B01")
def test_a_client_that_leaves_is_noticed(tls_hop: Hop, authority: Authority) -> None:
    tls_hop.upstream.always(Read(), Send(stream_head()), AwaitClose())
    for round_number in range(1, 4):
        with Wire(tls_hop.running.address, authority.client_context()) as wire:
            wire.send(post(data=body(stream=True)))
            wire.read_until(b"\r\n\r\n")
        tls_hop.upstream.wait_for(cancelled=round_number, timeout_s=1)


@pytest.mark.behaviour("B04")
def test_a_stream_that_breaks_off_does_not_end_whole(tls_hop: Hop, authority: Authority) -> None:
    tls_hop.upstream.always(Read(), Send(stream_head() + chunk(EVENTS["chat"][0])), Close())
    with Wire(tls_hop.running.address, authority.client_context()) as wire:
        wire.send(post(data=body(stream=True)))
        answer = wire.answer()
    assert not answer.complete
    assert b'"error"' in answer.body


@pytest.mark.behaviour("B16")
def test_a_request_cut_by_the_end_of_tls_is_not_executed(
    tls_hop: Hop, authority: Authority
) -> None:
    for cut in (40, 150, len(post()) - 1):
        with Wire(tls_hop.running.address, authority.client_context()) as wire:
            wire.send(post()[:cut])
    with Wire(tls_hop.running.address, authority.client_context()) as wire:
        wire.send(post())
        assert wire.answer().status == 200
    assert tls_hop.upstream.begun == 1


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"", bytes(600)]
)
def test_what_is_not_tls_harms_nobody(tls_hop: Hop, authority: Authority, first: bytes) -> None:
    with socket.create_connection(tls_hop.running.address, timeout=5) as bare:
        bare.sendall(first)
        bare.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            assert b"200" not in bare.recv(1000)
    with Wire(tls_hop.running.address, authority.client_context()) as wire:
        wire.send(post())
        assert wire.answer().status == 200


def test_a_client_that_does_not_trust_us_does_not_get_in(tls_hop: Hop) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Wire(tls_hop.running.address, ssl.create_default_context())
    assert tls_hop.seen == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_current_versions_of_tls_are_spoken(
    tls_hop: Hop, authority: Authority, version: ssl.TLSVersion
) -> None:
    tls = authority.client_context()
    tls.minimum_version = tls.maximum_version = version
    with Wire(tls_hop.running.address, tls) as wire:
        wire.send(post())
        assert wire.answer().status == 200


def test_the_sdk_streams_over_tls(tls_hop: Hop, authority: Authority) -> None:
    tls_hop.upstream.always(Read(), Send(chunked(EVENTS["chat"])))
    with (
        httpx2.Client(verify=authority.client_context("h2", "http/1.1"), http2=True) as http,
        openai.OpenAI(base_url=tls_hop.running.api, api_key=KEY, http_client=http) as client,
    ):
        said = [{"role": "user", "content": "x"}]
        stream = client.chat.completions.create(model="up/m", messages=said, stream=True)
        text = "".join(event.choices[0].delta.content or "" for event in stream)
    assert text == TEXT.replace(" ", "")
