"""What is known of a model, in words for people and in members for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from llm_edge_agent.catalog import CAPABILITIES, RATES, usd, usd_per_million

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_edge_agent.catalog import ModelFacts, Price, Rates

__all__ = ["document_of", "lines_of", "price_lines", "priced"]


def document_of(target: str, facts: ModelFacts | None) -> dict[str, Any]:
    """What is known, as scripts read it: null where it is not known, prices in pico-USD."""
    row: dict[str, Any] = {"target": target, "facts": None}
    if facts is not None:
        known = asdict(facts)
        known["capabilities"] = asdict(facts.capabilities)
        price = known.pop("price")
        known["price_pico_usd_per_token"] = None
        if price is not None:
            tiers = [asdict(tier) for tier in price.tiers]
            known["price_pico_usd_per_token"] = asdict(price) | {"tiers": tiers}
        row["facts"] = known
    return row


def lines_of(facts: ModelFacts) -> Iterator[tuple[str, str]]:
    """What is known, in words: what, and what is said of it."""
    yield "catalog entry", f"{facts.provider}/{facts.model}"
    yield "context window", _tokens(facts.context_window)
    yield "output at most", _tokens(facts.output_max)
    for name in CAPABILITIES:
        yield name.replace("_", " "), _switch(getattr(facts.capabilities, name))
    yield "released", facts.released or "not known"
    if facts.status is not None:
        yield "status", facts.status
    yield "  so says", "; ".join(map(str, facts.capabilities_sources)) or "nobody"
    if facts.price is None:
        yield "price", "not known"
        return
    for what, value in _rates(facts.price):
        yield what, f"{usd_per_million(value)} USD per million tokens"
    for tier in facts.price.tiers:
        yield f"above {tier.above_input_tokens:,} input tokens", ""
        for what, value in _rates(tier):
            yield f"  {what}", f"{usd_per_million(value)} USD per million tokens"
    yield "  so says", "; ".join(map(str, facts.price_sources))


def _rates(rates: Rates) -> Iterator[tuple[str, int]]:
    for name in RATES:
        if (value := getattr(rates, name)) is not None:
            yield name.replace("_", " "), value


def _tokens(count: int | None) -> str:
    return "not known" if count is None else f"{count:,} tokens"


def _switch(value: bool | None) -> str:  # noqa: FBT001 -- a value to show
    return {None: "not known", True: "yes", False: "no"}[value]


def priced(target: str, price: Price | None, counts: dict[str, int] | None) -> dict[str, Any]:
    """One model's price, as scripts read it: USD as decimal text, exact."""
    row: dict[str, Any] = {"target": target, "usd_per_million": None}
    if price is not None:
        rates = price.rates(counts["input_tokens"] if counts else 0)
        row["usd_per_million"] = {
            what.replace(" ", "_"): usd_per_million(value) for what, value in _rates(rates)
        }
        if counts is None and price.tiers:
            row["tiers"] = [
                {"above_input_tokens": tier.above_input_tokens}
                | {what.replace(" ", "_"): usd_per_million(value) for what, value in _rates(tier)}
                for tier in price.tiers
            ]
    if counts is not None:
        cost = None if price is None else price.cost(**counts)
        row["request_usd"] = None if cost is None else usd(cost)
    return row


def price_lines(row: dict[str, Any]) -> Iterator[str]:
    """The same, for people."""
    if row["usd_per_million"] is None:
        yield "not known"
    for what, value in (row["usd_per_million"] or {}).items():
        yield f"{what:<16}{value} USD per million tokens"
    for tier in row.get("tiers", ()):
        yield f"above {tier['above_input_tokens']:,} input tokens"
        for what, value in tier.items():
            if what != "above_input_tokens":
                yield f"  {what:<14}{value} USD per million tokens"
    if "request_usd" in row:
        cost = row["request_usd"]
        yield f"{'this request':<16}{'not known' if cost is None else f'{cost} USD'}"
