"""A small HTTP proxy that knows CONNECT and nothing else, and fails on order.

It shares no code with the gateway. Names lead where `names` says; everything that was asked for is
kept.
"""

import base64
import contextlib
import selectors
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

ACTION_S = 10.0
HEAD_BYTES_MAX = 64 * 1024
PIECE_BYTES = 65536
GREETING_S = 0.5
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass(frozen=True)
class Asked:
    """One request to the proxy."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass
class ConnectProxy:
    """The server. Use it as a context manager."""

    names: dict[str, tuple[str, int]] = field(default_factory=dict)
    """`host:port` as asked for → where that is; without an entry it is asked of the system."""
    user: str | None = None
    """`user:password` that must be shown."""
    answer: bytes | None = None
    """What is said in place of a tunnel, before the connection is closed."""
    silent: bool = False
    """Say nothing."""
    interim: bytes = b""
    """What is said before the answer."""
    eager: bool = False
    """Send what the upstream says first in one write with the answer."""
    piece: int = 0
    """Send the answer in pieces of so many bytes."""
    host: str = "127.0.0.1"
    asked: list[Asked] = field(default_factory=list)
    passed: int = 0
    """Bytes that went to the upstreams."""

    def __enter__(self) -> Self:
        self._stopping = threading.Event()
        self._listener = socket.create_server((self.host, 0), backlog=64)
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # A close alone does not wake the thread that sits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Its URL, without a user."""
        return f"http://{self.host}:{self.port}"

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(ACTION_S)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(client)
        # A peer that goes away ends the tunnel; that is all there is to it.
        with contextlib.suppress(OSError), client:
            asked = self._read(client)
            if asked is None:
                return
            self.asked.append(asked)
            if self.silent:
                self._stopping.wait(ACTION_S)
            elif (refusal := self._refusal(asked)) is not None:
                client.sendall(refusal)
            else:
                self._tunnel(client, asked.target)
        self._open.discard(client)

    def _read(self, client: socket.socket) -> Asked | None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(PIECE_BYTES)
            if not data or len(head) > HEAD_BYTES_MAX:
                return None
            head += data
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        fields = (line.partition(":") for line in lines[1:] if line)
        return Asked(method, target, {name.lower(): value.strip() for name, _, value in fields})

    def _refusal(self, asked: Asked) -> bytes | None:
        if self.answer is not None:
            return self.answer
        if asked.method != "CONNECT":
            return b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"
        if self.user is not None:
            shown = base64.b64encode(self.user.encode()).decode()
            if asked.headers.get("proxy-authorization") != f"Basic {shown}":
                return (
                    b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno"
                )
        return None

    def _tunnel(self, client: socket.socket, target: str) -> None:
        host, _, port = target.rpartition(":")
        where = self.names.get(target, (host.strip("[]"), int(port)))
        try:
            upstream = socket.create_connection(where, ACTION_S)
        except OSError:
            client.sendall(b"HTTP/1.1 502 Unreachable\r\nContent-Length: 0\r\n\r\n")
            return
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(upstream)
        with upstream:
            said = self.interim + ESTABLISHED
            if self.eager:
                upstream.settimeout(GREETING_S)
                with contextlib.suppress(TimeoutError):
                    said += upstream.recv(PIECE_BYTES)
            step = self.piece or len(said)
            for cut in range(0, len(said), step):
                client.sendall(said[cut : cut + step])
                if self.piece:
                    self._stopping.wait(0.005)
            self._carry(client, upstream)
        self._open.discard(upstream)

    def _carry(self, client: socket.socket, upstream: socket.socket) -> None:
        """Pass bytes both ways until one side ends."""
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, upstream)
            ready.register(upstream, selectors.EVENT_READ, client)
            while not self._stopping.is_set():
                for key, _ in ready.select(0.2):
                    source, sink = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(PIECE_BYTES)
                    if not data:
                        return
                    if source is client:
                        self.passed += len(data)
                    sink.sendall(data)
