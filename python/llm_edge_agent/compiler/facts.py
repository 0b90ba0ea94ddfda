"""What the catalog knows of a target's model, as the engine wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_edge_agent.catalog import CAPABILITIES, all_facts, facts_for
from llm_edge_agent.compiler.snapshot import (
    KnownModelsDoc,
    ModelFactsDoc,
    PriceDoc,
    RatesDoc,
    TierDoc,
)

if TYPE_CHECKING:
    from llm_edge_agent.catalog import ModelFacts, Price, Rates
    from llm_edge_agent.config.schema import Config, Target

__all__ = ["compile_facts", "compile_known"]


def compile_facts(config: Config, target: Target) -> ModelFactsDoc:
    """What is known; nothing where the client names the model, see `compile_known`.

    Raises:
        ConfigError: The catalog that the configuration leads to cannot be used.
    """
    if target.model is None or target.model == "*":
        return ModelFactsDoc()
    facts = facts_for(config, target.provider, target.model)
    return ModelFactsDoc() if facts is None else _facts(facts)


def compile_known(config: Config, provider: str) -> KnownModelsDoc:
    """What is known of a provider's models, whichever a client may name.

    Raises:
        ConfigError: The catalog that the configuration leads to cannot be used.
    """
    names: dict[str, int] = {}
    places: dict[bytes, int] = {}
    docs: list[ModelFactsDoc] = []
    for name, facts in all_facts(config, provider):
        doc = _facts(facts)
        # Most models have several names.
        at = places.setdefault(msgspec.json.encode(doc), len(docs))
        if at == len(docs):
            docs.append(doc)
        names[name] = at
    return KnownModelsDoc(names=names, facts=docs)


def _facts(facts: ModelFacts) -> ModelFactsDoc:
    lacks = [name for name in CAPABILITIES if getattr(facts.capabilities, name) is False]
    price = None if facts.price is None else _price(facts.price)
    return ModelFactsDoc(lacks=lacks, context_window=facts.context_window, price=price)


def _price(price: Price) -> PriceDoc | None:
    base = _rates(price)
    if base is None:
        return None
    tiers = [
        TierDoc(above_input_tokens=tier.above_input_tokens, rates=rates)
        for tier in sorted(price.tiers, key=lambda tier: tier.above_input_tokens)
        if (rates := _rates(tier)) is not None
    ]
    return PriceDoc(base=base, tiers=tiers)


def _rates(rates: Rates) -> RatesDoc | None:
    """None where a prompt or a reply has no known price: half a sum would look like a low one."""
    if rates.input is None or rates.output is None:
        return None
    return RatesDoc(
        input=rates.input,
        output=rates.output,
        cached_input=rates.cached_input,
        cache_write=rates.cache_write,
        cache_write_1h=rates.cache_write_1h,
    )
