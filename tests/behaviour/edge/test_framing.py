"""Requests on whose end or recipient servers have been seen to disagree, through the gateway.

Behind each one a good request waits on the same connection: it is executed only if the one before
it was accepted and left no doubt where it ends.
"""

import contextlib
from dataclasses import dataclass

import pytest

from tests.support.hop import CHAT, KEY, Hop, body, post
from tests.support.wire import Wire

pytestmark = pytest.mark.behaviour("B14")

DATA = body(text="first")
N = len(DATA)
SECOND = post(data=body(text="second"))
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (N, DATA)
AUTH = f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"


@dataclass(frozen=True)
class Vector:
    """Bytes, the statuses they are answered with, and how many requests that makes upstream."""

    data: bytes
    statuses: tuple[int, ...] = (400,)
    upstream: int = 0


def by_length(fields: str, host: str = "Host: edge\r\n") -> bytes:
    return f"POST {CHAT} HTTP/1.1\r\n{host}{AUTH}{fields}\r\n".encode() + DATA


def by_chunks(fields: str = "Transfer-Encoding: chunked\r\n", chunks: bytes = CHUNKED) -> bytes:
    return f"POST {CHAT} HTTP/1.1\r\nHost: edge\r\n{AUTH}{fields}\r\n".encode() + chunks


def get(rest: bytes) -> bytes:
    return b"GET /v1/models HTTP/1.1\r\n" + AUTH.encode() + rest


def sized(line: bytes) -> bytes:
    """A chunked body whose first size line is `line` with the size put in."""
    return line % N + DATA + b"\r\n0\r\n\r\n"


VECTORS = {
    "length then coding": Vector(
        by_chunks(f"Content-Length: {N}\r\nTransfer-Encoding: chunked\r\n")
    ),
    "coding then length": Vector(
        by_chunks(f"Transfer-Encoding: chunked\r\nContent-Length: {N}\r\n")
    ),
    "equal lengths": Vector(by_length(f"Content-Length: {N}\r\nContent-Length: {N}\r\n")),
    "different lengths": Vector(by_length(f"Content-Length: {N}\r\nContent-Length: {N - 1}\r\n")),
    "list of lengths": Vector(by_length(f"Content-Length: {N}, {N}\r\n")),
    "length with plus": Vector(by_length(f"Content-Length: +{N}\r\n")),
    "negative length": Vector(by_length("Content-Length: -1\r\n")),
    "hexadecimal length": Vector(by_length(f"Content-Length: {N:#x}\r\n")),
    "length beyond 64 bits": Vector(by_length(f"Content-Length: {2**64 + N}\r\n")),
    "unknown coding": Vector(by_chunks("Transfer-Encoding: xchunked\r\n")),
    "chunked not last": Vector(by_chunks("Transfer-Encoding: chunked, identity\r\n")),
    "identity first": Vector(by_chunks("Transfer-Encoding: identity, chunked\r\n")),
    "coding twice": Vector(
        by_chunks("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")
    ),
    "space before colon": Vector(by_chunks("Transfer-Encoding : chunked\r\n")),
    "vertical tab before coding": Vector(by_chunks("Transfer-Encoding: \x0bchunked\r\n")),
    "folded coding": Vector(by_chunks("Transfer-Encoding:\r\n chunked\r\n")),
    "bare line feeds": Vector(get(b"Host: edge\r\n\r\n").replace(b"\r\n", b"\n")),
    "bare carriage return": Vector(get(b"Host: edge\r\nX-A: b\rX-C: d\r\n\r\n")),
    "NUL": Vector(get(b"Host: edge\r\nX-A: b\0c\r\n\r\n")),
    "chunk size ended by line feed": Vector(by_chunks(chunks=sized(b"%x\n"))),
    "last chunk ended by line feed": Vector(
        by_chunks(chunks=b"%x\r\n%s\r\n0\n\r\n" % (N, DATA)),
    ),
    "chunk size with 0x": Vector(by_chunks(chunks=sized(b"0x%x\r\n"))),
    "chunk size of 17 digits": Vector(by_chunks(chunks=sized(b"%017x\r\n"))),
    "space after chunk size": Vector(by_chunks(chunks=sized(b"%x \r\n"))),
    "line feed in extension": Vector(by_chunks(chunks=sized(b"%x;a\nb\r\n"))),
    "wrong chunk terminator": Vector(by_chunks(chunks=b"%x\r\n%sXY0\r\n\r\n" % (N, DATA))),
    "coding in HTTP/1.0": Vector(by_chunks().replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)),
    "no host": Vector(by_length(f"Content-Length: {N}\r\n", host="")),
    "two hosts": Vector(by_length(f"Content-Length: {N}\r\nHost: edge\r\n")),
    "path in host": Vector(by_length(f"Content-Length: {N}\r\n", host="Host: x/admin?\r\n")),
    "absolute URI with another host": Vector(
        by_length(f"Content-Length: {N}\r\n").replace(b"POST /", b"POST http://evil/", 1)
    ),
    "another expectation": Vector(
        by_length(f"Content-Length: {N}\r\nExpect: 200-ok\r\n"), statuses=(417,)
    ),
    "upgrade, then another request": Vector(
        by_length(f"Content-Length: {N}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
    ),
    # What follows an upgrade may be another protocol: the request counts, what is behind it not.
    "upgrade to h2c": Vector(
        by_length(
            f"Content-Length: {N}\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
        ),
        statuses=(200,),
        upstream=1,
    ),
    "GET with a body": Vector(
        get(f"Host: edge\r\nContent-Length: {N}\r\n\r\n".encode()) + DATA,
        statuses=(200, 200),
        upstream=1,
    ),
    "name with an underscore": Vector(
        by_length(f"Content_Length: 1\r\nContent-Length: {N}\r\n"), statuses=(200, 200), upstream=2
    ),
}


def send_in_pieces(wire: Wire, data: bytes, piece: int) -> None:
    # A gateway that has said no may have left before the last piece.
    with contextlib.suppress(ConnectionError):
        for cut in range(0, len(data), piece):
            wire.send(data[cut : cut + piece])


def test_the_base_set_has_36_vectors() -> None:
    assert len(VECTORS) == 36


@pytest.mark.parametrize("piece", [1 << 20, 7, 1])
@pytest.mark.parametrize("name", VECTORS)
def test_as_many_requests_reach_the_upstream_as_were_accepted(
    hop: Hop, name: str, piece: int
) -> None:
    vector = VECTORS[name]
    with hop.connect() as wire:
        send_in_pieces(wire, vector.data + SECOND, piece)
        answers = [wire.answer() for _ in vector.statuses]
        assert tuple(answer.status for answer in answers) == vector.statuses
        if len(answers) == 1:
            assert answers[0].headers["connection"] == "close"
            assert wire.read_to_end() == b""
    assert hop.upstream.begun == hop.seen == vector.upstream
    for got in hop.upstream.requests:
        assert b"content_length" not in got.head.lower()
        assert b"upgrade" not in got.head.lower()
    hop.still_works()


@pytest.mark.parametrize(
    ("what", "first", "status", "executed"),
    [
        ("a wrong key", post(key="sk-wrong"), 401, 0),
        ("an unknown path", post("/v1/nothing", b"{}"), 404, 0),
        ("another type", post(CHAT, DATA).replace(b"application/json", b"text/plain"), 415, 0),
        # Their bodies were read to the end: the connection is in step.
        ("broken JSON", post(CHAT, b'{"model":'), 400, 1),
        ("an unknown model", post(CHAT, b'{"model":"nobody/knows"}'), 404, 1),
    ],
)
def test_what_follows_a_rejected_request_runs_only_if_the_connection_is_in_step(
    hop: Hop, what: str, first: bytes, status: int, executed: int
) -> None:
    with hop.connect() as wire:
        wire.send(first + SECOND)
        refused = wire.answer()
        assert refused.status == status, what
        if refused.headers.get("connection") == "close":
            assert wire.read_to_end() == b""
        else:
            assert wire.answer().status == 200
            assert executed == 1
    assert hop.seen == executed


def test_a_body_that_is_itself_a_request_is_never_executed(hop: Hop) -> None:
    smuggled = post(data=body(text="smuggled"))
    with hop.connect() as wire:
        wire.send(post(CHAT, smuggled) + SECOND)
        assert wire.answer().status == 400
        assert wire.answer().status == 200
    assert [b"smuggled" in got.body for got in hop.upstream.requests] == [False]
