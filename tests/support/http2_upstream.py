"""An HTTP/2 server whose every stream does what a test says, by prior knowledge or over TLS.

Framing is the h2 library's, which shares nothing with the gateway. A handler is a function that
gets one `ServerStream`, in a thread of its own; `once` queues handlers for the next streams,
`always` is what happens when none is queued.
"""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from tests.support.streams import EVENTS

ACTION_S = 10.0
Handler = Callable[["ServerStream"], None]


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    headers: dict[str, str]
    """Pseudo-headers too; a repeated field is joined by a comma."""
    body: bytes
    connection: int


@dataclass
class ServerStream:
    """One stream; what it sends waits for the client's window."""

    connection: "_Connection"
    number: int
    headers: dict[str, str]
    body: bytes = b""
    whole: bool = False
    reset_at: float | None = None
    reset_code: int | None = None
    sent: int = 0

    def head(self, status: int = 200, *fields: tuple[str, str], end: bool = False) -> None:
        """Send the head."""
        with self.connection.changed:
            self.connection.http.send_headers(
                self.number, [(":status", str(status)), *fields], end_stream=end
            )
            self.connection.flush()

    def data(self, data: bytes, *, end: bool = False, padding: int | None = None) -> None:
        """Send bytes, as far as the client's window allows waiting for it.

        Raises:
            ConnectionError: The stream was reset, or the connection has ended.
        """
        http, left = self.connection.http, memoryview(data)
        # Its own length takes a byte too, and all of it room in the window (RFC 9113 §6.9.1).
        overhead = 0 if padding is None else padding + 1
        while left or end:
            with self.connection.changed:
                room = self.connection.changed.wait_for(lambda: self._room(overhead), ACTION_S)
                if self.reset_at is not None or self.connection.ended:
                    raise ConnectionError
                assert room, "the client's window stays shut"
                taken = min(
                    len(left),
                    http.local_flow_control_window(self.number) - overhead,
                    http.max_outbound_frame_size - overhead,
                )
                piece, left = left[: max(taken, 0)], left[max(taken, 0) :]
                last = end and not left
                http.send_data(self.number, bytes(piece), end_stream=last, pad_length=padding)
                if last:
                    # Before it leaves: the client may open another one at once.
                    self.connection.open.discard(self.number)
                self.connection.flush()
                self.sent += len(piece)
                if last:
                    return

    def trailers(self, *fields: tuple[str, str]) -> None:
        """End with trailers."""
        with self.connection.changed:
            self.connection.http.send_headers(self.number, list(fields), end_stream=True)
            self.connection.flush()

    def events(self, surface: str = "chat", upto: int | None = None, *, end: bool = True) -> None:
        """A stream of server-sent events; with `upto` only the first ones."""
        self.head(200, ("content-type", "text/event-stream"))
        for event in EVENTS[surface][:upto]:
            self.data(event)
        if end:
            self.data(b"", end=True)

    def json(self, data: bytes = b"{}", status: int = 200, *fields: tuple[str, str]) -> None:
        """A whole reply with a length."""
        length = ("content-length", str(len(data)))
        self.head(status, ("content-type", "application/json"), length, *fields)
        self.data(data, end=True)

    def reset(self, code: int = h2.errors.ErrorCodes.INTERNAL_ERROR) -> None:
        """Reset this stream."""
        with self.connection.changed:
            self.connection.http.reset_stream(self.number, error_code=code)
            self.connection.open.discard(self.number)
            self.connection.flush()

    def goaway(self, last: int | None = None, code: int = 0) -> None:
        """Say that streams above `last` (None: the latest) were not and will not be worked on."""
        with self.connection.changed:
            last = max(self.connection.streams) if last is None else last
            payload = struct.pack(">II", last, code)
            # By hand: the library ends its own state with one.
            self.connection.raw(
                struct.pack(">I", len(payload))[1:] + b"\x07\x00" + bytes(4) + payload
            )
            self.connection.leaving = last

    def close(self, *, rst: bool = False) -> None:
        """End the connection, in order or with a TCP reset."""
        self.connection.close(rst=rst)

    def wait_for_reset(self, timeout_s: float = ACTION_S) -> None:
        """Wait until the client has reset the stream."""
        with self.connection.changed:
            seen = self.connection.changed.wait_for(
                lambda: self.reset_at is not None or self.connection.ended, timeout_s
            )
            assert seen, "the stream was not reset"

    def _room(self, overhead: int) -> bool:
        if self.reset_at is not None or self.connection.ended:
            return True
        with contextlib.suppress(h2.exceptions.ProtocolError):
            return self.connection.http.local_flow_control_window(self.number) > overhead
        return True


class _Connection:
    def __init__(self, server: "Http2Upstream", bare: socket.socket, number: int) -> None:
        self.server = server
        self.number = number
        self.socket = bare
        self.changed = threading.Condition()
        self.ended = False
        self.leaving: int | None = None
        self.open: set[int] = set()
        self.open_max = 0
        self.streams: dict[int, ServerStream] = {}
        self.pings = 0
        config = h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False
        )
        self.http = h2.connection.H2Connection(config)

    def flush(self) -> None:
        self.raw(self.http.data_to_send())

    def raw(self, data: bytes) -> None:
        if data and not self.ended:
            try:
                self.socket.sendall(data)
            except OSError:
                self.ended = True

    def close(self, *, rst: bool = False) -> None:
        if rst:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.ended = True
            # The thread that reads sees it and closes: before that the reset would not leave.
            return
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        try:
            if self.server.tls:
                self.socket = self.server.tls.wrap_socket(self.socket, server_side=True)
                if self.socket.selected_alpn_protocol() != "h2":
                    return
            self._run()
        except (OSError, h2.exceptions.ProtocolError) as error:
            self.server.faults.append(repr(error))
        finally:
            with self.changed:
                self.ended = True
                self.changed.notify_all()
            with contextlib.suppress(OSError):
                self.socket.close()

    def _run(self) -> None:
        with self.changed:
            self.http.initiate_connection()
            settings = dict(self.server.settings)
            if settings:
                self.http.update_settings(settings)
            self.flush()
        while data := self._receive():
            with self.changed:
                for event in self.http.receive_data(data):
                    self._take(event)
                if not self.server.silent:
                    self.flush()
                self.changed.notify_all()

    def _receive(self) -> bytes:
        pending = getattr(self.socket, "pending", int)
        while not pending() and not select.select([self.socket], [], [], 0.02)[0]:
            if self.ended:
                return b""
        return self.socket.recv(1 << 16)

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=number, headers=headers):
                fields: dict[str, str] = {}
                for name, value in headers:
                    key, text = str(name), str(value)
                    fields[key] = f"{fields[key]}, {text}" if key in fields else text
                self.streams[number] = ServerStream(self, number, fields)
                self.open.add(number)
                self.open_max = max(self.open_max, len(self.open))
                if self.server.at_head:
                    self._begin(self.streams[number])
            case h2.events.DataReceived(stream_id=number, data=data, flow_controlled_length=length):
                self.streams[number].body += data
                if self.server.takes_bodies:
                    self.http.acknowledge_received_data(length or 0, number)
            case h2.events.StreamEnded(stream_id=number):
                self.streams[number].whole = True
                self.server.note(self.streams[number])
                if not self.server.at_head:
                    self._begin(self.streams[number])
            case h2.events.StreamReset(stream_id=number, error_code=code):
                self.open.discard(number)
                stream = self.streams[number]
                stream.reset_at, stream.reset_code = time.monotonic(), int(code)
            case h2.events.PingReceived():
                self.pings += 1
            case _:
                pass

    def _begin(self, stream: ServerStream) -> None:
        if self.leaving is not None and stream.number > self.leaving:
            self.open.discard(stream.number)
            return
        handler = self.server.next_handler()
        name = f"http2-{self.number}-{stream.number}"
        threading.Thread(
            target=self._handle, args=(handler, stream), name=name, daemon=True
        ).start()

    def _handle(self, handler: Handler, stream: ServerStream) -> None:
        try:
            handler(stream)
        except (OSError, h2.exceptions.ProtocolError):
            # The client has left the stream in the middle of it.
            pass
        finally:
            with self.changed:
                self.open.discard(stream.number)


@dataclass
class Http2Upstream:
    """The server. Use it as a context manager."""

    tls: ssl.SSLContext | None = None
    settings: dict[int, int] = field(default_factory=dict)
    at_head: bool = False
    """Handlers begin at the request's head instead of at its end."""
    takes_bodies: bool = True
    silent: bool = False
    """Nothing is sent any more but what handlers send."""
    requests: list[Request] = field(default_factory=list)
    connections: list[_Connection] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._always: Handler = ServerStream.json
        self._queued: deque[Handler] = deque()
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._listener.getsockname()
        return str(host), int(port)

    @property
    def url(self) -> str:
        """Base URL, without a path."""
        host, port = self.address
        return f"{'https' if self.tls else 'http'}://{host}:{port}"

    @property
    def streams(self) -> list[ServerStream]:
        """Every stream so far."""
        return [stream for each in self.connections for stream in each.streams.values()]

    def always(self, handler: Handler) -> None:
        """What each stream does for which nothing is queued."""
        self._always = handler

    def once(self, handler: Handler) -> None:
        """Queue what one stream does."""
        self._queued.append(handler)

    def next_handler(self) -> Handler:
        """What the next stream does."""
        return self._queued.popleft() if self._queued else self._always

    def note(self, stream: ServerStream) -> None:
        """Keep a whole request."""
        request = Request(dict(stream.headers), stream.body, stream.connection.number)
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def wait_for(self, requests: int, timeout_s: float = ACTION_S) -> None:
        """Wait until so many whole requests were seen."""
        with self._changed:
            seen = self._changed.wait_for(lambda: len(self.requests) >= requests, timeout_s)
            assert seen, f"saw {len(self.requests)} requests"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="http2-upstream", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self.connections:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(self, accepted, len(self.connections) + 1)
            self.connections.append(connection)
            threading.Thread(target=connection.serve, name="http2-serve", daemon=True).start()
