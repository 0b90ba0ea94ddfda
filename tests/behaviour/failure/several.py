"""A gateway in front of several scripted upstreams, with one route over them."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import msgspec

from tests.support.gateway import Running
from tests.support.hop import KEY, Hop, post, start_hop
from tests.support.upstream import Read, Send, Upstream, chunk, reply, stream_head
from tests.support.wire import Answer

NAMES = ("a", "b", "c")


@dataclass
class Several:
    """Upstreams `a`, `b` and `c`, and a route `chat` over them."""

    hop: Hop
    upstreams: dict[str, Upstream]

    @property
    def running(self) -> Running:
        """The gateway."""
        return self.hop.running

    def ask(self, *fields: str, stream: bool = False, model: str = "chat") -> Answer:
        """One request on a connection of its own."""
        return self.hop.ask(
            post("/v1/chat/completions", question(stream=stream, model=model), *fields)
        )

    def seen(self) -> list[int]:
        """Whole requests that each upstream has seen."""
        return [len(upstream.requests) for upstream in self.upstreams.values()]

    def metric(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples that have these labels."""
        return metric(self.running, name, **labels)


def question(*, stream: bool = False, model: str = "chat") -> bytes:
    """A chat request to the route."""
    messages = [{"role": "user", "content": "hello"}]
    return msgspec.json.encode({"model": model, "messages": messages, "stream": stream})


def metric(running: Running, name: str, **labels: str) -> float:
    """Sum of a metric's samples that have these labels."""
    total = 0.0
    for line in httpx2.get(running.metrics).text.splitlines():
        # Most lines are another metric's, and there may be very many.
        found = line.startswith(name) and re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name:
            have = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or ""))
            if all(have.get(label) == value for label, value in labels.items()):
                total += float(found[3])
    return total


@contextlib.contextmanager
def several(
    folder: Path,
    route: str = "",
    *,
    more: str = "",
    count: int = 2,
    env: dict[str, str] | None = None,
) -> Iterator[Several]:
    """Start `count` upstreams and a gateway; `route` is YAML of the route's further options.

    The route is ordered, pauses are short, and no answer of an upstream says anything but its name.
    """
    with contextlib.ExitStack() as stack:
        upstreams = {name: stack.enter_context(Upstream()) for name in NAMES[:count]}
        for name, upstream in upstreams.items():
            upstream.always(Read(), Send(good(name)))
        targets = ", ".join(f"{{provider: {name}, model: m}}" for name in upstreams)
        options = {"strategy": "ordered", "targets": f"[{targets}]", "models": "[chat]"}
        options |= {"retry": "{backoff_ms: 50, backoff_max_ms: 200}"}
        options |= dict(line.split(": ", 1) for line in route.strip().splitlines() if line.strip())
        yaml = "routes:\n  chat:\n" + "".join(f"    {k}: {v}\n" for k, v in options.items()) + more
        others = {name: upstream.url for name, upstream in upstreams.items()}
        hop = start_hop(
            folder, next(iter(upstreams.values())), yaml, "--workers", "1", others=others, env=env
        )
        try:
            yield Several(hop, upstreams)
        finally:
            hop.running.stop()


def good(name: str) -> bytes:
    """A whole unary reply that says who gave it."""
    return reply(msgspec.json.encode({"id": name, "object": "chat.completion", "choices": []}))


def refusal(status: str, *fields: str, code: str = "refused") -> bytes:
    """An error in OpenAI's shape."""
    error = {"error": {"message": "no", "type": "t", "param": None, "code": code}}
    return reply(msgspec.json.encode(error), status, *fields)


def data(fields: object) -> bytes:
    """One event of a stream."""
    return b"data: %s\n\n" % msgspec.json.encode(fields)


def delta(**fields: object) -> bytes:
    """One event of a chat stream."""
    return data({"id": "c", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]})


def streamed(*events: bytes, last: bool = True) -> bytes:
    """A chat stream, an event a chunk."""
    ends = [chunk(b"data: [DONE]\n\n"), chunk(b"")] if last else []
    return stream_head() + b"".join([*map(chunk, events), *ends])


__all__ = [
    "KEY",
    "Several",
    "data",
    "delta",
    "good",
    "metric",
    "question",
    "refusal",
    "several",
    "streamed",
]
