"""A stream that the mock was asked to cut."""

from collections import deque

import httpx2
import pytest

from tests.mock.asks import USER


def cut_stream(url: str) -> bytes:
    """What comes before a stream breaks off behind its third event with content, as it must."""
    asked = {"model": "cut?after=3", "messages": USER, "stream": True}
    seen = bytearray()
    with (
        httpx2.stream("POST", url, json=asked, timeout=20) as reply,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        deque(map(seen.extend, reply.iter_bytes()))
    return bytes(seen)
