"""Amazon's binary event streams, written. Source: AWS "Event stream encoding"."""

import struct
import zlib

import msgspec

__all__ = ["MEDIA_TYPE", "frame"]

MEDIA_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7


def frame(kind: str, payload: object, *, exception: bool = False) -> bytes:
    """One message: an event of that type, or an exception."""
    named = ":exception-type" if exception else ":event-type"
    headers = b"".join(
        _header(name, value)
        for name, value in (
            (named, kind),
            (":content-type", "application/json"),
            (":message-type", "exception" if exception else "event"),
        )
    )
    body = msgspec.json.encode(payload)
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    checked = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return checked + struct.pack(">I", zlib.crc32(checked))


def _header(name: str, value: str) -> bytes:
    return (
        bytes([len(name)])
        + name.encode()
        + bytes([_STRING])
        + struct.pack(">H", len(value.encode()))
        + value.encode()
    )
