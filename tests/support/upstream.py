"""A TCP server that does exactly what a test scripts, for faults that no honest server has.

It shares no code with the gateway. A script is the list of actions for one exchange; `once` queues
scripts for the next exchanges, `always` is what happens when none is queued. Everything received is
kept.
"""

import contextlib
import socket
import ssl
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Self

ACTION_S = 10.0
REQUEST_BYTES_MAX = 64 << 20


@dataclass(frozen=True)
class Read:
    """Read one whole request; the exchange ends here if the peer closes first."""


@dataclass(frozen=True)
class Send:
    """Write these bytes, in pieces of `piece` bytes if it is not 0."""

    data: bytes
    piece: int = 0


@dataclass(frozen=True)
class Pause:
    """Do nothing for so long, or until the server is stopped."""

    seconds: float


@dataclass(frozen=True)
class Wait:
    """Do nothing until the test sets the event."""

    event: threading.Event


@dataclass(frozen=True)
class AwaitClose:
    """Wait until the peer closes or resets; then `Upstream.cancelled` is one higher."""

    seconds: float = ACTION_S


@dataclass(frozen=True)
class Pour:
    """Write `data` again and again until the peer takes nothing for `stall_s`.

    `Upstream.poured` is then the number of bytes that were taken.
    """

    data: bytes
    bytes_max: int
    stall_s: float = 0.5


@dataclass(frozen=True)
class Close:
    """Close in order (FIN)."""


@dataclass(frozen=True)
class Reset:
    """Close with a reset (RST)."""


Action = Read | Send | Pour | Pause | Wait | AwaitClose | Close | Reset


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    head: bytes
    body: bytes
    connection: int

    @property
    def request_line(self) -> str:
        """Method, target, version."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """Field names in lower case; a repeated field is joined by a comma."""
        fields: dict[str, str] = {}
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            if name:
                key, text = name.lower(), value.strip()
                fields[key] = f"{fields[key]}, {text}" if key in fields else text
        return fields


@dataclass
class Upstream:
    """The server. Use it as a context manager, or through the fixture `upstream`."""

    requests: list[Received] = field(default_factory=list)
    begun: int = 0
    """Exchanges of which at least one byte arrived, whole requests or not."""
    cancelled: int = 0
    connections: int = 0
    poured: int = 0
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 0

    def __post_init__(self) -> None:
        self._always: tuple[Action, ...] = (Read(), Send(reply(b"{}")))
        self._queued: deque[tuple[Action, ...]] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(
            (self.host, self.port),
            family=socket.AF_INET6 if ":" in self.host else socket.AF_INET,
            backlog=512,
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port, *_ = self._listener.getsockname()
        return str(host), int(port)

    @property
    def open_connections(self) -> int:
        """Connections that are open now."""
        with self._changed:
            return len(self._open)

    @property
    def url(self) -> str:
        """Base URL, without a path."""
        host, port = self.address
        return f"{'https' if self.tls else 'http'}://{host}:{port}"

    def always(self, *actions: Action) -> None:
        """What happens in each exchange for which nothing is queued."""
        with self._changed:
            self._always = actions

    def reset(self) -> None:
        """Forget every script and everything that was seen."""
        with self._changed:
            self._always = (Read(), Send(reply(b"{}")))
            self._queued.clear()
            self.requests.clear()
            self.begun = self.cancelled = self.poured = 0

    def once(self, *actions: Action) -> None:
        """Queue the script of one exchange."""
        with self._changed:
            self._queued.append(actions)

    def wait_for(
        self, *, requests: int = 0, cancelled: int = 0, timeout_s: float = ACTION_S
    ) -> None:
        """Wait until so many whole requests and cancellations were seen."""

        def enough() -> bool:
            return len(self.requests) >= requests and self.cancelled >= cancelled

        with self._changed:
            seen = self._changed.wait_for(enough, timeout_s)
            assert seen, f"saw {len(self.requests)} requests and {self.cancelled} cancellations"

    def pause(self, seconds: float) -> None:
        """Let time pass in the test, for what shows itself only by not happening."""
        self._stopping.wait(seconds)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="upstream", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # A close alone does not wake the thread that sits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self.connections += 1
                number = self.connections
                self._open.add(connection)
            threading.Thread(
                target=self._serve,
                args=(connection, number),
                name=f"upstream-{number}",
                daemon=True,
            ).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(ACTION_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls:
                connection = self._handshake(connection, self.tls)
            reader = _Reader(connection)
            while not self._stopping.is_set() and self._exchange(connection, reader, number):
                pass
        except OSError:
            # The peer went away in the middle of an action: what was seen until then is recorded.
            pass
        finally:
            with self._changed:
                self._open.discard(connection)
            connection.close()

    def _handshake(self, connection: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        # Nobody may close the bare socket behind the wrapped one.
        with self._changed:
            self._open.discard(connection)
        wrapped = tls.wrap_socket(connection, server_side=True)
        with self._changed:
            self._open.add(wrapped)
        return wrapped

    def _exchange(self, connection: socket.socket, reader: "_Reader", number: int) -> bool:
        # A script is taken only when a byte has come: an idle connection must not eat one.
        if not reader.peek():
            return False
        with self._changed:
            self.begun += 1
            script = self._queued.popleft() if self._queued else self._always
        return all(self._act(action, connection, reader, number) for action in script)

    def _act(
        self, action: Action, connection: socket.socket, reader: "_Reader", number: int
    ) -> bool:
        """Do one action; False ends the connection."""
        match action:
            case Read():
                return self._read(reader, number)
            case Send(data, piece):
                for cut in range(0, len(data), piece or max(len(data), 1)):
                    connection.sendall(data[cut : cut + (piece or len(data))])
            case Pour(data, bytes_max, stall_s):
                self._pour(connection, data, bytes_max, stall_s)
            case Pause(seconds):
                self._stopping.wait(seconds)
            case Wait(event):
                event.wait(ACTION_S)
            case AwaitClose(seconds):
                self._await_close(connection, seconds)
                return False
            case Close():
                return False
            case Reset():
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
        return True

    def _pour(self, connection: socket.socket, data: bytes, bytes_max: int, stall_s: float) -> None:
        connection.settimeout(stall_s)
        taken = 0
        try:
            while taken < bytes_max:
                taken += connection.send(data)
        except TimeoutError:
            pass
        finally:
            connection.settimeout(ACTION_S)
            with self._changed:
                self.poured = taken
                self._changed.notify_all()

    def _read(self, reader: "_Reader", number: int) -> bool:
        got = reader.request()
        if got is None:
            return False
        with self._changed:
            self.requests.append(Received(*got, connection=number))
            self._changed.notify_all()
        return True

    def _await_close(self, connection: socket.socket, seconds: float) -> None:
        connection.settimeout(seconds)
        try:
            gone = not connection.recv(1)
        except TimeoutError:
            gone = False
        except OSError:
            gone = True
        if gone and not self._stopping.is_set():
            with self._changed:
                self.cancelled += 1
                self._changed.notify_all()


class _Reader:
    """Reads requests off one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def peek(self) -> bool:
        """Wait for the first byte of an exchange; False when the peer closes instead."""
        if not self._buffer:
            self._connection.settimeout(None)
            self._more()
            self._connection.settimeout(ACTION_S)
        return bool(self._buffer)

    def request(self) -> tuple[bytes, bytes] | None:
        """Head and body, or None if the peer closed before both were complete."""
        try:
            head = self._until(b"\r\n\r\n")
            lowered = head.lower()
            if b"transfer-encoding: chunked" in lowered:
                return head, self._chunked()
            length = 0
            for line in lowered.split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":", 1)[1])
            return head, self._exactly(length)
        except EOFError:
            return None

    def _more(self) -> bool:
        data = self._connection.recv(65536)
        self._buffer += data
        return bool(data)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            if len(self._buffer) > REQUEST_BYTES_MAX or not self._more():
                raise EOFError
        head, self._buffer = self._buffer.split(mark, 1)
        return head

    def _exactly(self, length: int) -> bytes:
        parts, have = [self._buffer], len(self._buffer)
        while have < length:
            data = self._connection.recv(1 << 18)
            if not data:
                raise EOFError
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self._buffer = whole[length:]
        return whole[:length]

    def _chunked(self) -> bytes:
        parts = []
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            parts.append(self._exactly(size))
            self._exactly(2)
        while self._until(b"\r\n"):
            pass
        return b"".join(parts)


def reply(
    body: bytes, status: str = "200 OK", *fields: str, content_type: str = "application/json"
) -> bytes:
    """A whole reply with a length. `fields` are further header lines, `Name: value`."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *fields,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def stream_head(*fields: str) -> bytes:
    """Head of a chunked stream of server-sent events."""
    lines = [
        "HTTP/1.1 200 OK",
        "Content-Type: text/event-stream",
        "Transfer-Encoding: chunked",
        *fields,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk; of no bytes it is the last one."""
    return b"%x\r\n%s\r\n" % (len(data), data)
