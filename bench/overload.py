"""More load than the gateway can serve: what it still does, whom it refuses and how fast.

usage: python -m bench.overload [quick|full]

The gateway gets half a processor by a quota of 2,500 microseconds in every 5,000. The load is an
open loop of chat streams of 1,024 events in bursts of eight, one burst every 10 ms. Capacity is the
highest rate without an error at which the 99th percentile of the whole reply is at most 10 ms
above the upstream's own. Then twice, five and ten times that rate, each followed by half of it.

Prints a table and, last, one line of JSON; RESULT names a file to write that to as well. It takes
root to set the quota.
"""

import contextlib
import http.client
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench import last_line, loads, machine, programs, quota
from bench.loads import Storm
from bench.messages import body
from bench.programs import BenchError, Running
from bench.verdicts import Figure

QUOTA_US, PERIOD_US = 2_500, 5_000
MODEL = "up/sse-1024x200-10ms"
REQUEST_BYTES = 1024
ADDED_MS_MAX = 10.0
FACTORS = (2, 5, 10)
CALM_S = 3.0
"""Pause after a rate that was too much, so that the next one starts from rest."""


@dataclass(frozen=True)
class Spans:
    """Seconds of each part."""

    search: float
    confirm: float
    overload: float
    after: float


SPANS = {"quick": Spans(4, 8, 10, 8), "full": Spans(5, 20, 30, 10)}

MUST = {
    "goodput": Figure("goodput ÷ capacity", must=0.9, higher_is_better=True),
    "accepted_p99": Figure("p99 of accepted ÷ its value at capacity", must=2.0),
    "refused_p99_ms": Figure("p99 of refusals, ms", must=20.0),
    "without_retry_after": Figure("refusals without Retry-After", must=0),
    "failures": Figure("neither answered nor refused", must=0),
    "rss_added_mib": Figure("resident memory above its value at capacity, MiB", must=64.0),
    "probe_failures": Figure("failed /livez, /metrics and admin calls", must=0),
    "normal_after_s": Figure("until the last refusal at half of capacity, s", must=5.0),
}
GATED = {2: tuple(MUST), 5: tuple(MUST), 10: ("failures", "without_retry_after", "normal_after_s")}


def main(arguments: list[str]) -> int:
    """Run; returns the exit code: 0 when everything that must hold does."""
    plan = (arguments or ["quick"])[0]
    if plan not in SPANS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        result = measure(SPANS[plan])
    except BenchError as error:
        print(f"overload: {error}", file=sys.stderr)
        return 1
    result = {"plan": plan, "machine": machine.describe(), **result}
    print("\n".join(table(result["levels"])))
    last_line.say(result)
    return int(not all(level["passed"] for level in result["levels"]))


def measure(spans: Spans) -> dict[str, Any]:
    """Find the capacity, go beyond it, and say what happened."""
    programs.WORK.mkdir(parents=True, exist_ok=True)
    data = body(MODEL, REQUEST_BYTES)
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(programs.upstream())
        within = stack.enter_context(quota.limited(QUOTA_US, PERIOD_US))
        gateway = stack.enter_context(
            programs.gateway(upstream.port, name="overload", within=within)
        )
        load = Load(upstream, gateway, data, spans)
        load.measure_direct()
        capacity, at_capacity = load.capacity()
        rss_mib = machine.resident_mib(gateway.pid)
        say(f"capacity {capacity:.0f} streams/s, {at_capacity.accepted_us['p99']:.0f} µs at p99")
        levels = [load.level(factor, capacity, at_capacity, rss_mib) for factor in FACTORS]
        return {
            "quota_us": QUOTA_US,
            "period_us": PERIOD_US,
            "load": MODEL,
            "capacity_per_s": capacity,
            "at_capacity": vars(at_capacity),
            "direct_p99_us": load.direct_p99_us,
            "levels": levels,
            "throttled_s": quota.throttled_s(within),
        }


@dataclass
class Load:
    """The programs, and what is known of them so far."""

    upstream: Running
    gateway: Running
    data: bytes
    spans: Spans
    direct_p99_us: float = 0.0

    def measure_direct(self) -> None:
        """The same streams without the gateway between."""
        found = loads.storm(self.upstream.port, self.data, rate=200, seconds=self.spans.search)
        if found.failures or found.refused:
            raise BenchError(f"the upstream alone fails: {found.failed}")
        self.direct_p99_us = _p99(found.accepted_us)

    def capacity(self) -> tuple[float, Storm]:
        """The highest rate that is served without fault, and what was seen at it."""
        good, bad = 0.0, 50.0
        while self._serves(bad, self.spans.search)[0]:
            good, bad = bad, bad * 1.6
            if bad > 20_000:
                raise BenchError("the gateway is faster than the load")
        while bad > max(good, 1) * 1.06:
            middle = (good + bad) / 2
            good, bad = (
                (middle, bad) if self._serves(middle, self.spans.search)[0] else (good, middle)
            )
        for _ in range(8):
            served, seen = self._serves(good, self.spans.confirm)
            if served:
                return good, seen
            good *= 0.95
        raise BenchError("no rate is served without fault for long")

    def _serves(self, rate: float, seconds: float) -> tuple[bool, Storm]:
        seen = loads.storm(self.gateway.port, self.data, rate=rate, seconds=seconds)
        added_ms = (_p99(seen.accepted_us) - self.direct_p99_us) / 1000
        served = not (seen.refused or seen.failures) and added_ms <= ADDED_MS_MAX
        say(f"{rate:6.0f}/s: {seen.refused} refused, {seen.failures} failed, +{added_ms:.1f} ms")
        if not served:
            time.sleep(CALM_S)
        return served, seen

    def level(
        self, factor: int, capacity: float, at_capacity: Storm, rss_mib: float
    ) -> dict[str, Any]:
        """So many times the capacity, then half of it."""
        with watched(self.gateway) as watch:
            over = loads.storm(
                self.gateway.port, self.data, rate=factor * capacity, seconds=self.spans.overload
            )
        after = loads.storm(
            self.gateway.port, self.data, rate=capacity / 2, seconds=self.spans.after
        )
        if self.gateway.process.poll() is not None:
            raise BenchError(f"the gateway ended:\n{self.gateway.log.read_text()[-2000:]}")
        values = {
            "goodput": over.goodput / capacity,
            "accepted_p99": _p99(over.accepted_us) / _p99(at_capacity.accepted_us),
            "refused_p99_ms": _p99(over.refused_us) / 1000,
            "without_retry_after": over.refused_without_retry_after,
            "failures": over.failures + after.failures,
            "rss_added_mib": max(watch.resident_mib, default=0.0) - rss_mib,
            "probe_failures": watch.failures,
            "normal_after_s": after.last_not_accepted_s,
        }
        gated = GATED[factor]
        passed = all(MUST[name].reaches(values[name], MUST[name].must or 0) for name in gated)
        say(f"{factor} times capacity: {'holds' if passed else 'FAILS'}")
        return {
            "factor": factor,
            "values": values,
            "gated": gated,
            "passed": passed,
            "probe_p99_ms": {name: _quantile(took) for name, took in watch.took_ms.items()},
            "over": vars(over),
            "after": vars(after),
        }


@dataclass
class Watch:
    """What probes and the kernel said while the load was on."""

    took_ms: dict[str, list[float]] = field(default_factory=dict)
    failures: int = 0
    resident_mib: list[float] = field(default_factory=list)


@contextlib.contextmanager
def watched(gateway: Running) -> Iterator[Watch]:
    """Ask the API port's probe, the metrics and the admin API all the while."""
    watch, ended = Watch(), threading.Event()
    token = {"authorization": f"Bearer {gateway.said['admin_token']}"}
    places: dict[str, tuple[int, str, dict[str, str]]] = {
        "livez": (gateway.port, "/livez", {}),
        "metrics": (urlsplit(gateway.said["metrics"]).port or 0, "/metrics", {}),
        "admin": (urlsplit(gateway.said["admin"]).port or 0, "/api/v1/status", token),
    }

    def ask() -> None:
        while not ended.wait(0.1):
            watch.resident_mib.append(machine.resident_mib(gateway.pid))
            for name, (port, path, fields) in places.items():
                begun = time.monotonic()
                watch.failures += not _answers(port, path, fields)
                watch.took_ms.setdefault(name, []).append((time.monotonic() - begun) * 1000)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()


def _answers(port: int, path: str, fields: dict[str, str]) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=fields)
        reply = connection.getresponse()
        reply.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return reply.status == 200


def _p99(percentiles: dict[str, float | None]) -> float:
    return percentiles["p99"] or 0.0


def _quantile(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else 0.0


def table(levels: list[dict[str, Any]]) -> list[str]:
    """One row for each demand, one column for each level."""
    head = "".join(f"{level['factor']:>10}\N{MULTIPLICATION SIGN}" for level in levels)
    rows = [f"{'':48}{head}   must"]
    for name, figure in MUST.items():
        cells = ""
        for level in levels:
            cells += f"{level['values'][name]:>10.2f}{' ' if name in level['gated'] else '·'}"
        rows.append(f"{figure.what:48}{cells}   {figure.shown(figure.must)}")
    return [*rows, "· not demanded at this level"]


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(f"· {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
