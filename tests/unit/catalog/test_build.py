"""How releases of others become the catalog: what is in force, what is a name, what is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from llm_edge_agent.catalog import Capabilities, Price, Tier
from llm_edge_agent.catalog.document import Record
from scripts.catalog import Facts, merged, price_of, priced, profile_record, profiles

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
PINS = {"date": "2026-11-10", "prices": {"key": "prices"}}
SOURCE = """\
from .types import *

providers: list[Provider] = [
    Provider(id='x', models=[{models}]),
]
"""


def models(*written: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = priced(SOURCE.replace("{models}", ", ".join(written)).encode())[
        "x"
    ]["models"]
    return found


def model(prices: str, name: str = "m", match: str = "ClauseEquals(equals='m')") -> str:
    return f"ModelInfo(id='{name}', match={match}, prices={prices})"


def usd(amount: str) -> str:
    return f"ModelPrice(input_mtok=Decimal('{amount}'))"


def test_prices_are_taken_exactly() -> None:
    (found,) = models(
        model(
            "ModelPrice(input_mtok=Decimal('0.1'), cache_read_mtok=Decimal('0.025'),"
            " output_mtok=Decimal('0.4'), cache_write_mtok=Decimal('0.125'),"
            " cache_write_1h_mtok=Decimal('0.2'), web_searches_kcount=Decimal('10'))"
        )
    )
    assert price_of(found, NOON) == Price(
        input=100_000,
        output=400_000,
        cached_input=25_000,
        cache_write=125_000,
        cache_write_1h=200_000,
    )


def test_what_has_no_price_for_tokens_has_none() -> None:
    (found,) = models(model("ModelPrice(audio_hours=Decimal('1'))"))
    assert price_of(found, NOON) is None


def test_each_tier_has_every_price_that_holds_in_it() -> None:
    (found,) = models(
        model(
            "ModelPrice(input_mtok=TieredPrices(base=Decimal('1'),"
            " tiers=[Tier(start=200, price=Decimal('2')), Tier(start=900, price=Decimal('3'))]),"
            " output_mtok=TieredPrices(base=Decimal('5'),"
            " tiers=[Tier(start=200, price=Decimal('6'))]), cache_read_mtok=Decimal('0.1'))"
        )
    )
    assert price_of(found, NOON) == Price(
        input=1_000_000,
        output=5_000_000,
        cached_input=100_000,
        tiers=(
            Tier(above_input_tokens=200, input=2_000_000, output=6_000_000, cached_input=100_000),
            Tier(above_input_tokens=900, input=3_000_000, output=6_000_000, cached_input=100_000),
        ),
    )


@pytest.mark.parametrize(
    ("day", "price"),
    [("2026, 11, 11", 1_000_000), ("2026, 11, 10", 2_000_000), ("2026, 1, 1", 2_000_000)],
)
def test_a_price_holds_from_its_day_on(day: str, price: int) -> None:
    starts = f"StartDateConstraint(start_date=datetime.date({day}))"
    (found,) = models(
        model(
            f"[ConditionalPrice(prices={usd('1')}),"
            f" ConditionalPrice(constraint={starts}, prices={usd('2')})]"
        )
    )
    assert price_of(found, NOON) == Price(input=price)


@pytest.mark.parametrize(
    ("start", "end", "price"),
    [
        ("0, 30", "16, 30", 2_000_000),
        ("12, 0", "13, 0", 2_000_000),
        ("11, 0", "12, 0", 1_000_000),
        ("20, 0", "4, 0", 1_000_000),
        ("20, 0", "14, 0", 2_000_000),
    ],
)
def test_of_prices_by_the_hour_noon_counts(start: str, end: str, price: int) -> None:
    hours = (
        f"TimeOfDateConstraint(start_time=datetime.time({start}, tzinfo=datetime.UTC),"
        f" end_time=datetime.time({end}, tzinfo=datetime.UTC))"
    )
    (found,) = models(
        model(
            f"[ConditionalPrice(prices={usd('1')}),"
            f" ConditionalPrice(constraint={hours}, prices={usd('2')})]"
        )
    )
    assert price_of(found, NOON) == Price(input=price)


def test_only_batches_that_are_in_force_have_their_price() -> None:
    variant = (
        "PriceVariant(when={{'processing': '{when}'}},"
        " prices=ModelPrice(input_mtok=Decimal('{usd}'), output_mtok=Decimal('7')),"
        " constraint=StartDateConstraint("
        "start_date=datetime.date({day})))"
    )
    written = model(usd("4"))[:-1] + ", price_variants=[{}])"
    variants = [
        variant.format(when="fast", usd="9", day="2026, 1, 1"),
        variant.format(when="batch", usd="8", day="2026, 12, 1"),
        variant.format(when="batch", usd="2", day="2026, 1, 1"),
    ]
    (found,) = models(written.format(", ".join(variants)))
    assert price_of(found, NOON) == Price(
        input=4_000_000, batch_input=2_000_000, batch_output=7_000_000
    )


def test_a_record_is_made_for_each_name_that_either_side_has() -> None:
    known = {
        name: Facts(record=Record(model=name, context_window=window), sources=("facts",))
        for name, window in (("m", 1), ("M-2026-01-01", 2), ("other", 3))
    }
    match = "ClauseOr(or_=[ClauseEquals(equals='m'), ClauseStartsWith(starts_with='the-m-')])"
    found = merged(models(model(usd("1"), match=match), model(usd("5"), name="alone")), known, PINS)
    assert [(record.model, record.context_window, record.price) for record in found] == [
        ("alone", None, Price(input=5_000_000)),
        ("m", 1, Price(input=1_000_000)),
        ("M-2026-01-01", 2, Price(input=1_000_000)),
        ("other", 3, None),
    ]
    assert found[1].aliases == ("the-m", "the-m-latest")
    assert found[1].facts_from == ("facts",)
    assert found[1].price_from == ("prices",)
    assert found[3].price_from == ()


def test_a_profile_says_what_it_says_and_no_more() -> None:
    source = "from typing import Any\n_PROFILES: dict[str, Any] = {'m': {'tool_calling': True}}\n"
    ((name, profile),) = profiles(source.encode())
    record = profile_record(name, profile, None)
    assert record.capabilities == Capabilities(tools=True)
    assert (record.model, record.output_max, record.outputs) == ("m", None, ())


@pytest.mark.parametrize(
    "written", ["open('/etc/passwd')", "__import__('os').getcwd()", "1 + 1", "f'{1}'", "print"]
)
def test_nothing_of_a_release_is_run(written: str) -> None:
    with pytest.raises(SystemExit, match="not a literal"):
        models(f"ModelInfo(id={written})")
