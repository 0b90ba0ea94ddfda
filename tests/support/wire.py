"""A client that sends exactly the bytes it is given, for requests that no library would send."""

import fcntl
import select
import socket
import ssl
import struct
import termios
import time
from dataclasses import dataclass
from typing import Self

READ_S = 10.0


@dataclass(frozen=True)
class Answer:
    """One reply, taken apart; `complete` says whether it ended as its framing announced."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool
    lines: tuple[str, ...] = ()
    """The header lines as they came, repeated ones too."""

    def values(self, name: str) -> list[str]:
        """The values of each field of that name, in order."""
        fields = (line.partition(":") for line in self.lines)
        return [value.strip() for key, _, value in fields if key.lower() == name]


class Wire:
    """One connection to `address`, from the address `source` if one is named."""

    def __init__(
        self,
        address: tuple[str, int],
        tls: ssl.SSLContext | None = None,
        *,
        source: str | None = None,
    ) -> None:
        own = None if source is None else (source, 0)
        self._socket: socket.socket = socket.create_connection(address, READ_S, own)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname=address[0])
        self._buffer = b""
        self._ended = self._reset = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Write all of it."""
        self._socket.sendall(data)

    def wait_until_received(self) -> None:
        """Wait until the peer's system has all that was sent, read by the peer or not."""
        deadline = time.monotonic() + READ_S
        while unsent := struct.unpack(
            "i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, struct.pack("i", 0))
        )[0]:
            assert time.monotonic() < deadline, f"{unsent} bytes have no room at the peer"
            time.sleep(0.005)

    def reset(self) -> None:
        """Close with a reset, without a goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def readable_within(self, seconds: float) -> bool:
        """Whether something, or the end, has come by then."""
        return bool(self._buffer) or bool(select.select([self._socket], [], [], seconds)[0])

    def send_end(self) -> None:
        """Close our half: the peer sees the end of what we send."""
        self._socket.shutdown(socket.SHUT_WR)

    def read_until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`; fails when the peer ends first."""
        while mark not in self._buffer:
            assert self._more(), f"the peer ended before {mark!r}; had {self._buffer[-300:]!r}"
        cut = self._buffer.index(mark) + len(mark)
        found, self._buffer = self._buffer[:cut], self._buffer[cut:]
        return found

    def ended(self) -> bool:
        """Whether the peer has ended the connection, everything it sent being read."""
        return not self._buffer and not self._more()

    @property
    def was_reset(self) -> bool:
        """Whether the peer ended the connection by a reset."""
        return self._reset

    def read_to_end(self) -> bytes:
        """Everything until the peer closes or resets."""
        while self._more():
            pass
        rest, self._buffer = self._buffer, b""
        return rest

    def answer(self, *, head_only: bool = False) -> Answer:
        """The next final reply; `head_only` when it answers a HEAD."""
        status = 100
        while status < 200:
            lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])
        }
        body, complete = (b"", True) if head_only else self._body(status, headers)
        return Answer(status, headers, body, complete, tuple(lines[1:-2]))

    def _body(self, status: int, headers: dict[str, str]) -> tuple[bytes, bool]:
        if status in {204, 304}:
            return b"", True
        if "chunked" in headers.get("transfer-encoding", ""):
            return self._chunked()
        if "content-length" in headers:
            length = int(headers["content-length"])
            while len(self._buffer) < length and self._more():
                pass
            body, self._buffer = self._buffer[:length], self._buffer[length:]
            return body, len(body) == length
        return self.read_to_end(), True

    def _chunked(self) -> tuple[bytes, bool]:
        body = b""
        try:
            while size := int(self.read_until(b"\r\n").split(b";")[0], 16):
                while len(self._buffer) < size + 2 and self._more():
                    pass
                body += self._buffer[:size]
                if len(self._buffer) < size + 2:
                    return body, False
                self._buffer = self._buffer[size + 2 :]
            self.read_until(b"\r\n")
        except AssertionError:
            return body, False
        return body, True

    def _more(self) -> bool:
        if self._ended:
            return False
        try:
            data = self._socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data, self._reset = b"", True
        self._ended = not data
        self._buffer += data
        return bool(data)


def exchange(address: tuple[str, int], data: bytes) -> bytes:
    """Send `data` on a connection of its own, end our half, and return all that comes back."""
    with Wire(address) as wire:
        wire.send(data)
        wire.send_end()
        return wire.read_to_end()


def request(path: str, body: bytes = b"", *fields: str, method: str = "POST") -> bytes:
    """A well-formed request with a length; `fields` are further header lines."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: gateway.test",
        f"Content-Length: {len(body)}",
        *fields,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
