"""What it costs to choose among a hundred targets."""

import json
import subprocess

from bench.programs import BenchError, built
from bench.scenarios import Found
from bench.verdicts import Row

DECISIONS = 200_000
ROUNDS = 5


def decision() -> Found:
    """The slowest strategy's time of one decision: of each, the quickest of several rounds.

    Raises:
        BenchError: A decision allocates.
    """
    rounds = [_round() for _ in range(ROUNDS)]
    best = {name: min(found[name]["ns"] for found in rounds) for name in rounds[0]}
    for name in best:
        if any(found[name]["allocations"] for found in rounds):
            raise BenchError(f"a decision by `{name}` allocates")
    slowest = max(best, key=lambda name: best[name])
    note = ", ".join(f"{name} {ns:.0f} ns" for name, ns in best.items())
    return Found([Row("routing_decision", best[slowest] / 1000, note)], {"routing": best})


def _round() -> dict[str, dict[str, float]]:
    done = subprocess.run(
        [built("bench-driver"), "decide", str(DECISIONS)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found
