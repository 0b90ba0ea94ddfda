"""When a run of the benchmarks fails, and that it is written down how long it took."""

import pytest

from bench import report, run
from bench.scenarios import FULL, QUICK, Plan
from bench.verdicts import FIGURES, Row

GOOD = Row("allocations", 1.0)
BAD = Row("allocations", 9.0)
# Noise has the last word on these; they are printed.
UNGATED = Row("added_p99", 99.0)


@pytest.mark.parametrize(
    ("plan", "rows", "seconds", "failed"),
    [
        (QUICK, [GOOD, UNGATED], 300.0, []),
        (QUICK, [GOOD], 300.6, ["took 301 s; 300 s are allowed"]),
        (QUICK, [GOOD, BAD], 10.0, ["allocations"]),
        (QUICK, [BAD], 1000.0, ["allocations", "took 1000 s; 300 s are allowed"]),
        (FULL, [GOOD], 100_000.0, []),
        (FULL, [BAD], 10.0, ["allocations"]),
    ],
)
def test_a_run_fails_by_its_figures_and_a_quick_one_by_its_time_too(
    plan: Plan, rows: list[Row], seconds: float, failed: list[str]
) -> None:
    assert run.failures(plan, rows, seconds) == failed


def test_the_page_says_how_long_the_run_took_where_that_was_written_down() -> None:
    result = {
        "machine": {
            "date": "2026-01-01",
            "cpu": "A",
            "cores": 2,
            "memory_gib": 8,
            "kernel": "6.1",
        },
        "versions": {"nginx": "1.22.1"},
        "rows": [GOOD.as_json()],
    }
    without, with_it = (
        "".join(report.figures(one)) for one in (result, result | {"seconds": 1234.5})
    )
    assert FIGURES[GOOD.key].what in without
    assert "The run took" not in without
    assert with_it == without.replace("nginx 1.22.1.\n", "nginx 1.22.1. The run took 21 minutes.\n")
