"""What an attacker's byte costs the gateway, in memory and in processor time, route by route (B33).

Memory: growth of the resident set while the attack is held, over the bytes sent; each TCP
connection counts as 180 bytes more, the headers of its handshake. Processor: time per byte sent,
over that of good requests in the same run, which is what anybody with a key may spend. Envoy calls
a ratio above 100 a vulnerability; so do we.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import hpack

from tests.support.frames import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    RST_STREAM,
    Frames,
    block,
    frame,
    get,
)
from tests.support.hop import CHAT, KEY, Hop, body, post
from tests.support.wire import Wire

RATIO_MAX = 100.0
HANDSHAKE_BYTES = 180
SETTLE_S = 0.3
QUIET_KIB = 512
"""Growth below this is what any process does."""


@dataclass
class Cost:
    """What was spent on both sides."""

    sent_bytes: int
    resident_bytes: int
    cpu_s: float

    @property
    def memory_ratio(self) -> float:
        """Bytes held for each byte sent."""
        return max(0, self.resident_bytes - QUIET_KIB * 1024) / self.sent_bytes

    @property
    def ns_per_byte(self) -> float:
        """Processor time for each byte sent, nanoseconds."""
        return self.cpu_s * 1e9 / self.sent_bytes


Attack = Callable[[Hop, contextlib.ExitStack], int]
"""Does it, leaves everything open on the stack, and returns the number of bytes it sent."""


def connections(hop: Hop, held: contextlib.ExitStack, data: bytes, count: int) -> int:
    """The same bytes on many connections."""
    for _ in range(count):
        wire = held.enter_context(Wire(hop.running.address))
        with contextlib.suppress(OSError):
            wire.send(data)
    return count * (HANDSHAKE_BYTES + len(data))


def streams(hop: Hop, held: contextlib.ExitStack, pieces: Iterator[bytes]) -> int:
    """Frames on one connection, until it is closed."""
    client = held.enter_context(Frames(hop.running.address))
    sent = HANDSHAKE_BYTES
    for piece in pieces:
        if client.ended or not client.send(piece):
            break
        sent += len(piece)
        for _ in client.frames(0):
            pass
    return sent


def together(data: bytes, count: int) -> Iterator[bytes]:
    """One frame many times, a hundred at once."""
    for _ in range(count // 100):
        yield data * 100


def good_requests(hop: Hop, held: contextlib.ExitStack) -> int:
    """The control."""
    wire = held.enter_context(hop.connect())
    for _ in range(500):
        wire.send(post())
        assert wire.answer().status == 200
    return 500 * len(post())


def idle(hop: Hop, held: contextlib.ExitStack) -> int:
    """Connections that say nothing."""
    return connections(hop, held, b"", 1000)


def begun_heads(hop: Hop, held: contextlib.ExitStack) -> int:
    """Heads that do not end."""
    return connections(hop, held, post()[:40], 1000)


def long_heads(hop: Hop, held: contextlib.ExitStack) -> int:
    """Heads of 60 KB that do not end."""
    return connections(hop, held, b"GET / HTTP/1.1\r\nHost: edge\r\nX: " + b"x" * 60_000, 100)


def many_fields(hop: Hop, held: contextlib.ExitStack) -> int:
    """Heads of as many fields as there may be."""
    return connections(hop, held, b"GET / HTTP/1.1\r\nHost: edge\r\n" + b"a:b\r\n" * 120, 500)


def announced_bodies(hop: Hop, held: contextlib.ExitStack) -> int:
    """Large bodies, announced and not sent, with a key."""
    data = post(CHAT, b"").replace(b"Content-Length: 0", b"Content-Length: 33000000") + b"{"
    return connections(hop, held, data, 500)


def small_chunks(hop: Hop, held: contextlib.ExitStack) -> int:
    """A body in chunks of one byte."""
    head = post(CHAT, b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    return connections(hop, held, head + b"1\r\nx\r\n" * 50_000, 5)


def wrong_keys(hop: Hop, held: contextlib.ExitStack) -> int:
    """Guesses of keys."""
    data = post(key="sk-guess-guess-guess-guess") * 100
    return connections(hop, held, data, 20)


def unknown_paths(hop: Hop, held: contextlib.ExitStack) -> int:
    """The shortest requests there are, in a row."""
    return connections(hop, held, b"GET /x HTTP/1.1\r\nHost: e\r\n\r\n" * 500, 20)


def deep_json(hop: Hop, held: contextlib.ExitStack) -> int:
    """A body of brackets."""
    data = b'{"model":"up/m","x":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    return connections(hop, held, post(CHAT, data), 5)


def many_keys(hop: Hop, held: contextlib.ExitStack) -> int:
    """A body of very many members."""
    data = b'{"model":"up/m",' + b",".join(b'"%x":1' % n for n in range(50_000)) + b"}"
    return connections(hop, held, post(CHAT, data), 5)


def h2_idle(hop: Hop, held: contextlib.ExitStack) -> int:
    """HTTP/2 connections without a stream."""
    for _ in range(300):
        held.enter_context(Frames(hop.running.address))
    return 300 * (HANDSHAKE_BYTES + 24 + 9)


def h2_waiting_streams(hop: Hop, held: contextlib.ExitStack) -> int:
    """Streams that wait for a body, with a key; later heads repeat the first one's."""
    fields = get(CHAT, ("authorization", f"Bearer {KEY}"), method="POST")
    sent = 0
    for _ in range(20):
        encoder = hpack.Encoder()
        pieces = (frame(HEADERS, END_HEADERS, n, encoder.encode(fields)) for n in range(1, 512, 2))
        sent += streams(hop, held, pieces)
    return sent


def h2_pings(hop: Hop, held: contextlib.ExitStack) -> int:
    """PING after PING."""
    return streams(hop, held, together(frame(PING, 0, 0, b"8 octets"), 50_000))


def h2_resets(hop: Hop, held: contextlib.ExitStack) -> int:
    """Streams that are reset at once."""
    fields = block(get("/v1/models"))
    return streams(
        hop,
        held,
        (
            frame(HEADERS, END_HEADERS | END_STREAM, n, fields)
            + frame(RST_STREAM, 0, n, b"\0\0\0\x08")
            for n in range(1, 20_000, 2)
        ),
    )


def h2_continuations(hop: Hop, held: contextlib.ExitStack) -> int:
    """A head that never ends."""

    def pieces() -> Iterator[bytes]:
        yield frame(HEADERS, END_STREAM, 1, block(get("/v1/models")))
        yield from together(frame(CONTINUATION, 0, 1, block([("a", "b")])), 50_000)

    return streams(hop, held, pieces())


def h2_hpack_bomb(hop: Hop, held: contextlib.ExitStack) -> int:
    """One octet for 4,000."""
    literal = bytes([0x40, 6]) + b"x-bomb" + b"\x7f\xa1\x1e" + b"b" * 4000

    def pieces() -> Iterator[bytes]:
        fields = block(get("/v1/models"))
        yield frame(HEADERS, END_HEADERS | END_STREAM, 1, fields + literal)
        for stream in range(3, 203, 2):
            yield frame(HEADERS, END_HEADERS | END_STREAM, stream, fields + b"\xbe" * 16_000)

    return streams(hop, held, pieces())


ATTACKS: list[Attack] = [
    idle,
    begun_heads,
    long_heads,
    many_fields,
    announced_bodies,
    small_chunks,
    wrong_keys,
    unknown_paths,
    deep_json,
    many_keys,
    h2_idle,
    h2_waiting_streams,
    h2_pings,
    h2_resets,
    h2_continuations,
    h2_hpack_bomb,
]


BOUNDS = {
    # Open only to callers with a key, and only for `limits.body_progress_ms`: a stream whose head
    # repeats the one before costs its client 15 bytes, and us a task and an exchange, some 5 KiB.
    # Streams in a connection and connections of an address are bounded by number instead.
    "h2_waiting_streams": 500.0,
}
"""Bounds of their own; `RATIO_MAX` for all others."""


def measure(hop: Hop, attack: Attack) -> Cost:
    """Run one attack and look what it cost while it is held."""
    hop.upstream.reset()
    before_kib, before_s = hop.running.resident_kib, hop.running.cpu_s
    with contextlib.ExitStack() as held:
        sent = attack(hop, held)
        time.sleep(SETTLE_S)
        cost = Cost(
            sent, (hop.running.resident_kib - before_kib) * 1024, hop.running.cpu_s - before_s
        )
    time.sleep(SETTLE_S)
    return cost


def warm(hop: Hop) -> None:
    """Have the gateway make what it makes once: buffers, pools, tables."""
    assert hop.ask(post(CHAT, body())).status == 200
    for attack in (good_requests, h2_waiting_streams, long_heads):
        measure(hop, attack)
