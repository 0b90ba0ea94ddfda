"""An HTTP/2 client that can be told to misbehave: half requests, resets, windows that stay shut."""

import socket
import ssl
from dataclasses import dataclass, field
from typing import Self

import h2.config
import h2.connection
import h2.events
import h2.settings

READ_S = 10.0
GOAWAY = 7


@dataclass
class Stream:
    """What has come on one stream."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset_code: int | None = None
    """Why the server reset the stream; `None` while it has not."""


class Http2:
    """One connection. With `tls`, by ALPN; without, by prior knowledge."""

    def __init__(
        self,
        address: tuple[str, int],
        tls: ssl.SSLContext | None = None,
        window: int | None = None,
        source: str | None = None,
    ) -> None:
        own = None if source is None else (source, 0)
        self._socket: socket.socket = socket.create_connection(address, READ_S, own)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname=address[0])
            chosen = self._socket.selected_alpn_protocol()
            assert chosen == "h2", chosen
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False
        )
        self._http = h2.connection.H2Connection(config)
        self._window = window
        self._http.initiate_connection()
        if window is not None:
            code = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
            self._http.update_settings({code: window})
        self._streams: dict[int, Stream] = {}
        self._frames = b""
        self.goaway = False
        self.ended = False
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def request(
        self,
        path: str,
        body: bytes,
        *fields: tuple[str, str],
        method: str = "POST",
        authority: str | None = "gateway.test",
        upto: int | None = None,
    ) -> int:
        """Send a request and return its stream; with `upto` only so much of the body and no end."""
        number = self._http.get_next_available_stream_id()
        pseudo = [(":method", method), (":path", path), (":scheme", "http")]
        if authority is not None:
            pseudo.append((":authority", authority))
        self._http.send_headers(number, [*pseudo, *fields], end_stream=not body)
        self._streams[number] = Stream()
        for at in range(0, len(body if upto is None else body[:upto]), 16_384):
            piece = body[at : at + 16_384] if upto is None else body[:upto][at : at + 16_384]
            while self._http.local_flow_control_window(number) < len(piece):
                self._flush()
                self._receive()
            self._http.send_data(number, piece)
        if body and upto is None:
            self._http.end_stream(number)
        self._flush()
        return number

    def reset(self, number: int) -> None:
        """Cancel a stream."""
        self._http.reset_stream(number, error_code=8)
        self._flush()

    def end(self, number: int) -> None:
        """End our side of a stream."""
        self._http.end_stream(number)
        self._flush()

    def answer(self, number: int) -> Stream:
        """What came on the stream, when it has ended or was reset."""
        stream = self._streams[number]
        while not stream.ended and stream.reset_code is None:
            assert self._receive(), "the connection ended first"
        return stream

    def wait_for(self, number: int, mark: bytes) -> Stream:
        """What came on the stream so far, once `mark` is in it."""
        stream = self._streams[number]
        while mark not in stream.body:
            assert self._receive(), "the connection ended first"
        return stream

    def wait_for_goaway(self) -> None:
        """Take what comes until the server says that it is going."""
        while not self.goaway:
            assert self._receive(), "the connection ended first"

    def read_to_end(self) -> None:
        """Take what comes until the server closes the connection."""
        while self._receive():
            pass

    def _flush(self) -> None:
        self._socket.sendall(self._http.data_to_send())

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(65_536)
        except ConnectionError:
            data = b""
        if not data:
            self.ended = True
            return False
        for event in self._http.receive_data(self._without_goaway(data)):
            self._take(event)
        self._flush()
        return True

    def _without_goaway(self, data: bytes) -> bytes:
        """Whole frames but GOAWAY: the library takes no more of its streams after one."""
        self._frames += data
        kept = b""
        while len(self._frames) >= 9:
            end = 9 + int.from_bytes(self._frames[:3])
            if len(self._frames) < end:
                break
            frame, self._frames = self._frames[:end], self._frames[end:]
            if frame[3] == GOAWAY:
                self.goaway = True
            else:
                kept += frame
        return kept

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived(stream_id=number, headers=headers):
                stream = self._streams[number]
                stream.headers = {str(name): str(value) for name, value in headers}
                stream.status = int(stream.headers[":status"])
            case h2.events.DataReceived(stream_id=number, data=data):
                self._streams[number].body += data
                if self._window is None:
                    length = event.flow_controlled_length or 0
                    self._http.acknowledge_received_data(length, number)
            case h2.events.StreamEnded(stream_id=number):
                self._streams[number].ended = True
            case h2.events.StreamReset(stream_id=number, error_code=code):
                self._streams[number].reset_code = int(code)
            case _:
                pass
