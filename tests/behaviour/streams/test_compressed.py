"""A reply that is compressed although none was asked for is passed on as it came."""

import gzip
import zlib

import pytest

from tests.support.hop import CHAT, Hop, body, post
from tests.support.streams import EVENTS, whole
from tests.support.upstream import Close, Pause, Read, Send, chunk, reply, stream_head

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
