"""The program run to its end, for starts that fail and verbs that return."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.gateway import clean_environment, interpreter, program

END_S = 20.0
DEADLINE_S = 10.0


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
    """Run code with the Python of the program and return what it prints."""
    return subprocess.run(
        [interpreter(), "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env=clean_environment(folder),
        timeout=END_S,
    ).stdout


def wait_until(true: Callable[[], object]) -> None:
    """Ask again and again until it is so, within a bound."""
    end = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        signal.sigtimedwait([], 0.05)
