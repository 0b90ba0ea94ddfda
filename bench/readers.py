"""Five hundred clients that stop reading an endless stream: what they hold, and whom they hold up.

usage: python -m bench.readers [STREAMS]

Over HTTP/1.1 and over HTTP/2. Held by a stream is what the gateway's resident memory grew by, and
what the kernel holds in the gateway's own sockets, both divided by the streams. Others are asked at
a constant rate before and meanwhile, in windows of a second of which the quietest counts: what the
machine does to all of them is not the streams' doing. In the end the write-stall deadline (8 s
here) must have cut every stream; a connection of HTTP/2 that has none any more may stay.

Prints a table and, last, one line of JSON; RESULT names a file to write that to as well.
"""

import contextlib
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import h2.config
import h2.connection

from bench import last_line, loads, machine, messages, programs
from bench.messages import body, request
from bench.programs import BenchError, Running, tool
from bench.verdicts import Figure

STREAMS = 500
STALL_MS = 8_000
ENDLESS = "up/sse-100000x1000"
OTHERS = "up/unary-1024"
OTHERS_PER_S = 200
WINDOWS = 4
Stall = Callable[[int, int], AbstractContextManager[None]]
"""Opens so many streams at a port and reads none of them."""
HTTP2_STREAMS = 125
"""Streams of one HTTP/2 connection."""

MUST = {
    "resident_kib": Figure("resident memory of a stalled stream, KiB", must=256),
    "kernel_kib": Figure("kernel memory of its two sockets, KiB", must=768),
    "resident_mib": Figure("resident memory above that at rest, MiB", must=160),
    "cpu_share": Figure("processor used while all are stalled", must=0.05),
    "others_p99": Figure("p99 of others, of that before", must=1.2),
    "left_after_s": Figure("until all were cut, s", must=STALL_MS / 1000 + 3),
}


def main(arguments: list[str]) -> int:
    """Run; returns the exit code: 0 when everything that must hold does."""
    streams = int(arguments[0]) if arguments else STREAMS
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096 + 4 * streams,) * 2)
    try:
        with programs.upstream() as upstream:
            found = {
                name: measure(upstream, streams, name, stall)
                for name, stall in (("HTTP/1.1", _stall_http1), ("HTTP/2", _stall_http2))
            }
    except BenchError as error:
        print(f"readers: {error}", file=sys.stderr)
        return 1
    passed = {
        name: all(MUST[key].reaches(values[key], MUST[key].must or 0) for key in MUST)
        for name, values in found.items()
    }
    for key, figure in MUST.items():
        cells = "".join(f"{values[key]:>12.2f}" for values in found.values())
        print(f"{figure.what:46}{cells}   {figure.shown(figure.must)}")
    result = {
        "machine": machine.describe(),
        "streams": streams,
        "write_stall_ms": STALL_MS,
        "found": found,
        "passed": passed,
    }
    last_line.say(result)
    return int(not all(passed.values()))


def measure(upstream: Running, streams: int, name: str, stall: Stall) -> dict[str, float]:
    """One gateway, so many streams, nobody reads."""
    more = {"limits": {"write_stall_ms": STALL_MS, "upstream_idle_ms": 1000}}
    with programs.gateway(upstream.port, name="readers", more=more) as gateway:
        before = _others(gateway)
        at_rest_mib = machine.resident_mib(gateway.pid)
        with stall(gateway.port, streams):
            begun = time.monotonic()
            kernel_kib = _wait_until_still(gateway)
            used = machine.usage(gateway.pid)
            stalled_mib = machine.resident_mib(gateway.pid)
            time.sleep(1)
            cpu_s = machine.usage(gateway.pid).since(used).cpu_s
            meanwhile = _others(gateway)
            kept = 0 if stall is _stall_http1 else -(-streams // HTTP2_STREAMS)
            while _established(gateway) > kept + 2:
                if time.monotonic() - begun > 60:
                    raise BenchError(f"{name}: {_established(gateway)} connections are never cut")
                time.sleep(0.1)
            left_after_s = time.monotonic() - begun
        added_mib = stalled_mib - at_rest_mib
        return {
            "resident_kib": added_mib * 1024 / streams,
            "kernel_kib": kernel_kib / streams,
            "resident_mib": added_mib,
            "cpu_share": cpu_s,
            "others_p99": (meanwhile / before) if before else 0.0,
            "left_after_s": left_after_s,
            "others_p99_us": meanwhile,
            "others_p99_us_before": before,
        }


def _others(gateway: Running) -> float:
    windows = []
    for _ in range(WINDOWS):
        found = loads.paced(
            gateway.port, body(OTHERS, 1024), rate=OTHERS_PER_S, seconds=1, connections=4
        )
        if found.failed:
            raise BenchError(f"{found.failed} requests of others failed")
        windows.append(found.latency_us["p99"])
    return min(windows)


def _sockets(gateway: Running) -> list[str]:
    """Lines of `ss` about the established sockets of the gateway, with their memory."""
    done = subprocess.run(
        [tool("ss"), "-tnpmO", "state", "established"], capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if f"pid={gateway.pid}," in line]


def _established(gateway: Running) -> int:
    return len(_sockets(gateway))


def _kernel_kib(gateway: Running) -> float:
    """What the kernel holds for the gateway: received and not read, written and not taken."""
    total = 0
    for line in _sockets(gateway):
        found = re.search(r"skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f(\d+),w(\d+)", line)
        if found:
            total += int(found[1]) + int(found[4])
    return total / 1024


def _wait_until_still(gateway: Running) -> float:
    before = -1.0
    for _ in range(100):
        now = _kernel_kib(gateway)
        if now == before and now:
            return now
        before = now
        time.sleep(0.2)
    raise BenchError("the streams do not come to a standstill")


@contextlib.contextmanager
def _stall_http1(port: int, streams: int) -> Iterator[None]:
    asked = request(body(ENDLESS, 1024))
    with contextlib.ExitStack() as stack:
        for _ in range(streams):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            stack.enter_context(client)
            client.sendall(asked)
        yield


@contextlib.contextmanager
def _stall_http2(port: int, streams: int) -> Iterator[None]:
    data = body(ENDLESS, 256)
    fields = [(name.lower(), value) for name, value in messages.headers().items()]
    head = [
        (":method", "POST"),
        (":path", messages.PATH),
        (":scheme", "http"),
        (":authority", "127.0.0.1"),
        *fields,
    ]
    with contextlib.ExitStack() as stack:
        for first in range(0, streams, HTTP2_STREAMS):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            stack.enter_context(client)
            http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
            http.initiate_connection()
            client.sendall(http.data_to_send())
            # The server's windows; nothing is given back, so each stream has one window's worth.
            http.receive_data(client.recv(65536))
            for _ in range(min(HTTP2_STREAMS, streams - first)):
                number = http.get_next_available_stream_id()
                http.send_headers(number, head)
                http.send_data(number, data, end_stream=True)
                client.sendall(http.data_to_send())
        yield


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
