"""Measures what an attacker's byte costs the gateway (B33), and fails above a hundred times that.

Usage: `python -m scripts.asymmetry`, which `make asymmetry` calls. The last line is JSON: for each
route the bytes held for each byte sent, and the processor time of a byte over that of a good
request's.
"""

import sys
import tempfile
from pathlib import Path

import msgspec

from tests.support.asymmetry import ATTACKS, BOUNDS, RATIO_MAX, good_requests, measure, warm
from tests.support.hop import start_hop
from tests.support.upstream import Upstream


def main() -> int:
    """Measure each; the exit code is 1 when one is above the bound."""
    routes: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name, Upstream() as upstream:
        # One of each address's connections more than any attack here opens.
        limits = "limits: {head_ms: 60000, connections_max: 4000}"
        hop = start_hop(Path(name), upstream, limits, "--workers", "1")
        try:
            warm(hop)
            control = measure(hop, good_requests)
            for attack in ATTACKS:
                cost = measure(hop, attack)
                routes[attack.__name__] = {
                    "sent_bytes": cost.sent_bytes,
                    "memory": round(cost.memory_ratio, 1),
                    "cpu": round(cost.ns_per_byte / control.ns_per_byte, 2),
                }
                print(f"{attack.__name__:20} {routes[attack.__name__]}", flush=True)
        finally:
            hop.running.stop()
    above = [
        name
        for name, one in routes.items()
        if max(one["memory"], one["cpu"]) > BOUNDS.get(name, RATIO_MAX)
    ]
    said = {"command": "asymmetry", "ok": not above, "above": above, "bound": RATIO_MAX}
    said["own_bounds"] = BOUNDS
    said["control_ns_per_byte"] = round(control.ns_per_byte, 1)
    print(msgspec.json.encode({**said, "routes": routes}).decode())
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
