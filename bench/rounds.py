"""Interleaved rounds: A B A B…, a ratio from each round, the median of the ratios.

A round counts only if no request failed in it, the host took away at most a tenth of the time, and
the control was within a fifth of its own median; what is left out is counted and said.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench import machine

STOLEN_MAX = 0.10
CONTROL_OFF_MAX = 0.20
KEPT_MIN = 5


@dataclass(frozen=True)
class Window:
    """One side of one round."""

    value: float
    """What is compared, lower is better."""
    failed: int
    more: dict[str, float]
    """Printed and kept, not compared."""


Sides = Mapping[str, Callable[[], Window]]
"""What one window of each side of a comparison is."""


@dataclass(frozen=True)
class Comparison:
    """Rounds of two or more sides."""

    sides: dict[str, list[Window]]
    """Kept rounds only, by side, in order."""
    ratios: list[float]
    dropped: dict[str, int]
    """Rounds left out, by reason."""

    @property
    def ratio(self) -> float:
        """Median of the ratios; not a number where every round was dropped."""
        return statistics.median(self.ratios) if self.ratios else float("nan")

    def median(self, side: str, name: str = "") -> float:
        """Median of what is compared, or of one of the further figures."""
        values = [w.more[name] if name else w.value for w in self.sides[side]]
        return statistics.median(values) if values else float("nan")

    def summary(self) -> dict[str, object]:
        """For a result file."""
        sides = {
            side: {
                "median": self.median(side),
                "values": [w.value for w in windows],
                **{f"median_{name}": self.median(side, name) for name in _names(windows)},
            }
            for side, windows in self.sides.items()
        }
        return {
            "ratio": self.ratio,
            "ratio_min": min(self.ratios, default=float("nan")),
            "ratio_max": max(self.ratios, default=float("nan")),
            "rounds_kept": len(self.ratios),
            "rounds_dropped": self.dropped,
            "sides": sides,
        }


def _names(windows: list[Window]) -> list[str]:
    return list(windows[0].more) if windows else []


def compare(
    sides: Sides,
    rounds: int,
    *,
    subject: str,
    control: str,
    control_off_max: float = CONTROL_OFF_MAX,
) -> Comparison:
    """Run every side once a round.

    Where fewer than five rounds count, more follow, up to twice as many as asked for.

    Args:
        sides: By name.
        rounds: How many.
        subject: The side above the fraction line.
        control: The side below it.
        control_off_max: How far from its median the control may be; figures of the tail need more.
    """
    rows = {"": sides}
    compared = compare_rows(
        rows, rounds, subject=subject, control=control, control_off_max=control_off_max
    )
    return compared[""]


def compare_rows(
    rows: Mapping[str, Sides],
    rounds: int,
    *,
    subject: str,
    control: str,
    control_off_max: float = CONTROL_OFF_MAX,
) -> dict[str, Comparison]:
    """The same for several rows, each once a round.

    A host that is slower for some minutes is so for a few rounds of every row, not for all of one.
    """
    runs = {name: _Run() for name in rows}
    while True:
        for name, sides in rows.items():
            runs[name].play(sides)
        compared = {
            name: run.judge(subject, control, control_off_max) for name, run in runs.items()
        }
        played = min(len(run.done) for run in runs.values())
        enough = all(len(one.ratios) >= KEPT_MIN for one in compared.values())
        if (enough and played >= rounds) or played >= 2 * rounds:
            return compared


@dataclass
class _Run:
    """The rounds of one row so far."""

    done: list[dict[str, Window]] = field(default_factory=list)
    stolen: list[float] = field(default_factory=list)
    """Of each round, the share that the host took away."""

    def play(self, sides: Sides) -> None:
        before = machine.cpu_ticks()
        self.done.append({name: run() for name, run in sides.items()})
        self.stolen.append(machine.stolen(before, machine.cpu_ticks()))

    def judge(self, subject: str, control: str, control_off_max: float) -> Comparison:
        middle = statistics.median(one[control].value for one in self.done)
        dropped = {"failed": 0, "stolen": 0, "control": 0}
        kept: list[dict[str, Window]] = []
        for one, share in zip(self.done, self.stolen, strict=True):
            off = abs(one[control].value / middle - 1)
            if any(window.failed for window in one.values()):
                dropped["failed"] += 1
            elif share > STOLEN_MAX:
                dropped["stolen"] += 1
            elif off > control_off_max:
                dropped["control"] += 1
            else:
                kept.append(one)
        ratios = [one[subject].value / one[control].value for one in kept]
        sides = {name: [one[name] for one in kept] for name in self.done[0]}
        return Comparison(sides, ratios, dropped)
