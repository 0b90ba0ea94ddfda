"""What tokens cost: whole numbers, and None where it is not known."""

import pytest

from llm_edge_agent.catalog import Price, Tier, usd, usd_per_million

TIERED = Price(
    input=1_250_000,
    output=10_000_000,
    cached_input=125_000,
    tiers=(
        Tier(above_input_tokens=200_000, input=2_500_000, output=15_000_000, cached_input=250_000),
    ),
)


def test_a_request_costs_whole_pico_usd() -> None:
    price = Price(input=37_500, output=150_001)
    assert price.cost(input_tokens=3, output_tokens=1) == 3 * 37_500 + 150_001


def test_what_the_cache_had_is_taken_off_the_input() -> None:
    cost = TIERED.cost(input_tokens=1000, cached_tokens=400, output_tokens=10)
    assert cost == 600 * 1_250_000 + 400 * 125_000 + 10 * 10_000_000


def test_a_long_request_pays_the_higher_price_for_every_token() -> None:
    assert TIERED.cost(input_tokens=200_000, output_tokens=0) == 200_000 * 1_250_000
    assert TIERED.cost(input_tokens=200_001, output_tokens=1) == 200_001 * 2_500_000 + 15_000_000


def test_a_cost_that_takes_an_unknown_price_is_unknown() -> None:
    assert Price(input=5).cost(input_tokens=1, output_tokens=1) is None
    assert Price(output=5).cost(input_tokens=1, output_tokens=1) is None


def test_what_the_cache_had_costs_as_other_input_where_it_has_no_price() -> None:
    price = Price(input=5, output=7)
    assert price.cost(input_tokens=3, cached_tokens=2, output_tokens=1) == 3 * 5 + 7


def test_an_unknown_price_that_is_not_needed_does_no_harm() -> None:
    assert Price(input=5).cost(input_tokens=2, output_tokens=0) == 10


def test_a_price_of_nothing_is_known() -> None:
    assert Price(input=0, output=0).cost(input_tokens=9, output_tokens=9) == 0


@pytest.mark.parametrize(
    ("pico", "text"), [(37_500, "0.0375"), (0, "0"), (1, "0.000001"), (600_000_000, "600")]
)
def test_prices_are_shown_exactly(pico: int, text: str) -> None:
    assert usd_per_million(pico) == text


def test_costs_are_shown_exactly() -> None:
    assert usd(123_456_789_012_345_678) == "123456.789012345678"
    assert usd(1) == "0.000000000001"
    assert usd(10**13) == "10"
