"""The target of version 1: 1,667 requests/s (100,000 a minute), open loop, by k6."""

from bench.loads import k6
from bench.programs import MODELS
from bench.scenarios import Found, Stage
from bench.verdicts import Row

_MODEL = f"{MODELS[0]}/unary-1024"


def rate(stage: Stage) -> Found:
    """With and without the gateway; nothing may fail or be left out."""
    seconds = f"{stage.plan.k6_s}s"
    direct = k6("constant.js", stage.upstream.port, MODEL=_MODEL, DURATION=seconds)
    through = k6("constant.js", stage.gateway.port, MODEL=_MODEL, DURATION=seconds)
    requests = through["http_reqs"]["count"]
    # `value` is the share that failed; an iteration that found no free client was never sent.
    failed = through["http_req_failed"]["value"] * requests
    failed += through.get("dropped_iterations", {}).get("count", 0)
    p99 = {name: got["http_req_duration"]["p(99)"] for name, got in _named(direct, through)}
    added = p99["through"] - p99["direct"]
    note = f"p99 {p99['through']:.2f} ms, without the gateway {p99['direct']:.2f} ms"
    rows = [
        Row("k6_failed", failed, f"{requests:.0f} requests in {seconds}"),
        Row("k6_added_p99", added, note),
    ]
    details = {
        name: {
            "requests": got["http_reqs"]["count"],
            "duration_ms": got["http_req_duration"],
            "dropped": got.get("dropped_iterations", {}).get("count", 0),
        }
        for name, got in _named(direct, through)
    }
    return Found(rows, {"k6_constant": details})


def _named(
    direct: dict[str, dict[str, float]], through: dict[str, dict[str, float]]
) -> list[tuple[str, dict[str, dict[str, float]]]]:
    return [("direct", direct), ("through", through)]
