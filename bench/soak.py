"""Mixed traffic for a long while: nothing grows, and in the end everything is given back.

usage: python -m bench.soak [smoke|short|long]

Unary calls, streams, clients that leave in mid-stream, errors of the upstream and of the caller,
cache hits, HTTP/2 and reloads at a constant rate, after a warm-up. Before and after it traffic
rests until idle connections are retired: then descriptors, tasks and sockets must be the same
to the last one, and the heap in use at most 1 MiB larger.

The long form also fits a line through resident memory: at most 2 MiB in an hour, and at the end at
most 1.05 times what it was. Whether unary calls have become slower is told beside the same calls
without the gateway: what the machine does to both is not the gateway's doing.

Prints a table and, last, one line of JSON; RESULT names a file to write that to as well.
LLM_EDGE_AGENT names another program than the release build.
"""

import asyncio
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import httpx2

from bench import last_line, machine
from bench.programs import WORK, BenchError, installed
from bench.verdicts import Figure

KEY = "sk-edge-soak"
SEED = 20_261_125
CHAT = "/v1/chat/completions"
FOLDER = WORK / "soak" / str(os.getpid())
"""This run's own: another beside it would be reloaded with its configuration."""
IDLE_MS = 1_500
"""After which the gateway drops an idle connection upstream."""
KEEP_S = 15
"""Half of what the upstream gives its clients' idle connections; the gateway gives more."""


@dataclass(frozen=True)
class Form:
    """Seconds, and requests in each of them."""

    name: str
    warm_up_s: float
    run_s: float
    rate: float
    reload_s: float


FORMS = {
    "smoke": Form("smoke", warm_up_s=8, run_s=20, rate=60, reload_s=2),
    "short": Form("short", warm_up_s=300, run_s=600, rate=120, reload_s=10),
    "long": Form("long", warm_up_s=900, run_s=6_300, rate=120, reload_s=10),
}

EXACT = Figure("", must=0)
MUST = {
    "fds_added": Figure("descriptors above the baseline", must=0),
    "sockets_added": Figure("sockets above the baseline", must=0),
    "tasks_added": Figure("tasks above the baseline", must=0),
    "heap_added_mib": Figure("heap in use above the baseline, MiB", must=1.0),
    "unexpected": Figure("outcomes that were not the expected ones", must=0),
    "p99_drift": Figure("p99 of the last fifth, of the first, by that of the upstream", must=1.10),
    "rss_slope_mib_h": Figure("slope of resident memory, MiB/h", must=2.0),
    "rss_ratio": Figure("resident memory at the end, of the start", must=1.05),
}
GATED = {
    "smoke": ("fds_added", "sockets_added", "tasks_added", "heap_added_mib", "unexpected"),
    "short": tuple(name for name in MUST if name != "rss_slope_mib_h"),
    "long": tuple(MUST),
}


def main(arguments: list[str]) -> int:
    """Run; returns the exit code: 0 when everything that must hold does."""
    form = FORMS.get((arguments or ["short"])[0])
    if form is None:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        result = asyncio.run(soak(form))
    except BenchError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    for name in GATED[form.name]:
        figure, value = MUST[name], result["values"][name]
        print(f"{figure.what:62}{value:>10.2f}   {figure.shown(figure.must)}")
    last_line.say(result)
    if result["passed"]:
        shutil.rmtree(FOLDER)
    return int(not result["passed"])


@dataclass
class Gateway:
    """The process under test."""

    process: subprocess.Popen[bytes]
    said: dict[str, str]
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        """Of the API port."""
        return _address(self.said["api"])

    def metrics(self) -> dict[str, float]:
        """Samples without labels."""
        with urlopen(f"{self.said['metrics']}/metrics", timeout=10) as reply:  # noqa: S310 -- our own
            lines = reply.read().decode().splitlines()
        pairs = (
            line.rsplit(" ", 1) for line in lines if line and line[0] != "#" and "{" not in line
        )
        return {name: float(value) for name, value in pairs}

    def at_rest(self) -> dict[str, float]:
        """What it holds once nobody wants anything."""
        metrics = self.metrics()
        found = {"heap_bytes": metrics["llm_edge_heap_live_bytes"]}
        found["tasks"] = metrics["llm_edge_tasks"]
        # The connection of that look is gone in a moment.
        time.sleep(0.3)
        links = []
        for fd in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                links.append(str(fd.readlink()))
        found["fds"] = len(links)
        found["sockets"] = sum(link.startswith("socket:") for link in links)
        found["rss_mib"] = machine.resident_mib(self.process.pid)
        return found


@contextlib.contextmanager
def process(
    name: str, *arguments: str
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str], Path]]:
    """Run a verb of the program until the block ends.

    Yields:
        The process, what its first line said, its log.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = FOLDER / f"{name}.log"
    program = os.environ.get("LLM_EDGE_AGENT") or installed("llm-edge-agent")
    with log.open("wb") as err:
        running = subprocess.Popen(
            [program, *arguments, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=err,
            cwd=FOLDER,
        )
    try:
        assert running.stdout is not None  # noqa: S101 -- it was asked for just above
        line = running.stdout.readline()
        if not line.endswith(b"\n"):
            raise BenchError(f"{name} did not start:\n{log.read_text()[-2000:]}")
        yield running, json.loads(line), log
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


def _config(upstream: str) -> str:
    tree = {
        "version": 1,
        "state_dir": str(FOLDER / "state"),
        "keys": [{"name": "soak", "key": KEY}],
        "providers": {
            "up": {"type": "openai_compatible", "base_url": upstream, "api_key": "sk-upstream"}
        },
        "routes": {
            "cached": {
                "models": ["cached/*"],
                "targets": [{"provider": "up", "model": "*"}],
                "cache": {"ttl_s": 36_000},
            }
        },
        "limits": {"upstream_idle_ms": IDLE_MS},
        "request_log": {"mode": "sampled", "sample_every": 1000},
    }
    return json.dumps(tree, indent=1)


async def soak(form: Form) -> dict[str, Any]:
    """Warm up, rest, run, rest; compare."""
    with contextlib.ExitStack() as stack:
        _, mock, _ = stack.enter_context(process("mock", "mock", "--port", "0"))
        config = FOLDER / "config.json"
        config.write_text(_config(mock["api"]))
        ports = ("--port", "0", "--admin-port", "0", "--metrics-port", "0")
        arguments = ("serve", "--config", str(config), "--workers", "2", *ports)
        gateway = Gateway(*stack.enter_context(process("gateway", *arguments)))
        traffic = Traffic(gateway, _address(mock["api"]), form)
        await traffic.flow(form.warm_up_s)
        before = await _rest(gateway)
        traffic.forget()
        await traffic.flow(form.run_s)
        after = await _rest(gateway)
        if gateway.process.poll() is not None:
            raise BenchError(f"the gateway ended:\n{gateway.log.read_text()[-2000:]}")
        return _verdict(form, traffic, before, after)


async def _rest(gateway: Gateway) -> dict[str, float]:
    """What is held at rest: the least of several looks, for what is on its way out."""
    await asyncio.sleep(IDLE_MS / 1000 + 2.5)
    looks = []
    for _ in range(4):
        looks.append(await asyncio.to_thread(gateway.at_rest))
        await asyncio.sleep(0.5)
    return {name: min(look[name] for look in looks) for name in looks[0]}


def _verdict(
    form: Form, traffic: "Traffic", before: dict[str, float], after: dict[str, float]
) -> dict[str, Any]:
    drift, direct_drift = _drift(traffic.took_s), _drift(traffic.direct_s)
    values = {
        "fds_added": after["fds"] - before["fds"],
        "sockets_added": after["sockets"] - before["sockets"],
        "tasks_added": after["tasks"] - before["tasks"],
        "heap_added_mib": (after["heap_bytes"] - before["heap_bytes"]) / 2**20,
        "unexpected": sum(traffic.unexpected.values()),
        "p99_drift": drift / direct_drift,
        "rss_slope_mib_h": _slope(traffic.rss) * 3600,
        "rss_ratio": after["rss_mib"] / before["rss_mib"],
    }
    gated = GATED[form.name]
    return {
        "form": form.name,
        "machine": machine.describe(),
        "before": before,
        "after": after,
        "outcomes": dict(traffic.outcomes),
        "unexpected": dict(traffic.unexpected),
        "reloads": traffic.reloads,
        "p99_ms": _p99(traffic.took_s) * 1000,
        "direct_p99_ms": _p99(traffic.direct_s) * 1000,
        "drifts": {"gateway": drift, "direct": direct_drift},
        "rss_mib": _by_minute(traffic.rss),
        "values": values,
        "passed": all(MUST[name].reaches(values[name], MUST[name].must or 0) for name in gated),
    }


def _drift(took_s: list[float]) -> float:
    fifth = max(len(took_s) // 5, 1)
    return _p99(took_s[-fifth:]) / _p99(took_s[:fifth])


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else 1.0


def _by_minute(points: list[tuple[float, float]]) -> list[float]:
    """What was last seen in each minute: it tells whether memory grew all along or in one step."""
    last = {int(at // 60): round(value, 2) for at, value in points}
    return [last[minute] for minute in sorted(last)]


def _slope(points: list[tuple[float, float]]) -> float:
    if len(points) < 3:
        return 0.0
    at, value = zip(*points, strict=True)
    return statistics.linear_regression(at, value).slope


@dataclass
class Traffic:
    """Everything clients do, at a constant rate."""

    gateway: Gateway
    upstream: tuple[str, int]
    form: Form
    outcomes: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    direct_s: list[float] = field(default_factory=list)
    rss: list[tuple[float, float]] = field(default_factory=list)
    reloads: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(SEED)
        self._idle: dict[tuple[str, int], list[tuple[float, Connection]]] = {}
        self._http2: httpx2.AsyncClient | None = None

    def forget(self) -> None:
        """Begin to count anew."""
        for found in (self.outcomes, self.unexpected, self.took_s, self.direct_s, self.rss):
            found.clear()
        self.reloads = 0

    async def flow(self, seconds: float) -> None:
        """Ask for so long; ends with every client gone."""
        kinds: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self._unary, 40),
            (self._direct, 20),
            (self._stream, 20),
            (self._leave, 12),
            (self._upstream_error, 6),
            (self._callers_error, 6),
            (self._cached, 10),
            (self._over_http2, 6),
        ]
        calls, weights = zip(*kinds, strict=True)
        async with self._clients(), asyncio.TaskGroup() as tasks:
            begun = time.monotonic()
            next_reload, next_look = begun + self.form.reload_s, begun
            for number in itertools.count():
                due = begun + number / self.form.rate
                if due > begun + seconds:
                    break
                await asyncio.sleep(due - time.monotonic())
                (call,) = self._dice.choices(calls, weights)
                tasks.create_task(self._counted(call))
                now = time.monotonic()
                if now >= next_reload:
                    next_reload += self.form.reload_s
                    self.reloads += 1
                    self.gateway.process.send_signal(signal.SIGHUP)
                if now >= next_look:
                    next_look += 1
                    rss = machine.resident_mib(self.gateway.process.pid)
                    self.rss.append((now - begun, rss))

    @contextlib.asynccontextmanager
    async def _clients(self) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(
            http1=False, http2=True, trust_env=False, base_url=self.gateway.said["api"], timeout=20
        ) as self._http2:
            yield
        for _, connection in itertools.chain(*self._idle.values()):
            connection.close()
        self._idle.clear()

    async def _counted(self, call: Callable[[], Awaitable[None]]) -> None:
        name = call.__name__.removeprefix("_")
        try:
            await asyncio.wait_for(call(), timeout=20)
        except (OSError, ValueError, EOFError, httpx2.HTTPError, TimeoutError) as error:
            self.unexpected[f"{name}: {type(error).__name__} {error}"[:120]] += 1
        else:
            self.outcomes[name] += 1

    async def _ask(self, data: bytes, address: tuple[str, int] | None = None) -> tuple[int, bytes]:
        address = address or self.gateway.address
        connection = self._reused(address) or await Connection.open(address)
        status, body, keep = await connection.ask(data)
        if keep:
            self._idle.setdefault(address, []).append((time.monotonic(), connection))
        else:
            connection.close()
        return status, body

    def _reused(self, address: tuple[str, int]) -> "Connection | None":
        """One that the peer is not about to close for having been idle."""
        idle = self._idle.get(address)
        while idle:
            since, connection = idle.pop()
            if time.monotonic() - since < KEEP_S:
                return connection
            connection.close()
        return None

    async def _unary(self) -> None:
        self.took_s.append(await self._timed("up/echo", self.gateway.address))

    async def _direct(self) -> None:
        self.direct_s.append(await self._timed("echo", self.upstream))

    async def _timed(self, model: str, address: tuple[str, int]) -> float:
        data = chat(model, text="x" * self._dice.randrange(10, 20_000))
        begun = time.monotonic()
        status, body = await self._ask(data, address)
        took_s = time.monotonic() - begun
        _expect(status == 200 and body.endswith(b"}"), f"{status}")
        return took_s

    async def _stream(self) -> None:
        tokens = self._dice.randrange(5, 60)
        model = f"up/lorem?tokens={tokens}&itl=5ms"
        status, body = await self._ask(chat(model, stream=True))
        _expect(status == 200 and body.endswith(b"data: [DONE]\n\n"), f"{status} {body[-40:]!r}")

    async def _leave(self) -> None:
        connection = await Connection.open(self.gateway.address)
        try:
            connection.send(chat("up/lorem?tokens=1000&itl=20ms", stream=True))
            await connection.first_bytes()
            await asyncio.sleep(self._dice.random() * 0.2)
        finally:
            connection.close(reset=self._dice.random() < 0.5)

    async def _upstream_error(self) -> None:
        wanted = self._dice.choice([400, 429, 500, 503])
        status, _ = await self._ask(chat(f"up/error?status={wanted}"))
        _expect(status == wanted, f"{status} for {wanted}")

    async def _callers_error(self) -> None:
        data, wanted = self._dice.choice(
            [
                (chat("up/echo", key="sk-edge-wrong"), 401),
                (request("/v1/nothing", b"{}"), 404),
                (request(CHAT, b'{"model":'), 400),
            ]
        )
        status, _ = await self._ask(data)
        _expect(status == wanted, f"{status} for {wanted}")

    async def _cached(self) -> None:
        status, _ = await self._ask(chat("cached/echo", text=f"again {self._dice.randrange(20)}"))
        _expect(status == 200, f"{status}")

    async def _over_http2(self) -> None:
        if self._http2 is None:
            return
        body = {"model": "up/lorem?tokens=20&itl=5ms", "stream": self._dice.random() < 0.5}
        body["messages"] = [{"role": "user", "content": "hello"}]
        headers = {"authorization": f"Bearer {KEY}"}
        answer = await self._http2.post("/chat/completions", json=body, headers=headers)
        _expect(answer.status_code == 200 and answer.http_version == "HTTP/2", f"{answer}")


def _expect(holds: bool, found: str) -> None:  # noqa: FBT001 -- it is the point of it
    if not holds:
        raise ValueError(found)


def request(path: str, data: bytes, key: str = KEY) -> bytes:
    """A request with the key, ready for the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def chat(model: str, *, text: str = "hello", stream: bool = False, key: str = KEY) -> bytes:
    """A chat request, ready for the wire."""
    messages = [{"role": "user", "content": text}]
    tree = {"model": model, "messages": messages, "stream": stream}
    return request(CHAT, json.dumps(tree).encode(), key)


class Connection:
    """One HTTP/1.1 connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.head = b""
        """Of the last reply, in lower case."""

    @classmethod
    async def open(cls, address: tuple[str, int]) -> "Connection":
        """Connect."""
        return cls(*await asyncio.open_connection(*address))

    def send(self, data: bytes) -> None:
        """Write, without waiting."""
        self._writer.write(data)

    def ended(self) -> bool:
        """Whether the peer has ended it."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def first_bytes(self) -> None:
        """Wait for something."""
        if not await self._reader.read(1):
            raise EOFError

    def close(self, *, reset: bool = False) -> None:
        """Close, or leave without a word."""
        if reset:
            self._writer.transport.abort()
        self._writer.close()

    async def ask(self, data: bytes) -> tuple[int, bytes, bool]:
        """Status, body, and whether the connection may be used again."""
        self.send(data)
        head = self.head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        body = b""
        if b"transfer-encoding: chunked" in head:
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                body += (await self._reader.readexactly(size + 2))[:-2]
            await self._reader.readuntil(b"\r\n")
        else:
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await self._reader.readexactly(length)
        return status, body, b"connection: close" not in head


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
