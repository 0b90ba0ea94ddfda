"""Writes the golden files anew: `python -m tests.golden.regenerate`; read the diff afterwards."""

from tests.golden.snapshot_cases import FOLDER, cases, compiled, text


def main() -> None:
    """Write one JSON file per case, and remove those that have none."""
    wanted = set()
    for case in cases():
        path = case.with_suffix(".json")
        path.write_bytes(text(compiled(case).snapshot))
        wanted.add(path)
    for path in set(FOLDER.glob("*.json")) - wanted:
        path.unlink()


if __name__ == "__main__":
    main()
