"""Interleaved rounds: A B A B…, a ratio from each round, the median of the ratios.

A round counts only if no request failed in it, the host took away at most a tenth of the time, and
the control was within a fifth of its own median; what is left out is counted and said.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
    sides: Mapping[str, Callable[[], Window]],
    rounds: int,
    *,
    subject: str,
    control: str,
    control_off_max: float = CONTROL_OFF_MAX,
) -> Comparison:
    """Run every side once a round.

    Where fewer than five rounds count, more follow, up to twice as many as asked for.

    Args:
        sides: What one window of each side is.
        rounds: How many.
        subject: The side above the fraction line.
        control: The side below it.
        control_off_max: How far from its median the control may be; figures of the tail need more.
    """
    done: list[dict[str, Window]] = []
    stolen: list[float] = []
    while True:
        before = machine.cpu_ticks()
        done.append({name: run() for name, run in sides.items()})
        stolen.append(machine.stolen(before, machine.cpu_ticks()))
        compared = _judge(done, stolen, subject, control, control_off_max)
        enough = len(compared.ratios) >= KEPT_MIN and len(done) >= rounds
        if enough or len(done) >= 2 * rounds:
            return compared


def _judge(
    done: list[dict[str, Window]],
    stolen: list[float],
    subject: str,
    control: str,
    control_off_max: float,
) -> Comparison:
    middle = statistics.median(one[control].value for one in done)
    dropped = {"failed": 0, "stolen": 0, "control": 0}
    kept: list[dict[str, Window]] = []
    for one, share in zip(done, stolen, strict=True):
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
    return Comparison({name: [one[name] for one in kept] for name in done[0]}, ratios, dropped)
