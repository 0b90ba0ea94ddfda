"""Generated pages: written, or with `--check` compared with what is there."""

import sys
from pathlib import Path

from bench.programs import ROOT


def main(page: Path, text: str, module: str) -> int:
    """Write `text` to the page, or say that it is stale; returns the exit code."""
    if "--check" not in sys.argv[1:]:
        page.write_text(text)
    elif not page.exists() or page.read_text() != text:
        print(f"{page.relative_to(ROOT)} is stale: python -m {module}", file=sys.stderr)
        return 1
    return 0
