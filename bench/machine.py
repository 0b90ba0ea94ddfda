"""What the kernel says: CPU time and memory of a process tree, stolen time, the machine itself.

All from /proc. CPU time is what the scheduler accounted to each thread, in nanoseconds: user and
system time together, finer than the hundredths of a second in `stat`.
"""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_PROC = Path("/proc")
_MIB = 1024 * 1024


def tree(pid: int) -> list[int]:
    """The process and everything it started, as far as it still runs."""
    found = [pid]
    for at in found:
        for task in _PROC.glob(f"{at}/task/*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue  # That thread has just ended.
    return found


@dataclass(frozen=True)
class Usage:
    """What a process tree has used so far."""

    cpu_s: float
    switches: int

    def since(self, before: "Usage") -> "Usage":
        """What was used from `before` to here."""
        return Usage(self.cpu_s - before.cpu_s, self.switches - before.switches)


def usage(pid: int) -> Usage:
    """CPU seconds and context switches of the tree, its living threads only."""
    nanoseconds = switches = 0
    for process in tree(pid):
        for task in _PROC.glob(f"{process}/task/[0-9]*"):
            try:
                nanoseconds += int((task / "schedstat").read_text().split()[0])
                status = (task / "status").read_text()
            except OSError:
                continue
            lines = (line for line in status.splitlines() if "voluntary_ctxt_switches" in line)
            switches += sum(int(line.split()[1]) for line in lines)
    return Usage(nanoseconds / 1e9, switches)


def resident_mib(pid: int) -> float:
    """Resident memory of the tree, counted exactly (pages shared within the tree count twice)."""
    kib = 0
    for process in tree(pid):
        for line in (_PROC / str(process) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                kib += int(line.split()[1])
    return kib * 1024 / _MIB


def stolen(before: list[int], after: list[int]) -> float:
    """Share of time that the host took away between two readings of `cpu_ticks`."""
    spent = [b - a for a, b in zip(before, after, strict=True)]
    return spent[7] / max(sum(spent[:8]), 1)


def cpu_ticks() -> list[int]:
    """First line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal and so on."""
    with (_PROC / "stat").open() as stat:
        return [int(word) for word in stat.readline().split()[1:]]


def load_average() -> float:
    """Runnable processes over the last minute; above the number of cores, others are at work."""
    return os.getloadavg()[0]


def describe() -> dict[str, object]:
    """The machine, for a result file; nothing in it names a host or a path."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = next(
        int(line.split()[1]) / 1024**2
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal")
    )
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "load_average": load_average(),
    }


def version_of(*command: str) -> str:
    """The first line that a program prints about its version."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def version_of_rustc() -> str:
    """The compiler that builds what is measured."""
    return version_of("rustc", "--version").split()[1]
