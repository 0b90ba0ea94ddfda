"""The bytes between the gateway and its origins: relayed, kept, and read by a parser of our own.

It is stricter than any server and shares no code with the gateway: what it does not understand
counts as bytes left over, which is a mismatch.
"""

import asyncio
import contextlib
import hashlib
import re
from dataclasses import dataclass, field

REPLY = b'{"choices":[]}'
_STATUS = re.compile(rb"HTTP/1\.[01] (?!1\d\d)\d\d\d")
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_FIRST = re.compile(rb"([A-Z]+) (/[\x21-\x7e]*) HTTP/1\.1")


@dataclass(frozen=True)
class Request:
    """One request: what it is, and a digest of its body."""

    method: str
    path: str
    ident: str
    digest: str

    @classmethod
    def of(cls, method: str, target: str, ident: str, body: bytes) -> "Request":
        """With the body's digest, and without a query."""
        path = target.partition("?")[0]
        return cls(method, path, ident or "-", hashlib.sha256(body).hexdigest())


class NotARequestError(ValueError):
    """The bytes at the front are no request this parser would take."""


def take(data: bytearray) -> Request | None:
    """Take one request off the front; None while it is not all there."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = bytes(data[:end]).split(b"\r\n")
    asked = _FIRST.fullmatch(first)
    matched = [_LINE.fullmatch(line) for line in lines]
    if asked is None or None in matched:
        raise NotARequestError(bytes(data[:200]))
    found = [(m[1].lower(), m[2].strip()) for m in matched if m]
    framing = [one for one in found if one[0] in {b"content-length", b"transfer-encoding"}]
    ident = next((value for name, value in found if name == b"x-request-id"), b"").decode("latin-1")
    match framing:
        case []:
            at, body = end + 4, b""
        case [(b"content-length", digits)] if re.fullmatch(rb"0|[1-9]\d{0,17}", digits):
            at = end + 4 + int(digits)
            body = bytes(data[end + 4 : at])
        case [(b"transfer-encoding", b"chunked")]:
            return _unchunk(data, end + 4, asked, ident)
        case _:
            raise NotARequestError(bytes(data[:200]))
    if len(data) < at:
        return None
    del data[:at]
    return Request.of(asked[1].decode(), asked[2].decode(), ident, body)


def _unchunk(data: bytearray, at: int, asked: re.Match[bytes], ident: str) -> Request | None:
    body = b""
    while True:
        line = data.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(bytes(data[at:line]), 16)
        at = line + 2
        if len(data) < at + size + 2:
            return None
        if data[at + size : at + size + 2] != b"\r\n":
            raise NotARequestError(bytes(data[:200]))
        body += data[at : at + size]
        at += size + 2
        if size == 0:
            del data[:at]
            return Request.of(asked[1].decode(), asked[2].decode(), ident, body)


@dataclass
class Record:
    """What passed on the way to one origin."""

    sent: list[Request] = field(default_factory=list)
    """Requests, as this parser finds them in what the gateway wrote."""
    leftovers: list[bytes] = field(default_factory=list)
    """Bytes at the end of a connection, or where it stopped to make sense."""
    replies: int = 0
    """Final replies the origin gave, to whatever its own parser took for a request."""
    connections: int = 0


class Tee:
    """Listens in front of an origin, relays, and records."""

    def __init__(self, port: int, record: Record) -> None:
        self._port = port
        self._record = record

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the gateway's."""
        record = self._record
        record.connections += 1
        data, answered = bytearray(), bytearray()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                await _first_done(
                    _relay(reader, back_writer, data), _relay(back_reader, writer, answered)
                )
            finally:
                back_writer.close()
                writer.close()
        record.replies += len(_STATUS.findall(answered))
        try:
            while (request := take(data)) is not None:
                record.sent.append(request)
        except NotARequestError:
            pass
        if data:
            record.leftovers.append(bytes(data))


class Recorder:
    """An origin of our own: it answers what the strict parser takes, and records it."""

    def __init__(self, seen: list[Request], broken: list[bytes]) -> None:
        self._seen = seen
        self._broken = broken

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        data = bytearray()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        # Cancelled when the run is over.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while piece := await reader.read(1 << 16):
                data += piece
                try:
                    while (request := take(data)) is not None:
                        self._seen.append(request)
                        writer.write(head % len(REPLY) + REPLY)
                except NotARequestError:
                    break
                await writer.drain()
        if data:
            self._broken.append(bytes(data))
        writer.close()


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray
) -> None:
    while piece := await reader.read(1 << 16):
        kept += piece
        writer.write(piece)
        await writer.drain()


async def _first_done(*relays: "asyncio.Future[None] | object") -> None:
    tasks = [asyncio.ensure_future(relay) for relay in relays]  # type: ignore[arg-type]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    # What an origin says to bytes it was not asked about comes late.
    await asyncio.wait(tasks, timeout=0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
