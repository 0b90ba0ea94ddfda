"""Writes the golden files anew: `python -m tests.golden.regenerate`; read the diff afterwards."""

import tempfile
from pathlib import Path

from tests.golden import decision_cases
from tests.golden.snapshot_cases import FOLDER, cases, text


def main() -> None:
    """Write one JSON file per case, and remove those that have none."""
    wanted = set()
    with tempfile.TemporaryDirectory() as folder:
        for case in decision_cases.cases():
            path = case.with_suffix(".json")
            path.write_bytes(decision_cases.text(decision_cases.answered(case, Path(folder))))
            wanted.add(path)
    for case in cases():
        path = case.with_suffix(".json")
        path.write_bytes(text(case))
        wanted.add(path)
    found = {*FOLDER.glob("*.json"), *decision_cases.FOLDER.glob("*.json")}
    for path in found - wanted:
        path.unlink()


if __name__ == "__main__":
    main()
