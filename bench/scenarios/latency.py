"""Added latency: a percentile through the hop less the same one without it."""

import math
from collections.abc import Callable

from bench.loads import Paced, paced
from bench.messages import body
from bench.programs import MODELS, Running, gateway
from bench.rounds import Comparison, Window, compare
from bench.scenarios import Found, Stage
from bench.verdicts import Row

_UNARY_RATE = 500
_STREAM_RATE = 200
_AT_ONCE, _COMMITTED = "at-once", "committed"


def added(stage: Stage) -> Found:
    """p50 and p99 of whole replies; p50 of the first byte of streams."""
    found = Found()
    unary = _windows(
        stage,
        body(f"{MODELS[0]}/unary-1024", 1024),
        _UNARY_RATE,
        lambda seen: {"p50": seen.latency_us["p50"], "p99": seen.latency_us["p99"]},
    )
    stream = _windows(
        stage,
        body(f"{MODELS[0]}/sse-64x200", 1024),
        _STREAM_RATE,
        lambda seen: {"p50": seen.first_byte_us["p50"], "whole_p50": seen.latency_us["p50"]},
    )
    _record(stage, found, "added_p50", unary, "p50")
    _record(stage, found, "added_p99", unary, "p99")
    _record(stage, found, "added_first_byte", stream, "p50")
    found.details["added_latency"] = unary.summary()
    found.details["added_first_byte"] = stream.summary()
    return found


def commit_point(stage: Stage) -> Found:
    """What a commit point adds to the first byte of healthy streams."""
    routes = {
        name: {
            "models": [f"{name}/*"],
            "targets": [{"provider": "up", "model": "*"}],
            "commit_point": name == _COMMITTED,
        }
        for name in (_AT_ONCE, _COMMITTED)
    }

    def window(running: Running, route: str) -> Callable[[], Window]:
        data = body(f"{route}/sse-64x200", 1024)

        def run() -> Window:
            seen = paced(running.port, data, rate=_STREAM_RATE, seconds=stage.plan.window_s)
            first = seen.first_byte_us
            return Window(first["p50"], seen.failed, {"p50": first["p50"], "p99": first["p99"]})

        return run

    with gateway(stage.upstream.port, name="commit", more={"routes": routes}) as running:
        sides = {name: window(running, name) for name in routes}
        compared = compare(sides, stage.plan.rounds, subject=_COMMITTED, control=_AT_ONCE)
    with_it, without = (compared.median(side, "p99") for side in (_COMMITTED, _AT_ONCE))
    note = f"p99 {with_it:.0f} µs, without {without:.0f} µs, {len(compared.ratios)} rounds"
    found = Found()
    found.rows.append(Row("commit_first_byte", (with_it - without) / 1000, note))
    found.details["commit_first_byte"] = compared.summary()
    return found


def _windows(
    stage: Stage, data: bytes, rate: int, pick: Callable[[Paced], dict[str, float]]
) -> Comparison:
    def window(running: Running) -> Callable[[], Window]:
        def run() -> Window:
            seen = paced(running.port, data, rate=rate, seconds=stage.plan.window_s)
            figures = pick(seen)
            return Window(figures["p50"], seen.failed, figures)

        return run

    sides = {side.name: window(side) for side in (stage.upstream, stage.proxy, stage.gateway)}
    return compare(sides, stage.plan.rounds, subject=stage.gateway.name, control=stage.proxy.name)


def _record(stage: Stage, found: Found, key: str, compared: Comparison, figure: str) -> None:
    """The ratio of medians of what was added: a tail in one round is too short for a ratio."""
    base = compared.median(stage.upstream.name, figure)
    ours = compared.median(stage.gateway.name, figure) - base
    theirs = compared.median(stage.proxy.name, figure) - base
    # A control that added nothing measurable has no ratio.
    ratio = ours / theirs if theirs > 0 else math.nan
    note = f"{ours:+.0f} / {theirs:+.0f} µs over {base:.0f} µs, {len(compared.ratios)} rounds"
    lost = sum(compared.dropped.values())
    found.rows.append(Row(key, ratio, note + (f", {lost} dropped" if lost else "")))
