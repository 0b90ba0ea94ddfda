"""HTTP/2 frames that cost the sender little: the connection ends, and nobody else waits.

Sources: CVE-2023-44487 (rapid reset), CVE-2025-8671 (MadeYouReset), VU#421644 (CONTINUATION),
CVE-2019-9511 to -9518 (PING, SETTINGS, empty frames, zero window), CVE-2016-6581 (HPACK bomb).
"""

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frames,
    block,
    frame,
    get,
)
from tests.support.hop import CHAT, KEY, Hop, body, post, start_hop
from tests.support.http2 import Http2
from tests.support.streams import EVENTS
from tests.support.upstream import AwaitClose, Pour, Read, Send, Upstream, chunk, stream_head

pytestmark = pytest.mark.behaviour("B19")

FRAMES = 100_000
AT_ONCE = 100
SEND_BUFFER = 32 * 1024
"""Left to itself the system lets megabytes wait here that nobody will ever read."""
FIELDS = get("/v1/models")
OPEN = END_HEADERS
WHOLE = END_HEADERS | END_STREAM


@pytest.fixture(scope="module")
def flooded_hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with Upstream() as upstream:
        limits = "limits: {write_stall_ms: 1000, idle_ms: 2000}"
        hop = start_hop(tmp_path_factory.mktemp("floods"), upstream, limits, "--workers", "1")
        yield hop
        hop.running.stop()


@pytest.fixture
def flooded(flooded_hop: Hop) -> Hop:
    flooded_hop.upstream.reset()
    return flooded_hop


def together(frames: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces of many frames, as an attacker would write them."""
    while some := list(itertools.islice(frames, AT_ONCE)):
        yield b"".join(some)


def streams() -> Iterator[int]:
    return iter(range(1, 2 * FRAMES, 2))


def rapid_reset() -> Iterator[bytes]:
    fields, cancel = block(FIELDS), (8).to_bytes(4)
    for stream in streams():
        yield frame(HEADERS, WHOLE, stream, fields) + frame(RST_STREAM, 0, stream, cancel)


def rapid_reset_one_by_one() -> Iterator[bytes]:
    """Each in a segment of its own, so that every stream has begun before it is reset."""
    yield from rapid_reset()


def made_you_reset() -> Iterator[bytes]:
    fields, nothing = block(get(CHAT, method="POST")), (0).to_bytes(4)
    for stream in streams():
        yield frame(HEADERS, OPEN, stream, fields) + frame(WINDOW_UPDATE, 0, stream, nothing)


def continuation() -> Iterator[bytes]:
    yield frame(HEADERS, END_STREAM, 1, block(FIELDS))
    more = block([("x-more", "and more")])
    for _ in range(FRAMES):
        yield frame(CONTINUATION, 0, 1, more)


def empty_continuation() -> Iterator[bytes]:
    yield frame(HEADERS, END_STREAM, 1, block(FIELDS))
    for _ in range(FRAMES):
        yield frame(CONTINUATION, 0, 1)


def settings() -> Iterator[bytes]:
    yield from itertools.repeat(frame(SETTINGS, 0, 0), FRAMES)


def ping() -> Iterator[bytes]:
    yield from itertools.repeat(frame(PING, 0, 0, b"8 octets"), FRAMES)


def priority() -> Iterator[bytes]:
    for stream in streams():
        yield frame(PRIORITY, 0, stream, (0).to_bytes(4) + b"\x01")


def empty_data() -> Iterator[bytes]:
    yield frame(HEADERS, OPEN, 1, block(get(CHAT, method="POST")))
    yield from itertools.repeat(frame(DATA, 0, 1), FRAMES)


def unknown() -> Iterator[bytes]:
    yield from itertools.repeat(frame(0xBE, 0, 0, b"?"), FRAMES)


ATTACKS: list[tuple[Callable[[], Iterator[bytes]], int]] = [
    (rapid_reset, AT_ONCE),
    (rapid_reset_one_by_one, 1),
    (made_you_reset, AT_ONCE),
    (continuation, AT_ONCE),
    (empty_continuation, AT_ONCE),
    (settings, AT_ONCE),
    (ping, AT_ONCE),
    (priority, AT_ONCE),
    (empty_data, AT_ONCE),
    (unknown, AT_ONCE),
]


class Healthy:
    """A client that asks one small thing after the other while a block runs."""

    def __init__(self, hop: Hop) -> None:
        self._hop = hop
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.took: list[float] = []

    def __enter__(self) -> "Healthy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        with self._hop.connect() as wire:
            while not self._stop.wait(0.002):
                began = time.monotonic()
                wire.send(post())
                assert wire.answer().status == 200
                self.took.append(time.monotonic() - began)

    @property
    def slowest(self) -> float:
        """The 99th of a hundred, seconds."""
        return statistics.quantiles(self.took, n=100)[98]


@pytest.mark.parametrize(("attack", "at_once"), ATTACKS, ids=[a.__name__ for a, _ in ATTACKS])
def test_a_flood_ends_its_connection_and_disturbs_nobody(
    flooded: Hop, attack: Callable[[], Iterator[bytes]], at_once: int
) -> None:
    before_kib = flooded.running.resident_kib
    address = flooded.running.address
    with Healthy(flooded) as healthy, Frames(address, send_buffer=SEND_BUFFER) as attacker:
        busy_s = flooded.running.cpu_s
        pieces = attack() if at_once == 1 else together(attack())
        taken = attacker.flood(pieces) * at_once
        busy_s = flooded.running.cpu_s - busy_s
        assert attacker.ended, f"{taken} frames were taken and the connection is open"
        # What socket buffers hold goes down with the connection; only the beginning was read.
        assert taken < FRAMES / 2
        time.sleep(0.3)
    assert len(healthy.took) >= 20
    assert healthy.slowest < 0.1
    assert busy_s < 1.5
    assert flooded.running.resident_kib - before_kib < 16 * 1024


def test_an_hpack_bomb_is_not_unpacked(flooded: Hop) -> None:
    # 4,000 octets into the dynamic table, then two octets for each time they are meant.
    value = b"b" * 4000
    name = bytes([0x40, 6]) + b"x-bomb"
    literal = name + b"\x7f" + bytes([0x80 | (4000 - 127) & 0x7F, (4000 - 127) >> 7]) + value
    before_kib = flooded.running.resident_kib
    with Healthy(flooded) as healthy, Frames(flooded.running.address) as attacker:
        attacker.send(frame(HEADERS, WHOLE, 1, block(FIELDS) + literal))
        refused = 0
        for stream in range(3, 203, 2):
            if not attacker.send(frame(HEADERS, WHOLE, stream, block(FIELDS) + b"\xbe" * 16_000)):
                break
        for kind, _, _, payload in attacker.frames(3):
            if kind == HEADERS and payload:
                refused += 1
            if kind in {GOAWAY, RST_STREAM}:
                refused += 1
            if refused > 100:
                break
        assert refused or attacker.ended
        time.sleep(0.3)
    # 100 x 16,000 x 4,000 octets would be 6 GB.
    assert flooded.running.resident_kib - before_kib < 24 * 1024
    assert healthy.slowest < 0.1


def test_windows_that_stay_shut_cost_their_streams_and_not_the_connection(flooded: Hop) -> None:
    flooded.upstream.always(
        Read(), Send(stream_head()), Pour(chunk(EVENTS["chat"][1] * 200), 64 << 20), AwaitClose()
    )
    before_kib = flooded.running.resident_kib
    key = ("authorization", f"Bearer {KEY}")
    asked = block(get(CHAT, key, ("content-type", "application/json"), method="POST"))
    data = body(stream=True)
    numbers = range(1, 101, 2)
    with Frames(flooded.running.address, {INITIAL_WINDOW_SIZE: 0}) as attacker:
        for stream in numbers:
            attacker.send(frame(HEADERS, OPEN, stream, asked))
            attacker.send(frame(DATA, END_STREAM, stream, data))
        flooded.upstream.wait_for(requests=len(numbers))
        reset = set()
        for kind, _, stream, _ in attacker.frames(8):
            if kind == RST_STREAM:
                reset.add(stream)
            if len(reset) == len(numbers):
                break
        assert reset == set(numbers)
        assert flooded.running.resident_kib - before_kib < len(numbers) * 256 + 8 * 1024
        # The connection is as good as before.
        attacker.send(frame(PING, 0, 0, b"alive? ?"))
        assert any(
            kind == PING and payload == b"alive? ?" for kind, _, _, payload in attacker.frames(2)
        )
    flooded.upstream.wait_for(cancelled=len(numbers))


def test_a_client_that_stops_reading_loses_that_stream_only(flooded: Hop) -> None:
    flooded.upstream.once(
        Read(), Send(stream_head()), Pour(chunk(EVENTS["chat"][1] * 200), 256 << 20), AwaitClose()
    )
    auth = ("authorization", f"Bearer {KEY}")
    with Http2(flooded.running.address, window=2000) as client:
        stalled = client.request(CHAT, body(stream=True), auth)
        client.wait_for(stalled, EVENTS["chat"][1])
        for _ in range(15):
            assert client.answer(client.request("/livez", b"", method="GET")).status == 200
            time.sleep(0.1)
        assert client.answer(stalled).reset_code == 8
        assert client.answer(client.request(CHAT, body(), auth)).body == b"{}"
    flooded.upstream.wait_for(cancelled=1)
    metrics = flooded.running.scrape()
    assert metrics["llm_edge_stalled_streams_total"] >= 1


def test_streams_beyond_the_bound_are_refused(flooded: Hop) -> None:
    # With the key, so that each waits for a body that never comes.
    fields = block(get(CHAT, ("authorization", f"Bearer {KEY}"), method="POST"))
    with Frames(flooded.running.address) as attacker:
        for stream in range(1, 2 * 400, 2):
            attacker.send(frame(HEADERS, OPEN, stream, fields))
        refused = set()
        for kind, _, stream, payload in attacker.frames(3):
            if kind == RST_STREAM and int.from_bytes(payload) == 7:
                refused.add(stream)
            if kind == GOAWAY:
                break
            if len(refused) >= 100:
                break
        assert len(refused) >= 100 or attacker.ended
    flooded.still_works()


def test_the_ordinary_cancels_of_a_busy_client_are_no_flood(
    tmp_path: Path, upstream: Upstream
) -> None:
    hop = start_hop(tmp_path / "busy", upstream, "", "--workers", "1")
    auth = ("authorization", f"Bearer {KEY}")
    with Http2(hop.running.address) as client:
        for _ in range(5):
            hop.upstream.always(Read(), AwaitClose())
            sent = [client.request(CHAT, body(stream=True), auth) for _ in range(40)]
            hop.upstream.wait_for(requests=40)
            for number in sent:
                client.reset(number)
            hop.upstream.reset()
        assert client.answer(client.request(CHAT, body(), auth)).status == 200
    hop.running.stop()
