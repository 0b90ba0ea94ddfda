"""Requests and replies that are a pure function of a seed, cut at places the seed decides.

Client and upstream roll the same dice: each can say what the other one must have sent.
"""

import hashlib
import random
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

SALT = "llm-edge"
_WORDS = [
    "Grüße",
    "世界",
    "👩\u200d👩\u200d👧",
    "e\u0301",
    "the quick brown fox",
    "{}[]:,",
    "\u2028",
    "data: [DONE]",
]


def digest(data: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(data).hexdigest()


def _text(dice: random.Random, log2_words_max: int) -> str:
    """Text of some length, mostly short, without anything that JSON must escape."""
    count = int(2 ** dice.uniform(0, log2_words_max))
    return " ".join(dice.choices(_WORDS, k=count))


@dataclass(frozen=True)
class Rolled:
    """One exchange."""

    seed: int
    streams: bool
    body: bytes
    """What the client sends."""
    forwarded: bytes
    """What the upstream must see: the same with the model's name replaced."""
    payload: bytes
    """What the upstream sends, and the client must see."""


def roll(seed: int) -> Rolled:
    """The exchange of that seed."""
    dice = random.Random(f"{SALT} {seed}")
    streams = dice.random() < 0.5
    members = [
        f'"{name}"{space}:{space}{value}'
        for name, value, space in (
            ("messages", f'[{{"role":"user","content":"{_text(dice, 14)}"}}]', ""),
            ("stream", "true" if streams else "false", " "),
            ("temperature", f"{dice.random():.17g}", "\n"),
            ("x\\u00e9\\n", f'{{"model":"no/no","n":[1,-2.5e-3,null,"\\"{dice.random()}"]}}', "\t"),
        )
    ]
    dice.shuffle(members)
    place = dice.randrange(len(members) + 1)
    before = "".join(f"{member}, " for member in members[:place])
    after = "".join(f",\r\n{member}" for member in members[place:])
    body, forwarded = (f'{{{before}"model":"{m}"{after}}} '.encode() for m in ("up/m", "m"))
    payload = _events(dice) if streams else _document(dice)
    return Rolled(seed, streams, body, forwarded, payload)


def _document(dice: random.Random) -> bytes:
    return f'{{"id":"{dice.random()}","choices":[{{"text":"{_text(dice, 14)}"}}]}}'.encode()


def _events(dice: random.Random) -> bytes:
    end = dice.choice(["\n", "\r\n", "\r"])
    events = [
        f'data: {{"choices":[{{"delta":{{"content":"{_text(dice, 10)}"}}}}]}}{end}{end}'
        for _ in range(dice.randrange(1, 12))
    ]
    if dice.random() < 0.3:
        events.insert(dice.randrange(len(events)), f": ping{end}{end}")
    return "".join([*events, f"data: [DONE]{end}{end}"]).encode()


def pieces(dice: random.Random, data: bytes) -> list[bytes]:
    """`data` cut at up to six places."""
    cuts = sorted(dice.randrange(1, len(data)) for _ in range(dice.randrange(6)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]


def _chunked(dice: random.Random, data: bytes) -> bytes:
    parts = pieces(dice, data)
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def write_request(rolled: Rolled, path: str, key: str) -> list[bytes]:
    """The request in the pieces it is to be sent in."""
    dice = random.Random(f"{SALT} request {rolled.seed}")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer {key}\r\n"
        f"X-Seed: {rolled.seed}\r\n"
    )
    if dice.random() < 0.3:
        data = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + _chunked(dice, rolled.body)
    else:
        data = f"{head}Content-Length: {len(rolled.body)}\r\n\r\n".encode() + rolled.body
    return pieces(dice, data)


def write_reply(rolled: Rolled) -> tuple[list[bytes], bool]:
    """The reply in the pieces it is to be sent in, and whether the connection ends with it."""
    dice = random.Random(f"{SALT} reply {rolled.seed}")
    kind = "text/event-stream" if rolled.streams else "application/json"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"
    how = dice.random()
    if how < 0.03:
        return pieces(dice, head.encode() + b"\r\n" + rolled.payload), True
    if how < (0.9 if rolled.streams else 0.3):
        framed = b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(dice, rolled.payload)
    else:
        framed = b"Content-Length: %d\r\n\r\n%s" % (len(rolled.payload), rolled.payload)
    return pieces(dice, head.encode() + framed), False


@dataclass
class DiceUpstream:
    """An upstream that answers each request by its `X-Seed` and keeps the digest of its body."""

    digests: dict[int, str] = field(default_factory=dict)
    """Seed → SHA-256 of the body as it arrived."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    @property
    def url(self) -> str:
        """Base URL, without a path."""
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="dice", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = b""
        with connection:
            while data := connection.recv(1 << 18):
                buffer += data
                while (end := buffer.find(b"\r\n\r\n")) >= 0:
                    fields = dict(
                        line.split(": ", 1)
                        for line in buffer[:end].decode("latin-1").lower().split("\r\n")[1:]
                    )
                    length = int(fields["content-length"])
                    if len(buffer) < end + 4 + length:
                        break
                    body, buffer = buffer[end + 4 :][:length], buffer[end + 4 + length :]
                    seed = int(fields["x-seed"])
                    # Twice the same seed would be a request that was sent twice.
                    self.digests[seed] = self.digests.get(seed, "") + digest(body)
                    parts, last = write_reply(roll(seed))
                    for part in parts:
                        connection.sendall(part)
                    if last:
                        return
