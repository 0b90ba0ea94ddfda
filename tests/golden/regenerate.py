"""Writes the golden files anew: `python -m tests.golden.regenerate`; read the diff afterwards."""

import shutil
import tempfile
from pathlib import Path

from tests.golden import decision_cases, provider_cases
from tests.golden.snapshot_cases import FOLDER, cases, text


def main() -> None:
    """Write one JSON file per case, and remove those that have none."""
    wanted = set()
    with tempfile.TemporaryDirectory() as folder:
        for case in decision_cases.cases():
            path = case.with_suffix(".json")
            path.write_bytes(decision_cases.text(decision_cases.answered(case, Path(folder))))
            wanted.add(path)
    _write_providers()
    for case in cases():
        path = case.with_suffix(".json")
        path.write_bytes(text(case))
        wanted.add(path)
    found = {*FOLDER.glob("*.json"), *decision_cases.FOLDER.glob("*.json")}
    for path in found - wanted:
        path.unlink()


def _write_providers() -> None:
    shutil.rmtree(provider_cases.FOLDER, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder, provider_cases.gateway(Path(folder)) as hop:
        for name in provider_cases.TYPES:
            (provider_cases.FOLDER / name).mkdir(parents=True)
            for file, said in provider_cases.asked(hop, name).items():
                (provider_cases.FOLDER / name / file).write_text(said)


if __name__ == "__main__":
    main()
