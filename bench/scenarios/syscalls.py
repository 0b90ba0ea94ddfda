"""System calls per request, counted by strace in a run of its own."""

import signal
import subprocess
from pathlib import Path

from bench.loads import wrk
from bench.messages import body
from bench.programs import MODELS, WORK, BenchError, Running, gateway, tool
from bench.scenarios import Found, Stage
from bench.verdicts import Row

_SCENARIOS = (
    ("syscalls_unary_1k", f"{MODELS[0]}/unary-1024", 1024),
    ("syscalls_unary_16k", f"{MODELS[0]}/unary-1024", 16 * 1024),
    ("syscalls_cache_hit", f"{MODELS[1]}/unary-1024", 1024),
)


def per_request(stage: Stage) -> Found:
    """At 32 connections: everything the process tree calls."""
    found = Found()
    # Traced, it is so slow that the load would be too much for it.
    limits = {"limits": {"queue_ms_max": 0}}
    with gateway(stage.upstream.port, name="traced", more=limits) as traced:
        for key, model, size in _SCENARIOS:
            _record(found, key, traced, body(model, size))
    return found


def _record(found: Found, key: str, traced: Running, data: bytes) -> None:
    wrk(traced.port, data, seconds=1)
    calls, requests = _count(traced, data)
    most = sorted(calls.items(), key=lambda item: -item[1])[:4]
    note = ", ".join(f"{name} {count / requests:.2f}" for name, count in most)
    found.rows.append(Row(key, sum(calls.values()) / requests, note))
    found.details[key] = {"requests": requests, "calls": calls}


def _count(traced: Running, data: bytes) -> tuple[dict[str, int], int]:
    out = WORK / "strace.txt"
    out.unlink(missing_ok=True)
    command = [tool("strace"), "-c", "-f", "-o", str(out), "-p", str(traced.pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as strace:
        assert strace.stderr is not None  # noqa: S101 -- it was asked for just above
        strace.stderr.readline()  # "Process … attached"
        load = wrk(traced.port, data, seconds=2)
        strace.send_signal(signal.SIGINT)
        strace.communicate(timeout=20)
    if load.failed or not load.requests:
        raise BenchError(f"{load.failed} requests failed under strace")
    return _table(out), load.requests


def _table(path: Path) -> dict[str, int]:
    """Calls by name: the fourth and the last column of what `strace -c` writes."""
    calls = {}
    for line in path.read_text().splitlines():
        words = line.split()
        if len(words) >= 5 and words[0].replace(".", "").isdigit() and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    return calls
