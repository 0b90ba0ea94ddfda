"""What laying out the release wheel by its profile is worth: beside the same wheel without.

usage: scripts/bench.sh wheels

Processor time for a request, the two by turns on one core; below 1 the profile pays. Writes
bench/results/wheels.json.
"""

import contextlib
import json
import sys

from bench import machine, programs
from bench.loads import wrk
from bench.messages import body
from bench.programs import MODELS, ROOT, WORK, BenchError, in_two_dialects
from bench.rounds import compare
from bench.run import without_nan
from bench.scenarios.cpu import UNARY, closed

RESULT = ROOT / "bench" / "results" / "wheels.json"
ROUNDS, WINDOW_S = 11, 2
LAID_OUT, PLAIN = "laid-out", "plain"
VENVS = {LAID_OUT: WORK / "venv", PLAIN: WORK / "venv-plain"}
_CLAUDE = "claude"
_THROUGH, _CACHED = MODELS
# name: model, bytes of the request body, whether the client speaks HTTP/2
_LOADS = {
    "unary_1k": (f"{_THROUGH}/{UNARY}", 1024, False),
    "unary_16k": (f"{_THROUGH}/{UNARY}", 16 * 1024, False),
    "unary_64k": (f"{_THROUGH}/{UNARY}", 64 * 1024, False),
    "stream_64x200": (f"{_THROUGH}/sse-64x200", 1024, False),
    "http2_1k": (f"{_THROUGH}/{UNARY}", 1024, True),
    "cache_hit_1k": (f"{_CACHED}/{UNARY}", 1024, False),
    "translated_1k": (f"{_CLAUDE}/message-1024", 1024, False),
    "translated_64x200": (f"{_CLAUDE}/message-64x200", 1024, False),
}


def main() -> int:
    """Run; 1 where something needed is missing."""
    try:
        described = machine.describe()
        found = measure()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    result = without_nan({"machine": described, "ratios": found})
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {RESULT.relative_to(ROOT)}")
    return 0


def measure() -> dict[str, object]:
    """Every load through both; prints a line for each."""
    found: dict[str, object] = {}
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(programs.upstream())
        more = {"providers": in_two_dialects(upstream.url, _THROUGH, _CLAUDE)}
        running = {
            name: stack.enter_context(
                programs.gateway(upstream.port, name=f"wheel-{name}", more=more, venv=venv)
            )
            for name, venv in VENVS.items()
        }
        for load, (model, size, http2) in _LOADS.items():
            data = body(model, size, stream="64x200" in model)
            for one in running.values():
                wrk(one.port, data, seconds=1)
            sides = {
                name: closed(one, data, WINDOW_S, http2=http2) for name, one in running.items()
            }
            compared = compare(sides, ROUNDS, subject=LAID_OUT, control=PLAIN)
            found[load] = compared.summary()
            print(f"{load:20} {compared.ratio:.3f}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
