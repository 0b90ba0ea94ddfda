"""A reply that is compressed although none was asked for is passed on as it came."""

import gzip
import threading
import time
import zlib

import httpx2
import pytest

from tests.support.hop import CHAT, Hop, body, post
from tests.support.packed import BOMB, PARTS, ZSTD_BOMB
from tests.support.streams import EVENTS, whole
from tests.support.upstream import Close, Pause, Read, Send, Wait, chunk, reply, stream_head

pytestmark = pytest.mark.behaviour("B09")


def flushed(events: list[bytes]) -> list[bytes]:
    """A gzip stream with a flush after every event."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in events]
    return [*parts, packer.flush()]


def test_nothing_but_identity_is_asked_for(hop: Hop) -> None:
    hop.ask(post(CHAT, body(), "Accept-Encoding: gzip, br, zstd"))
    (got,) = hop.upstream.requests
    assert got.headers["accept-encoding"] == "identity"


def test_a_compressed_document_keeps_its_bytes_and_its_fields(hop: Hop) -> None:
    packed = gzip.compress(b'{"a":"%s"}' % (b"x" * 100_000))
    hop.upstream.always(Read(), Send(reply(packed, "200 OK", "Content-Encoding: gzip")))
    answer = hop.ask(post())
    assert answer.body == packed
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(packed)


@pytest.mark.parametrize("piece", [0, 1, 13])
def test_a_compressed_stream_keeps_its_bytes(hop: Hop, piece: int) -> None:
    parts = flushed(EVENTS["chat"])
    data = stream_head("Content-Encoding: gzip") + b"".join(map(chunk, parts)) + chunk(b"")
    hop.upstream.always(Read(), Send(data, piece))
    answer = hop.ask(post(data=body(stream=True)))
    assert answer.complete
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body) == whole("chat")


def test_a_compressed_stream_that_breaks_off_does_not_end_whole(hop: Hop) -> None:
    parts = flushed(EVENTS["chat"])[:3]
    data = stream_head("Content-Encoding: gzip") + b"".join(map(chunk, parts))
    hop.upstream.always(Read(), Send(data), Pause(0.05), Close())
    answer = hop.ask(post(data=body(stream=True)))
    assert answer.status == 502 or not answer.complete
    # Text between compressed bytes would garble what came before.
    assert b"error" not in answer.body or answer.status == 502


def test_a_bomb_is_passed_on_unopened(hop: Hop) -> None:
    packed = gzip.compress(bytes(64 << 20))
    hop.upstream.always(Read(), Send(reply(packed, "200 OK", "Content-Encoding: gzip")))
    before = hop.running.resident_kib
    assert hop.ask(post()).body == packed
    assert hop.running.resident_kib - before < 16 << 10


def output_tokens(hop: Hop) -> float:
    with httpx2.Client(trust_env=False) as client:
        lines = client.get(f"{hop.running.metrics}/metrics").text.splitlines()
    counts = (line for line in lines if line.startswith("llm_edge_tokens_total{"))
    return sum(float(line.split()[-1]) for line in counts if 'type="output"' in line)


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("coding", PARTS)
def test_a_stream_in_any_coding_keeps_its_bytes_and_its_tokens_are_counted(
    hop: Hop, coding: str, piece: int
) -> None:
    before = output_tokens(hop)
    parts = PARTS[coding]
    data = stream_head(f"Content-Encoding: {coding}") + b"".join(map(chunk, parts)) + chunk(b"")
    hop.upstream.always(Read(), Send(data, piece))
    answer = hop.ask(post(data=body(stream=True)))
    assert answer.complete
    assert answer.body == b"".join(parts)
    assert answer.values("content-encoding") == [coding]
    assert answer.values("content-length") == []
    assert output_tokens(hop) == before + 7


@pytest.mark.parametrize("coding", ["gzip", *PARTS])
def test_what_is_flushed_after_an_event_is_passed_on_at_once(hop: Hop, coding: str) -> None:
    first, *rest = flushed(EVENTS["chat"]) if coding == "gzip" else PARTS[coding]
    go_on = threading.Event()
    head = stream_head(f"Content-Encoding: {coding}")
    end = Send(b"".join(map(chunk, rest)) + chunk(b""))
    hop.upstream.once(Read(), Send(head + chunk(first)), Wait(go_on), end)
    with hop.connect() as wire:
        wire.send(post(data=body(stream=True)))
        wire.read_until(b"\r\n\r\n")
        assert wire.read_until(first)
        go_on.set()
        assert wire.read_until(b"0\r\n\r\n")


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_in_a_stream_is_passed_on_and_not_unpacked_to_its_end(hop: Hop, coding: str) -> None:
    # Half a GiB in eight members: of 64 MiB the end would be reached in time.
    gzipped = gzip.compress(b"x" * (64 << 20)) * 8
    packed = {"gzip": gzipped, "br": BOMB, "zstd": ZSTD_BOMB}[coding]
    data = stream_head(f"Content-Encoding: {coding}") + chunk(packed) + chunk(b"")
    hop.upstream.always(Read(), Send(data))
    hop.ask(post(data=body(stream=True)))
    before, began = hop.running.resident_kib, time.monotonic()
    for _ in range(20):
        answer = hop.ask(post(data=body(stream=True)))
        assert answer.body == packed
    # Unpacking any of them 20 times takes longer than this even without looking at it.
    assert time.monotonic() - began < 5
    assert hop.running.resident_kib - before < 16 << 10
