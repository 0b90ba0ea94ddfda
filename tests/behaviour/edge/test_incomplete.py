"""A request whose body did not arrive to its last byte is never executed."""

import time

import pytest

from tests.support.hop import CHAT, KEY, Hop, body, post
from tests.support.upstream import Read, Send, reply

pytestmark = pytest.mark.behaviour("B16")

DATA = body(text="x" * 2000)
TENTHS = range(10)


def by_length() -> bytes:
    return post(CHAT, DATA)


def by_chunks() -> bytes:
    pieces = [DATA[at : at + 100] for at in range(0, len(DATA), 100)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer {KEY}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    return head.encode() + chunks


FRAMINGS = {"length": by_length(), "chunks": by_chunks()}


@pytest.mark.parametrize("ending", ["half-close", "close", "reset"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_request_cut_at_any_tenth_never_reaches_the_upstream(
    hop: Hop, framing: str, ending: str
) -> None:
    data = FRAMINGS[framing]
    start = data.index(b"\r\n\r\n") + 4
    cuts = [start + (len(data) - start) * tenth // 10 for tenth in TENTHS]
    for cut in [*cuts, len(data) - 3, len(data) - 2, len(data) - 1]:
        with hop.connect() as wire:
            wire.send(data[:cut])
            match ending:
                case "half-close":
                    wire.send_end()
                    assert b" 200 " not in wire.read_to_end()
                case "reset":
                    wire.reset()
    hop.still_works()
    assert hop.upstream.begun == 1


def test_a_cut_head_is_no_request(hop: Hop) -> None:
    data = post()
    end = data.index(b"\r\n\r\n") + 4
    for cut in range(2, end, 7):
        with hop.connect() as wire:
            wire.send(data[:cut])
            wire.send_end()
            assert b" 200 " not in wire.read_to_end()
    hop.still_works()
    assert hop.upstream.begun == 1


def test_a_first_byte_that_http2_shares_does_not_hold_a_connection_that_has_ended(hop: Hop) -> None:
    # `P` begins the HTTP/2 preface as well as `POST`.
    began = time.monotonic()
    with hop.connect() as wire:
        wire.send(b"P")
        wire.send_end()
        assert b" 200 " not in wire.read_to_end()
    assert time.monotonic() - began < 5


def test_a_client_that_waits_is_told_to_go_on_and_only_then_is_anything_executed(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(b'{"a":1}')))
    data = post(CHAT, DATA, "Expect: 100-continue")
    end = data.index(b"\r\n\r\n") + 4
    with hop.connect() as wire:
        wire.send(data[:end])
        assert wire.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert hop.upstream.begun == 0
        wire.send(data[end:-1])
        wire.send(data[-1:])
        assert wire.answer().body == b'{"a":1}'
        # A body that is there already is not waited for.
        wire.send(data)
        assert wire.read_until(b"\r\n").startswith(b"HTTP/1.1 200 ")
    assert [got.body for got in hop.upstream.requests] == [DATA.replace(b"up/m", b"m")] * 2
    assert "expect" not in hop.upstream.requests[0].headers


@pytest.mark.parametrize(
    ("status", "request_head"),
    [
        (401, post(CHAT, DATA, "Expect: 100-continue", key="sk-wrong")),
        (404, post("/v1/nothing", DATA, "Expect: 100-continue")),
        (
            413,
            post(CHAT, b"", "Expect: 100-continue").replace(
                b"Content-Length: 0", b"Content-Length: 99999999"
            ),
        ),
    ],
)
def test_a_client_that_waits_gets_a_final_no_at_once(
    hop: Hop, status: int, request_head: bytes
) -> None:
    with hop.connect() as wire:
        wire.send(request_head[: request_head.index(b"\r\n\r\n") + 4])
        assert wire.read_until(b"\r\n").startswith(b"HTTP/1.1 %d " % status)
        wire.send_end()
        wire.read_to_end()
    assert hop.upstream.begun == 0
