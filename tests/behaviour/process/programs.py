"""The program run to its end, for starts that fail and verbs that return."""

import subprocess
import sys
from pathlib import Path

from tests.support.gateway import clean_environment, program

END_S = 20.0


def run(
    folder: Path, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program in `folder`, which is its home, and return how it ended."""
    return subprocess.run(
        [*program(), *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        env=clean_environment(folder, env),
        timeout=END_S,
    )


def python(folder: Path, code: str) -> str:
    """Run Python code with this interpreter and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env=clean_environment(folder),
        timeout=END_S,
    ).stdout
