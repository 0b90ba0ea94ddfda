"""What is measured, one file for each kind of figure; each gives rows and their details."""

from dataclasses import dataclass, field

from bench.programs import Running
from bench.verdicts import Row


@dataclass(frozen=True)
class Plan:
    """How long a run takes."""

    name: str
    rounds: int
    window_s: int
    k6_s: int
    starts: int
    idle_connections: int
    extra: bool
    """Figures without a limit, too."""
    seconds_max: int | None = None
    """A run that takes longer fails: what is too slow to be run often is not run."""


QUICK = Plan(
    "quick",
    rounds=5,
    window_s=1,
    k6_s=10,
    starts=5,
    idle_connections=1000,
    extra=False,
    seconds_max=300,
)
FULL = Plan("full", rounds=11, window_s=2, k6_s=60, starts=10, idle_connections=5000, extra=True)


@dataclass(frozen=True)
class Stage:
    """What runs while the figures are taken."""

    upstream: Running
    gateway: Running
    proxy: Running
    plan: Plan


@dataclass
class Found:
    """Rows for the table, and what they were made from."""

    rows: list[Row] = field(default_factory=list)
    details: dict[str, object] = field(default_factory=dict)
