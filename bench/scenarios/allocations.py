"""Heap allocations of the gateway's own threads, counted by the in-process driver."""

import json
import subprocess

from bench.programs import built
from bench.scenarios import Found
from bench.verdicts import Row

_REQUESTS = 1000


def per_request() -> Found:
    """Of every scenario of the driver; the row is the plain one."""
    driver = str(built("bench-driver"))
    names = subprocess.run([driver, "list"], capture_output=True, text=True, check=True)
    counted = {name: _count(driver, name) for name in names.stdout.split()}
    note = ", ".join(f"{name} {count:.1f}" for name, count in counted.items() if name != "unary_1k")
    return Found([Row("allocations", counted["unary_1k"], note)], {"allocations": counted})


def _count(driver: str, scenario: str) -> float:
    done = subprocess.run(
        [driver, scenario, str(_REQUESTS)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    count: float = found["allocations"] / found["requests"]
    return count
