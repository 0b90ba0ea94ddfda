"""The engine decides as is written down, and what is written down is what a configuration means."""

import re
from pathlib import Path

import msgspec
import pytest

from llm_edge_agent.catalog import CAPABILITIES
from llm_edge_agent.cli import route
from llm_edge_agent.engine import Engine, EngineOptions, ListenOptions
from tests.golden.decision_cases import answered, cases, text


class Row(msgspec.Struct):
    """What is looked at here of a target in a table."""

    standing: str
    excluded: str | None


class Table(msgspec.Struct):
    """And of a table."""

    strategy: str
    targets: list[Row]


def tables() -> list[Table]:
    """Those of all cases, as they are written down."""
    written = [case.with_suffix(".json").read_bytes() for case in cases()]
    explanations = [msgspec.json.decode(text)["explanation"] for text in written]
    return [msgspec.convert(table, Table) for told in explanations for table in told["routes"]]


def reasons_counted(folder: Path) -> set[str]:
    """Why the engine leaves targets out: its metrics have a row for each reason from the start."""
    running = Engine(
        EngineOptions(listen=ListenOptions(host="127.0.0.1", port=0), workers=1, pepper="0" * 64)
    )
    running.apply(bytes(answered(cases()[0], folder).snapshot))
    running.start()
    try:
        rows = running.metrics().decode()
    finally:
        running.stop()
    counter = r'^llm_edge_routing_exclusions_total{.*reason="(\w+)"}'
    return set(re.findall(counter, rows, re.MULTILINE))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.stem)
def test_a_decision_is_as_it_is_written(case: Path, tmp_path: Path) -> None:
    assert text(answered(case, tmp_path)) == case.with_suffix(".json").read_bytes()


def test_the_cases_show_each_strategy_and_each_standing() -> None:
    found = tables()
    assert {table.strategy for table in found} == {
        "affinity",
        "cost",
        "latency",
        "least_in_flight",
        "ordered",
        "round_robin",
        "weighted",
    }
    standings = {row.standing for table in found for row in table.targets}
    assert standings == {"ready", "resting", "open", "too_long", "excluded"}


def test_the_cases_show_each_reason_to_leave_a_target_out(tmp_path: Path) -> None:
    counted = reasons_counted(tmp_path)
    assert {"operation", *CAPABILITIES, "context_window"} == counted
    assert {row.excluded for table in tables() for row in table.targets} - {None} == counted


def test_a_need_has_one_word_everywhere() -> None:
    assert route.NEEDS == CAPABILITIES
