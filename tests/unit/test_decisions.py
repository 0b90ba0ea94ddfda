"""The engine decides as is written down, and what is written down is what a configuration means."""

from pathlib import Path

import msgspec
import pytest

from llm_edge_agent.catalog import CAPABILITIES
from llm_edge_agent.cli import route
from tests.golden.decision_cases import answered, cases, text


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.stem)
def test_a_decision_is_as_it_is_written(case: Path, tmp_path: Path) -> None:
    assert text(answered(case, tmp_path)) == case.with_suffix(".json").read_bytes()


def test_the_cases_show_each_strategy_and_each_standing() -> None:
    strategies, standings = set(), set()
    for case in cases():
        found = msgspec.json.decode(case.with_suffix(".json").read_bytes())["explanation"]
        strategies |= {table["strategy"] for table in found["routes"]}
        standings |= {row["standing"] for table in found["routes"] for row in table["targets"]}
    assert strategies == {
        "affinity",
        "cost",
        "latency",
        "least_in_flight",
        "ordered",
        "round_robin",
        "weighted",
    }
    assert standings == {"ready", "resting", "open", "too_long", "excluded"}


def test_a_need_has_one_word_everywhere() -> None:
    assert route.NEEDS == CAPABILITIES
