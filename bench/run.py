"""One command: start what is needed, take every figure, print the table, write the result file.

usage: python -m bench quick|full [SCENARIO…]

A full run writes bench/results/full.json, which the page is made from; a quick one, or a part of
one, leaves its file under bench/.work.
"""

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable

from bench import machine, programs, savings
from bench.programs import ROOT, WORK, BenchError, installed, tool, version_of_wheel
from bench.scenarios import (
    FULL,
    QUICK,
    Found,
    Plan,
    Stage,
    allocations,
    cache,
    constant,
    cpu,
    latency,
    memory,
    routing,
    start,
    syscalls,
)
from bench.verdicts import Row, table

SCENARIOS: dict[str, Callable[[Stage], Found]] = {
    "cpu": cpu.against_proxy,
    "http2": cpu.http2,
    "translated": cpu.translated,
    "cache_hit": cpu.cache_hit,
    "two_workers": cpu.two_workers,
    "latency": latency.added,
    "commit_point": latency.commit_point,
    "zipf": cache.zipf,
    "syscalls": syscalls.per_request,
    "idle": memory.idle_connections,
    "allocations": lambda _stage: allocations.per_request(),
    "routing": lambda _stage: routing.decision(),
    "cold": start.cold,
    "savings": lambda _stage: savings.on_traces(),
    "k6": constant.rate,
}
BURST = "burst"
"""Memory before, in and a minute after a burst of streams; begun first and ended last."""


def main(arguments: list[str]) -> int:
    """Run; returns the exit code: 0 when everything that must hold does."""
    plans = {plan.name: plan for plan in (QUICK, FULL)}
    if not arguments or arguments[0] not in plans:
        print(__doc__, file=sys.stderr)
        return 2
    plan, wanted = plans[arguments[0]], arguments[1:] or [BURST, *SCENARIOS]
    unknown = set(wanted) - {BURST, *SCENARIOS}
    if unknown:
        print(
            f"unknown: {', '.join(unknown)}; known: {BURST} {' '.join(SCENARIOS)}", file=sys.stderr
        )
        return 2
    began = time.monotonic()
    try:
        found, described = measure(plan, wanted)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    seconds = round(time.monotonic() - began, 1)
    rows = [row.as_json() for row in found.rows]
    result = {
        "plan": plan.name,
        "seconds": seconds,
        "machine": described,
        "versions": versions(),
        "control": "nginx, bench/control",
        "rows": rows,
        "details": found.details,
    }
    whole = plan is FULL and not arguments[1:]
    path = (ROOT / "bench" / "results" if whole else WORK) / f"{plan.name}.json"
    path.write_text(json.dumps(without_nan(result), indent=1, ensure_ascii=False) + "\n")
    failed = failures(plan, found.rows, seconds)
    print(f"\n{table(rows)}\n\ntook {seconds:.0f} s; written: {path.relative_to(ROOT)}")
    for failure in failed:
        print(f"FAIL: {failure}")
    return int(bool(failed))


def failures(plan: Plan, rows: list[Row], seconds: float) -> list[str]:
    """What does not hold of a run: its figures, and how long it took, the build left out."""
    failed = [row.key for row in rows if row.gated and row.verdict == "FAIL"]
    if plan.seconds_max is not None and seconds > plan.seconds_max:
        failed.append(f"took {seconds:.0f} s; {plan.seconds_max} s are allowed")
    return failed


def measure(plan: Plan, wanted: list[str]) -> tuple[Found, dict[str, object]]:
    """Start what the scenarios share and take the figures, in the order of the table."""
    WORK.mkdir(parents=True, exist_ok=True)
    described = machine.describe()
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(programs.upstream())
        begun = None
        if BURST in wanted:
            alone = stack.enter_context(programs.gateway(upstream.port, name="burst"))
            begun = memory.begin(alone)
        stage = Stage(
            upstream=upstream,
            gateway=stack.enter_context(programs.gateway(upstream.port)),
            proxy=stack.enter_context(programs.nginx("proxy", UPSTREAM=str(upstream.port))),
            plan=plan,
        )
        found = Found()
        for name, scenario in SCENARIOS.items():
            if name in wanted:
                _add(found, name, scenario(stage))
        if begun:
            _add(found, BURST, memory.finish(begun))
    return found, described


def _add(found: Found, name: str, more: Found) -> None:
    print(f"· {time.strftime('%H:%M:%S')} {name}", file=sys.stderr, flush=True)
    print(table([row.as_json() for row in more.rows]), file=sys.stderr, flush=True)
    found.rows += more.rows
    found.details |= more.details


def without_nan(value: object) -> object:
    """The same, with null where a figure is missing: JSON has no NaN."""
    match value:
        case float() if math.isnan(value):
            return None
        case dict():
            return {key: without_nan(one) for key, one in value.items()}
        case list():
            return [without_nan(one) for one in value]
        case _:
            return value


def versions() -> dict[str, str]:
    """What was measured, and with what."""
    return {
        "llm-edge-agent": version_of_wheel(),
        "nginx": machine.version_of(tool("nginx"), "-v").removeprefix("nginx version: nginx/"),
        "wrk": machine.version_of(tool("wrk"), "-v").split("[")[0].removeprefix("wrk ").strip(),
        "k6": machine.version_of(installed("k6"), "version").split()[1],
        "rustc": machine.version_of_rustc(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
