"""Prices in a configuration: exact, or refused in their place."""

from typing import Any

import pytest

from llm_edge_agent.config import Config, config_schema, load_tree, resolved
from llm_edge_agent.config.usd import UsdPerMillion, pico_usd_per_token
from llm_edge_agent.errors import ConfigError


def loaded(price: object, key: str = "p/m") -> Config:
    tree: dict[str, Any] = {
        "providers": {"p": {"type": "openai", "api_key": "k"}},
        "catalog": {"models": {key: {"price": {"input": price}}}},
    }
    return load_tree(tree, env={"PRICE": "0.25"}).config


@pytest.mark.parametrize(
    ("written", "pico"),
    [
        (0.0375, 37_500),
        ("0.0375", 37_500),
        (0.1, 100_000),
        (3, 3_000_000),
        ("15.00", 15_000_000),
        ("2.500000000", 2_500_000),
        (1e-06, 1),
        ("1e-6", 1),
        (0, 0),
        ("10000", 10_000_000_000),
        ("${PRICE}", 250_000),
    ],
)
def test_a_price_is_converted_exactly(written: object, pico: int) -> None:
    found = loaded(written).catalog.models["p/m"].price.input
    assert found is not None
    assert found.pico_usd_per_token == pico


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (-0.1, "`-0.1` is negative"),
        ("-1", "`-1` is negative"),
        (float("nan"), "is not a finite number"),
        ("inf", "`inf` is not a finite number"),
        (0.0000001, "is finer than 0.000001 USD per million tokens"),
        ("1.2345678", "`1.2345678` is finer"),
        ("1e-999999999", "is finer"),
        ("1e999999999", "is above 10000 USD"),
        (10000.01, "`10000.01` is above 10000 USD per million tokens"),
        ("$3", "`$3` is not a decimal number"),
        ("1_000", "is not a decimal number"),
        ("1,5", "is not a decimal number"),
        ("", "is not a decimal number"),
        ("٣", "is not a decimal number"),
        (True, "expected a price in USD per million tokens, found `true`"),
        ([1], "expected a price in USD per million tokens, found a list"),
    ],
)
def test_what_is_no_price_is_refused_in_its_place(written: object, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(written)
    (error,) = caught.value.errors
    assert error.path == 'catalog.models["p/m"].price.input'
    assert says in error.message


def test_a_provider_that_is_not_configured_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown provider `q`\. hint: known here: `p`"):
        loaded(1, "q/m")


def test_a_model_without_its_provider_is_refused() -> None:
    with pytest.raises(ConfigError, match="`gpt-4o` is not a valid name"):
        loaded(1, "gpt-4o")


def test_tiers_in_disorder_are_refused() -> None:
    tiers = [{"above_input_tokens": 5, "input": 1}, {"above_input_tokens": 5, "input": 2}]
    tree: dict[str, Any] = {
        "providers": {"p": {"type": "openai", "api_key": "k"}},
        "catalog": {"models": {"p/m": {"price": {"tiers": tiers}}}},
    }
    with pytest.raises(ConfigError, match="`5` is not above the tier before it"):
        load_tree(tree, env={})


def test_a_price_is_shown_as_it_is_in_effect() -> None:
    shown = resolved(loaded("0.0750"))
    assert shown["catalog"]["models"]["p/m"]["price"]["input"] == "0.075"


def test_the_published_schema_takes_numbers_and_text() -> None:
    rates = config_schema()["$defs"]["CatalogPrice"]["properties"]
    assert ["number", "string"] in [choice.get("type") for choice in rates["input"]["anyOf"]]


def test_prices_are_values() -> None:
    assert UsdPerMillion("1.0") == UsdPerMillion(1)
    assert len({UsdPerMillion("1.0"), UsdPerMillion(1)}) == 1
    assert str(UsdPerMillion("10000")) == "10000"
    assert pico_usd_per_token("123.456789") == 123_456_789
