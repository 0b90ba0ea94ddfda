"""Ends, restarts and reloads under load: nobody's request may notice.

usage: python -m bench.lifecycle [smoke|full]

- drain: streams in hand when the signal comes, over HTTP/1.1 and HTTP/2, as they come and
  translated, end exactly as they would have; readiness goes off within 100 ms; the process ends
  within its drain limit; what is longer than that is cut, and says so.
- restarts: with `--reuse-port` a new process takes over from the old one again and again, under a
  constant load of kept-alive and of new connections.
- reloads: 200 a minute under a constant load; each reply is held against the configuration that it
  says it was made with.

Prints a table and, last, one line of JSON; RESULT names a file to write that to as well.
LLM_EDGE_AGENT names another program than the release build.
"""

import asyncio
import contextlib
import itertools
import json
import shutil
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import httpx2

from bench import last_line, machine
from bench.programs import BenchError, in_two_dialects
from bench.soak import FOLDER, KEY, Connection, Gateway, chat, process
from bench.verdicts import Figure

DRAIN_S = 20


@dataclass(frozen=True)
class Form:
    """How much of each."""

    name: str
    streams: int
    restarts: int
    reloads: int
    reloads_per_s: float
    rate: float


FORMS = {
    "smoke": Form("smoke", streams=60, restarts=4, reloads=30, reloads_per_s=5, rate=40),
    "full": Form("full", streams=200, restarts=50, reloads=1000, reloads_per_s=200 / 60, rate=150),
}

MUST = {
    "streams_not_exact": Figure("streams that did not end as without a drain", must=0),
    "readiness_off_ms": Figure("until readiness was off, ms", must=100),
    "exit_s": Figure("until the process ended, s", must=DRAIN_S),
    "silent_cuts": Figure("streams beyond the limit that end like whole ones", must=0),
    "lost_in_restarts": Figure("requests lost in restarts", must=0),
    "failed_in_reloads": Figure("requests failed in reloads", must=0),
    "mixed": Figure("replies of another configuration than they say", must=0),
    "fds_added": Figure("descriptors above those before the reloads", must=0),
    "rss_ratio": Figure("resident memory after the reloads, of before", must=1.1),
}


def main(arguments: list[str]) -> int:
    """Run; returns the exit code: 0 when everything that must hold does."""
    form = FORMS.get((arguments or ["full"])[0])
    if form is None:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        values, details = asyncio.run(run(form))
    except BenchError as error:
        print(f"lifecycle: {error}", file=sys.stderr)
        return 1
    for name, figure in MUST.items():
        print(f"{figure.what:50}{values[name]:>10.2f}   {figure.shown(figure.must)}")
    passed = all(MUST[name].reaches(values[name], MUST[name].must or 0) for name in MUST)
    result = {
        "form": form.name,
        "machine": machine.describe(),
        "values": values,
        "details": details,
        "passed": passed,
    }
    last_line.say(result)
    if passed:
        shutil.rmtree(FOLDER)
    return int(not passed)


async def run(form: Form) -> tuple[dict[str, float], dict[str, Any]]:
    """All three parts."""
    with contextlib.ExitStack() as stack:
        _, mock, _ = stack.enter_context(process("mock", "mock", "--port", "0"))
        values = await _drain(mock["api"], form.streams)
        values |= await _cut(mock["api"])
        lost, asked = await _restarts(mock["api"], form)
        more, seen = await _reloads(mock["api"], form)
        return values | {"lost_in_restarts": lost} | more, {"restarts": asked, "reloads": seen}


def _write_config(upstream: str, **more: object) -> Path:
    tree = {
        "version": 1,
        "state_dir": str(FOLDER / "state"),
        "drain_s": DRAIN_S,
        "debug_headers": True,
        "keys": [{"name": "soak", "key": KEY}],
        "providers": in_two_dialects(upstream.removesuffix("/v1"), "up", "claude"),
        "limits": {"upstream_idle_ms": 1000},
        "request_log": {"mode": "off"},
        **more,
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    path, draft = FOLDER / "lifecycle.json", FOLDER / "lifecycle.new"
    draft.write_text(json.dumps(tree, indent=1))
    draft.rename(path)
    return path


def _arguments(config: Path, port: int = 0) -> tuple[str, ...]:
    ports = ("--port", str(port), "--admin-port", "0", "--metrics-port", "0")
    return "serve", "--config", str(config), "--workers", "2", *ports


def _content(body: bytes) -> str:
    """What a chat stream says, without the ids that differ each time."""
    said = ""
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:])["choices"]:
                said += choice["delta"].get("content") or ""
    return said


def _is_whole(body: bytes) -> bool:
    return body.rstrip().endswith(b"data: [DONE]")


async def _ask(address: tuple[str, int], data: bytes) -> tuple[int, bytes]:
    connection = await Connection.open(address)
    try:
        status, body, _ = await asyncio.wait_for(connection.ask(data), 60)
    finally:
        connection.close()
    return status, body


async def _drain(upstream: str, streams: int) -> dict[str, float]:
    model = "lorem?tokens=60&itl=40ms&seed=7"
    with process("drain", *_arguments(_write_config(upstream))) as (running, said, log):
        gateway = Gateway(running, said, log)
        async with httpx2.AsyncClient(
            http1=False, http2=True, trust_env=False, base_url=said["api"], timeout=60
        ) as client:
            asks: list[Callable[[], Awaitable[tuple[int, bytes]]]] = [
                lambda: _ask(gateway.address, chat(f"up/{model}", stream=True)),
                lambda: _ask(gateway.address, chat(f"claude/{model}", stream=True)),
                lambda: _over_http2(client, f"up/{model}"),
                lambda: _over_http2(client, f"claude/{model}"),
            ]
            reference = _content((await asks[0]())[1])
            if len(reference) < 60:
                raise BenchError(f"the reference stream says only {reference!r}")
            mixed = itertools.islice(itertools.cycle(asks), streams)
            tasks = [asyncio.ensure_future(ask()) for ask in mixed]
            await _until(lambda: gateway.metrics()["llm_edge_open_streams"] >= streams)
            begun = time.monotonic()
            running.send_signal(signal.SIGTERM)
            while await asyncio.to_thread(_is_ready, said["metrics"]):
                if time.monotonic() - begun > 5:
                    raise BenchError("readiness stays on")
                await asyncio.sleep(0.002)
            off_ms = (time.monotonic() - begun) * 1000
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(running.wait, DRAIN_S + 10)
            exit_s = time.monotonic() - begun
    exact = sum(
        not isinstance(one, BaseException)
        and one[0] == 200
        and _is_whole(one[1])
        and _content(one[1]) == reference
        for one in ended
    )
    return {
        "streams_not_exact": streams - exact,
        "readiness_off_ms": off_ms,
        "exit_s": exit_s,
    }


async def _over_http2(client: httpx2.AsyncClient, model: str) -> tuple[int, bytes]:
    """The same over HTTP/2, many streams a connection."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {KEY}"}
    answer = await client.post("/chat/completions", json=body, headers=headers)
    return answer.status_code, answer.content


async def _cut(upstream: str) -> dict[str, float]:
    """Streams that are longer than the drain may take."""
    asked = chat("up/lorem?tokens=5000&itl=20ms", stream=True)
    config = _write_config(upstream, drain_s=1)
    with process("cut", *_arguments(config)) as (running, said, log):
        gateway = Gateway(running, said, log)
        tasks = [asyncio.create_task(_read_on(gateway.address, asked)) for _ in range(20)]
        await _until(lambda: gateway.metrics()["llm_edge_open_streams"] >= 20)
        running.send_signal(signal.SIGTERM)
        seen = await asyncio.gather(*tasks)
        await asyncio.to_thread(running.wait, 20)
    explicit = sum(b"draining" in body and not body.endswith(b"0\r\n\r\n") for body in seen)
    return {"silent_cuts": len(seen) - explicit}


async def _read_on(address: tuple[str, int], data: bytes) -> bytes:
    """Everything until the connection ends, framing and all."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    body = b""
    with contextlib.suppress(ConnectionError):
        while part := await reader.read(65536):
            body += part
    writer.close()
    return body


def _is_ready(metrics: str) -> bool:
    try:
        with urlopen(f"{metrics}/readyz", timeout=5) as reply:  # noqa: S310 -- our own
            return bool(reply.status == 200)
    except (HTTPError, URLError, OSError):
        return False


async def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not await asyncio.to_thread(holds):
        if time.monotonic() > end:
            raise BenchError("what was waited for does not come")
        await asyncio.sleep(0.05)


@dataclass
class Clients:
    """A constant load of kept-alive and of new connections."""

    address: Callable[[], tuple[str, int]]
    rate: float
    data: bytes
    judge: Callable[[bytes, bytes], str] = lambda _head, _body: ""
    """Says what is wrong with a good reply; nothing when nothing is."""
    outcomes: Counter[str] = field(default_factory=Counter)

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Ask until the block ends."""
        self._idle: list[Connection] = []
        self._over = False
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(self._work(tasks))
            try:
                yield
            finally:
                self._over = True
                await work
        for connection in self._idle:
            connection.close()

    async def _work(self, tasks: asyncio.TaskGroup) -> None:
        begun = time.monotonic()
        for number in itertools.count():
            if self._over:
                return
            await asyncio.sleep(begun + number / self.rate - time.monotonic())
            tasks.create_task(self._one(self._new if number % 2 else self._kept))

    async def _one(self, call: Callable[[], Awaitable[str]]) -> None:
        try:
            outcome = await asyncio.wait_for(call(), 30)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            outcome = f"lost: {call.__name__.strip('_')}: {type(error).__name__} {error}"[:100]
        self.outcomes[outcome] += 1

    async def _new(self) -> str:
        connection = await Connection.open(self.address())
        try:
            status, body, _ = await connection.ask(self.data)
        finally:
            connection.close()
        return self._judged(status, connection, body)

    async def _kept(self) -> str:
        while self._idle:
            connection = self._idle.pop()
            # What has ended is not used again; what ends after the request is sent is a loss.
            if not connection.ended():
                break
            connection.close()
        else:
            connection = await Connection.open(self.address())
        status, body, keep = await connection.ask(self.data)
        if keep:
            self._idle.append(connection)
        else:
            connection.close()
        return self._judged(status, connection, body)

    def _judged(self, status: int, connection: Connection, body: bytes) -> str:
        if status != 200:
            return f"lost: status {status}"
        return self.judge(connection.head, body) or "good"


async def _restarts(upstream: str, form: Form) -> tuple[int, dict[str, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = (*_arguments(_write_config(upstream), port), "--reuse-port")
    clients = Clients(lambda: ("127.0.0.1", port), form.rate, chat("up/lorem?tokens=20&itl=5ms"))
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(process("restart-0", *arguments))[0]
        async with clients.at_work():
            await asyncio.sleep(1)
            for number in range(1, form.restarts + 1):
                name = f"restart-{number % 2}"
                new = (await asyncio.to_thread(stack.enter_context, process(name, *arguments)))[0]
                old.send_signal(signal.SIGTERM)
                await asyncio.to_thread(old.wait, DRAIN_S + 10)
                old = new
            await asyncio.sleep(1)
    lost = sum(count for outcome, count in clients.outcomes.items() if outcome != "good")
    return lost, dict(clients.outcomes)


async def _reloads(upstream: str, form: Form) -> tuple[dict[str, float], dict[str, int]]:
    def config(number: int) -> Path:
        target = {"provider": "up", "model": f"lorem?tokens=2&seed={number}"}
        return _write_config(
            upstream, routes={"moving": {"models": ["moving"], "targets": [target]}}
        )

    made_with: dict[int, int] = {}

    def judge(head: bytes, body: bytes) -> str:
        epoch = int(head.split(b"x-llm-edge-epoch: ")[1].split(b"\r\n")[0])
        number = int(json.loads(body)["model"].split("seed=")[1])
        # One change may make two epochs, when the watch sees it before the order comes; an epoch is
        # of one configuration, and never of an older one than the epoch before.
        same = made_with.setdefault(epoch, number) == number
        follows = made_with.get(epoch - 1, number) <= number <= epoch - 1
        return "" if same and follows else f"mixed: {number} at epoch {epoch}"

    with process("reload", *_arguments(config(0))) as (running, said, log):
        gateway = Gateway(running, said, log)
        data = chat("moving").replace(b"\r\n", b"\r\nX-LLM-Edge-Debug: 1\r\n", 1)
        clients = Clients(lambda: gateway.address, form.rate, data, judge)
        async with clients.at_work():
            await asyncio.sleep(1)
        before = await _rested(gateway)
        async with clients.at_work():
            begun = time.monotonic()
            for number in range(1, form.reloads + 1):
                await asyncio.sleep(begun + number / form.reloads_per_s - time.monotonic())
                config(number)
                await asyncio.to_thread(_reload, said)
        after = await _rested(gateway)
    bad = {name: count for name, count in clients.outcomes.items() if name != "good"}
    mixed = sum(count for name, count in bad.items() if name.startswith("mixed"))
    values = {
        "failed_in_reloads": sum(bad.values()) - mixed,
        "mixed": mixed,
        "fds_added": after["fds"] - before["fds"],
        "rss_ratio": after["rss_mib"] / before["rss_mib"],
    }
    return values, dict(clients.outcomes)


async def _rested(gateway: Gateway) -> dict[str, float]:
    # Until idle connections upstream are retired.
    await asyncio.sleep(3)
    looks = [await asyncio.to_thread(gateway.at_rest) for _ in range(3)]
    return {name: min(look[name] for look in looks) for name in looks[0]}


def _reload(said: dict[str, str]) -> None:
    headers = {"authorization": f"Bearer {said['admin_token']}"}
    request = Request(f"{said['admin']}/api/v1/reload", headers=headers, method="POST")  # noqa: S310 -- our own
    with urlopen(request, timeout=10) as reply:  # noqa: S310 -- our own
        reply.read()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
