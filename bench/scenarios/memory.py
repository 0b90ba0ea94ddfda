"""Resident memory: idle, per idle connection, with a thousand streams open, a minute after."""

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench import machine, messages, programs
from bench.messages import body
from bench.programs import MODELS, BenchError, Running
from bench.scenarios import Found, Stage
from bench.verdicts import Row

STREAMS = 1000
# 15 bursts, so many milliseconds apart: the streams live long enough to be counted together.
_STREAM = "sse-120x200-400ms"
_AFTER_S = 60.0
_SETTLE_S = 1.0


@dataclass
class Begun:
    """A gateway that has had its burst and is left alone for a minute."""

    gateway: Running
    idle_mib: float
    streams_mib: float
    over_at: float


def idle_connections(stage: Stage) -> Found:
    """Open connections, use each once, leave them open: what each of them costs.

    In a gateway of its own: what another load left free would hide the cost.
    """
    with programs.gateway(stage.upstream.port, name="idle") as gateway:
        return _idle(gateway, stage.plan.idle_connections)


def _idle(gateway: Running, count: int) -> Found:
    request = messages.request(body(f"{MODELS[0]}/unary-1024", 1024))
    for _ in range(2):  # The first time fills the buffers that stay.
        with _connected(gateway.port, 32) as warm:
            for at in range(2000):
                _ask(warm[at % 32], request)
        time.sleep(_SETTLE_S)
    before = machine.resident_mib(gateway.pid)
    with _connected(gateway.port, count) as connections:
        for connection in connections:
            _ask(connection, request)
        time.sleep(_SETTLE_S)
        after = machine.resident_mib(gateway.pid)
    each = (after - before) * 1024 / count
    note = f"{before:.1f} → {after:.1f} MiB with {count} connections"
    return Found([Row("idle_connection", each, note)], {"idle_connection": {"kib": each}})


def begin(gateway: Running) -> Begun:
    """Idle memory, then memory with a thousand streams open."""
    time.sleep(_SETTLE_S)
    idle = machine.resident_mib(gateway.pid)
    request = messages.request(body(f"{MODELS[0]}/{_STREAM}", 1024))
    with _connected(gateway.port, STREAMS) as connections:
        for connection in connections:
            connection.sendall(request)
        open_mib = _drain(connections, gateway)
    return Begun(gateway, idle, open_mib, time.monotonic())


def finish(begun: Begun) -> Found:
    """The rows; waits until a minute has passed."""
    time.sleep(max(0.0, begun.over_at + _AFTER_S - time.monotonic()))
    after = machine.resident_mib(begun.gateway.pid)
    rows = [
        Row("rss_idle", begun.idle_mib),
        Row("rss_streams", begun.streams_mib, f"{STREAMS} streams"),
        Row("rss_after", after / begun.idle_mib, f"{after:.1f} MiB"),
    ]
    details = {
        "idle_mib": begun.idle_mib,
        "streams_mib": begun.streams_mib,
        "after_mib": after,
    }
    return Found(rows, {"memory": details})


@contextlib.contextmanager
def _connected(port: int, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            for _ in range(count)
        ]


def _ask(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    got = b""
    while True:
        got += (read := connection.recv(65536))
        if not read:
            raise BenchError("the gateway closed a connection that was to stay open")
        head, found, rest = got.partition(b"\r\n\r\n")
        if found and len(rest) >= int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return


def _drain(connections: list[socket.socket], gateway: Running) -> float:
    """Reads every stream to its end; returns the most memory seen while all of them were open."""
    seen = dict.fromkeys(range(len(connections)), b"")
    begun = set[int]()
    most, next_look, ended = 0.0, time.monotonic(), 0
    with selectors.DefaultSelector() as selector:
        for at, connection in enumerate(connections):
            selector.register(connection, selectors.EVENT_READ, at)
        while ended < len(connections):
            ready = selector.select(timeout=30)
            if not ready:
                raise BenchError("the streams stand still")
            for key, _ in ready:
                read = connections[key.data].recv(65536)
                if key.data not in begun and not read.startswith(b"HTTP/1.1 200 "):
                    raise BenchError(f"a stream did not begin: {read[:400]!r}")
                begun.add(key.data)
                seen[key.data] = (seen[key.data] + read)[-5:]
                if seen[key.data] == b"0\r\n\r\n":
                    ended += 1
                    selector.unregister(connections[key.data])
                elif not read:
                    raise BenchError("a stream broke off")
            if ended == 0 and time.monotonic() >= next_look:
                most = max(most, machine.resident_mib(gateway.pid))
                next_look = time.monotonic() + 0.2
    return most
