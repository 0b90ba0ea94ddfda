"""HTTP/2 frame by frame (RFC 9113 §4, §6), for clients that no library would let misbehave so."""

import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(6, 10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 3, 4
READ_S = 10.0


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(fields: Sequence[tuple[str, str]]) -> bytes:
    """A header block that leaves nothing in the dynamic table, so that it may be sent again."""
    encoder = hpack.Encoder()
    return encoder.encode([hpack.NeverIndexedHeaderTuple(*field) for field in fields])


def get(path: str, *fields: tuple[str, str], method: str = "GET") -> list[tuple[str, str]]:
    """The fields of a request."""
    pseudo = [(":method", method), (":scheme", "http"), (":path", path)]
    return [*pseudo, (":authority", "gateway.test"), *fields]


class Frames:
    """One connection by prior knowledge; settings are exchanged, nothing else is done by itself."""

    def __init__(
        self,
        address: tuple[str, int],
        settings: Mapping[int, int] | None = None,
        *,
        receive_buffer: int | None = None,
        send_buffer: int | None = None,
    ) -> None:
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if send_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self._socket.settimeout(READ_S)
        self._socket.connect(address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.ended = False
        said = b"".join(struct.pack(">HI", *one) for one in (settings or {}).items())
        self.send(PREFACE + frame(SETTINGS, 0, 0, said))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> bool:
        """Write all of it; False when the peer has gone."""
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise
        except OSError:
            self.ended = True
        return not self.ended

    def frames(self, seconds: float = READ_S) -> Iterator[tuple[int, int, int, bytes]]:
        """Type, flags, stream and payload of what comes, until the end or for so long."""
        until = time.monotonic() + seconds
        while True:
            while len(self._buffer) >= 9:
                length = int.from_bytes(self._buffer[:3])
                if len(self._buffer) < 9 + length:
                    break
                kind, flags, stream = struct.unpack(">BBI", self._buffer[3:9])
                payload = self._buffer[9 : 9 + length]
                self._buffer = self._buffer[9 + length :]
                if kind == SETTINGS and not flags & ACK:
                    self.send(frame(SETTINGS, ACK, 0))
                yield kind, flags, stream, payload
            left = until - time.monotonic()
            if left <= 0 or not self._more(left):
                return

    def flood(self, pieces: Iterator[bytes], seconds: float = READ_S) -> int:
        """Write the pieces, reading beside, until the peer closes; how many were taken."""
        until = time.monotonic() + seconds
        sent = 0
        for piece in pieces:
            if self.ended or time.monotonic() > until or not self.send(piece):
                return sent
            sent += 1
            while self._more(0):
                self._buffer = b""
        # What is under way now may still be its end.
        while not self.ended and time.monotonic() < until and self._more(0.5):
            self._buffer = b""
        return sent

    def _more(self, seconds: float) -> bool:
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(1 << 16)
        except (TimeoutError, BlockingIOError):
            return False
        except OSError:
            data = b""
        finally:
            self._socket.settimeout(READ_S)
        self.ended = self.ended or not data
        self._buffer += data
        return bool(data)
