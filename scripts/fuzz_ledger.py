"""Adds a run of the fuzz targets to what all runs before it have tried.

Usage: `python -m scripts.fuzz_ledger FILE SECONDS`, which `scripts/fuzz.sh` calls with a line for
each target, its name and its inputs, on standard input.
"""

import datetime
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def main(path: str, seconds: str, lines: Iterable[str]) -> int:
    """Read the ledger, if there is one, and write it with this run; the exit code."""
    file = Path(path)
    targets: dict[str, dict[str, Any]] = {}
    if file.exists():
        targets = json.loads(file.read_text())["targets"]
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    for name, inputs in map(str.split, lines):
        entry = targets.setdefault(name, {"inputs": 0, "seconds": 0})
        entry["inputs"] += int(inputs)
        entry["seconds"] += int(seconds)
        entry["last"] = today
    total = sum(entry["inputs"] for entry in targets.values())
    ledger = {"command": "fuzz", "inputs": total, "targets": dict(sorted(targets.items()))}
    file.write_text(json.dumps(ledger, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.stdin))
