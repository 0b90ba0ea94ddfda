"""Cold start: from the process being started to `/readyz` answering 200."""

import signal
import subprocess
import time

from bench.programs import WORK, free_port, gateway_command, wait_for
from bench.scenarios import Found, Stage
from bench.verdicts import Row


def cold(stage: Stage) -> Found:
    """The 95th percentile of a number of starts."""
    took = sorted(_one(stage.upstream.port) for _ in range(stage.plan.starts))
    p95 = took[min(len(took) - 1, int(len(took) * 0.95))]
    note = f"{len(took)} starts, median {took[len(took) // 2]:.2f} s"
    return Found([Row("cold_start", p95, note)], {"cold_start": {"seconds": took}})


def _one(upstream_port: int) -> float:
    port = free_port()
    command = gateway_command(upstream_port, port, workers=0, name="cold")
    begun = time.monotonic()
    with subprocess.Popen(
        command, cwd=WORK / "cold", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for(port, "/readyz")
            return time.monotonic() - begun
        finally:
            process.send_signal(signal.SIGTERM)
