"""A share of a processor for a program, by the kernel's bandwidth control (cgroup version 1 or 2).

Invariant: the group is removed when its program has ended, whatever happened.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from bench.programs import BenchError, tool

_ROOT = Path("/sys/fs/cgroup")
_REMOVE_S = 10.0


@contextlib.contextmanager
def limited(quota_us: int, period_us: int) -> Iterator[list[str]]:
    """A group that may run `quota_us` of every `period_us`.

    Yields:
        What to put before a command so that it runs, with all its threads, in the group.

    Raises:
        BenchError: There is no bandwidth control here, or no right to use it.
    """
    first = _ROOT / "cpu"
    group = (first if first.is_dir() else _ROOT) / f"llm-edge-bench-{os.getpid()}"
    try:
        if not first.is_dir():
            (_ROOT / "cgroup.subtree_control").write_text("+cpu")
        group.mkdir()
        if first.is_dir():
            (group / "cpu.cfs_period_us").write_text(str(period_us))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (group / "cpu.max").write_text(f"{quota_us} {period_us}")
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        raise BenchError(f"a processor quota cannot be set (root is needed): {error}") from None
    try:
        join = f'echo $$ > "{group}/cgroup.procs" && exec "$@"'
        yield [tool("sh"), "-c", join, "sh"]
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    end = time.monotonic() + _REMOVE_S
    while True:
        try:
            group.rmdir()
        except OSError as error:
            # The kernel lets go of the last thread a moment after its end.
            if time.monotonic() > end:
                raise BenchError(f"{group} cannot be removed: {error}") from None
            time.sleep(0.05)
        else:
            return


def throttled_s(command: list[str]) -> float:
    """How long the group's threads were kept waiting so far; 0 where the kernel does not tell."""
    group = Path(command[2].split('"')[1]).parent
    for line in (group / "cpu.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "throttled_time":
            return int(value) / 1e9
        if name == "throttled_usec":
            return int(value) / 1e6
    return 0.0
