"""The simulation of what a choice of model saves keeps to its rule, and its result is today's."""

import json

import pytest

from bench import savings
from bench.savings import Candidate, Request, simulate
from llm_edge_agent.catalog import Capabilities, ModelFacts, Price, embedded

CHEAP = Candidate("openai/cheap", 8_000, 4_000, Price(input=1, output=1), takes_complex=False)
MIDDLE = Candidate("google/middle", 300_000, 8_000, Price(input=3, output=3), takes_complex=True)
DEAR = Candidate("openai/dear", 300_000, 8_000, Price(input=9, output=9), takes_complex=True)
MODELS = [CHEAP, MIDDLE, DEAR]


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (Request(1_999, 1), "simple → openai/cheap"),
        (Request(2_000, 1), "complex → google/middle"),
        (Request(1, 1_999), "simple → openai/cheap"),
    ],
)
def test_a_request_goes_to_the_cheapest_of_its_class(request_: Request, name: str) -> None:
    found = simulate(MODELS, [request_])
    assert found["chosen"] == {name: 1}
    tokens = request_.context + request_.generated
    assert found["default_pico_usd"] == 9 * tokens
    assert found["routed_pico_usd"] == tokens * (1 if name.startswith("simple") else 3)


def test_nothing_goes_where_it_does_not_fit() -> None:
    assert not MIDDLE.takes(Request(299_000, 2_000))
    assert not MIDDLE.takes(Request(1_000, 8_001))
    assert not CHEAP.takes(Request(2_000, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "deprecated"},
        {"status": "beta"},
        {"outputs": ("text", "image")},
        {"provider": "mistral"},
        {"model": "gpt-x-codex"},
        {"model": "gpt-x-pro"},
        {"model": "gpt-x-preview"},
        {"price": None},
        {"price": Price(input=1)},
        {"capabilities": Capabilities(tools=False)},
    ],
)
def test_what_is_no_general_chat_model_is_left_out(change: dict[str, object]) -> None:
    known = {
        "provider": "openai",
        "model": "gpt-x",
        "capabilities": Capabilities(tools=True),
        "price": Price(input=1, output=1),
        "outputs": ("text",),
    }
    assert savings.is_general(ModelFacts(**known))  # type: ignore[arg-type]
    assert not savings.is_general(ModelFacts(**(known | change)))  # type: ignore[arg-type]


def test_complex_requests_are_for_reasoning_models_with_a_large_window() -> None:
    by_name = {f"{facts.provider}/{facts.model}": facts for facts in embedded()}
    models = savings.candidates(embedded())
    assert len(models) > 20
    for model in models:
        facts = by_name[model.name]
        reasons = facts.capabilities.reasoning is True
        assert model.takes_complex is (reasons and model.window >= 200_000), model.name


def test_the_recorded_result_is_what_the_catalog_gives() -> None:
    recorded = json.loads((savings.ROOT / "bench" / "results" / "savings.json").read_text())
    assert recorded == savings.measure(), "make savings; python -m bench.report"
    assert recorded["saving_percent"] >= 30
