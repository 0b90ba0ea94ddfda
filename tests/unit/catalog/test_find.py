"""A name finds the model that it names, or nothing."""

import pytest

from llm_edge_agent.catalog import Capabilities, Catalog, Price, Source
from llm_edge_agent.catalog.document import Record, encode

SOURCES = {
    "prices": Source(name="prices", date="2026-11-10"),
    "facts": Source(name="facts", date="2026-11-04"),
    "older": Source(name="older", date="2026-08-18"),
}


def priced(model: str, price: int, *aliases: str) -> Record:
    return Record(model=model, aliases=aliases, price=Price(input=price), price_from=("prices",))


def catalog(**models: list[Record]) -> Catalog:
    return Catalog.parse(encode("2026-11-10", SOURCES, models))


ONE = catalog(
    openai=[
        priced("gpt-9", 1),
        priced("gpt-9-2026-01-01", 2),
        priced("gpt-9-mini", 3, "gpt-9", "gpt-9-small"),
        priced("ft:gpt-9", 4),
        priced("large-3-latest", 5),
        priced("pro-latest", 12),
        priced("flash", 13),
    ],
    aws=[
        priced("anthropic.claude-x", 6),
        priced("global.anthropic.claude-x", 7),
        priced("anthropic.claude-y-20260101-v1:0", 8),
        priced("titan-v1", 9),
    ],
    google=[priced("gemini-3-pro", 10), priced("text-embedding-004", 11)],
)


@pytest.mark.parametrize(
    ("provider", "name", "price"),
    [
        ("openai", "gpt-9", 1),
        ("openai", "GPT-9", 1),
        ("openai", "gpt-9-2026-01-01", 2),
        ("openai", "gpt-9-20260101", 2),
        ("openai", "gpt-9-2026-02-02", 1),
        ("openai", "gpt-9-20260202", 1),
        ("openai", "gpt-9-latest", 1),
        ("openai", "gpt-9-small", 3),
        ("openai", "gpt-9-small-2026-02-02", 3),
        ("openai", "ft:gpt-9:org:name:id", 4),
        ("openai", "ft:gpt-9-2026-01-01:org::id", 4),
        ("openai", "large-3", 5),
        ("openai", "large-3-2026-01-01", 5),
        ("aws", "us.anthropic.claude-x", 6),
        ("aws", "eu.anthropic.claude-x-20260101-v1:0", 6),
        ("aws", "global.anthropic.claude-x", 7),
        ("aws", "anthropic.claude-x-20260101-v2:0", 6),
        ("aws", "anthropic.claude-x-v1:0", 6),
        ("aws", "us.anthropic.claude-y-20260101-v1:0", 8),
        ("aws", "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-x", 6),
        ("aws", "arn:aws:bedrock:eu-west-1:12:inference-profile/eu.anthropic.claude-x", 6),
        ("google", "gemini-3-pro-001", 10),
        ("google", "gemini-3-pro@20260101", 10),
        ("google", "models/gemini-3-pro", 10),
        ("google", "publishers/google/models/gemini-3-pro", 10),
    ],
)
def test_a_name_finds_its_model(provider: str, name: str, price: int) -> None:
    found = ONE.find([provider], name)
    assert found is not None
    assert found.price == Price(input=price)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "gpt-y"),
        ("openai", "gpt-9-pro"),
        ("openai", "gpt-9.1"),
        ("openai", "gpt"),
        ("openai", "gpt-9-mini-2"),
        ("openai", "my-gpt-9"),
        ("openai", "latest"),
        ("openai", "pro"),
        ("openai", "flash-latest"),
        ("openai", "-latest"),
        ("openai", ""),
        ("aws", "gpt-9"),
        ("aws", "titan-v2"),
        ("aws", "anthropic.claude-x-v2:0"),
        ("aws", "global.anthropic.claude-y-20260101-v1:0"),
        ("aws", "arn:aws:bedrock:eu-west-1:12:application-inference-profile/abc"),
        ("google", "text-embedding-005"),
        ("nobody", "gpt-9"),
    ],
)
def test_another_models_price_is_never_guessed(provider: str, name: str) -> None:
    assert ONE.find([provider], name) is None


def test_what_the_first_provider_does_not_say_the_next_says() -> None:
    known = Record(
        model="gpt-9",
        context_window=100,
        capabilities=Capabilities(tools=True),
        facts_from=("older",),
    )
    other = Record(
        model="gpt-9",
        context_window=900,
        output_max=50,
        capabilities=Capabilities(tools=False, vision=True),
        price=Price(input=1),
        status="deprecated",
        facts_from=("facts",),
        price_from=("prices",),
    )
    found = catalog(azure=[known], openai=[other]).find(["azure", "openai"], "gpt-9")
    assert found is not None
    assert (found.provider, found.context_window, found.output_max) == ("azure", 100, 50)
    assert found.capabilities == Capabilities(tools=True, vision=True)
    assert found.price == Price(input=1)
    assert found.status is None, "the one's end is not the other's"
    assert [source.name for source in found.capabilities_sources] == ["older", "facts"]
    assert [source.name for source in found.price_sources] == ["prices"]


def test_a_price_is_never_put_together_from_two() -> None:
    halves = catalog(azure=[priced("m", 1)], openai=[priced("m", 2)])
    whole = Record(model="m", price=Price(input=3, output=4), price_from=("prices",))
    both = catalog(azure=[priced("m", 1)], openai=[whole])
    assert halves.find(["azure", "openai"], "m").price == Price(input=1)  # type: ignore[union-attr]
    assert both.find(["azure", "openai"], "m").price == Price(input=1)  # type: ignore[union-attr]


def test_a_catalog_is_gone_through_by_provider_and_model() -> None:
    names = [(facts.provider, facts.model) for facts in ONE]
    assert names == sorted(names)
    assert len(names) == 13
