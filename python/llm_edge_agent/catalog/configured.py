"""The catalog as a configuration has it: which file, and what the operator knows better.

A catalog that is there and cannot be read is an error, never a reason to reckon with another one's
prices.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from llm_edge_agent.catalog.document import BYTES_MAX, CatalogFault
from llm_edge_agent.catalog.facts import CAPABILITIES, ModelFacts, Source
from llm_edge_agent.catalog.index import Catalog, embedded
from llm_edge_agent.catalog.price import RATES, Price, Tier
from llm_edge_agent.config import kept_catalog
from llm_edge_agent.errors import ConfigError
from llm_edge_agent.providers import spec_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from llm_edge_agent.config import Config
    from llm_edge_agent.config.schema import CatalogModel, CatalogPrice, CatalogRates

__all__ = ["all_facts", "catalog_of", "facts_for", "known_names", "replacing_catalog"]

_CONFIGURED = Source(name="configuration")
_CATALOGS_MAX = 4


def facts_for(config: Config, provider_name: str, model: str) -> ModelFacts | None:
    """What is known of a model at a provider of a configuration; None where nothing is.

    Args:
        config: A configuration that has been checked.
        provider_name: What the provider is called in it.
        model: The model, as that provider takes it.

    Raises:
        ConfigError: The catalog that the configuration leads to cannot be used.
    """
    return _facts(config, catalog_of(config), provider_name, model)


def all_facts(config: Config, provider_name: str) -> Iterator[tuple[str, ModelFacts]]:
    """Each model of which something is known at a provider of a configuration, by its names.

    Args:
        config: A configuration that has been checked.
        provider_name: What the provider is called in it.

    Raises:
        ConfigError: The catalog that the configuration leads to cannot be used.
    """
    catalog = catalog_of(config)
    for name in known_names(config, provider_name):
        facts = _facts(config, catalog, provider_name, name)
        if facts is not None:
            yield name, facts


def known_names(config: Config, provider_name: str) -> list[str]:
    """The names of the models of which something may be known at a provider, each once.

    Raises:
        ConfigError: The catalog that the configuration leads to cannot be used.
    """
    names = dict.fromkeys(catalog_of(config).names(_looked_at(config, provider_name)))
    own = f"{provider_name}/"
    names |= dict.fromkeys(
        name.removeprefix(own) for name in config.catalog.models if name.startswith(own)
    )
    return list(names)


def _looked_at(config: Config, provider_name: str) -> Sequence[str]:
    provider = config.providers.get(provider_name)
    return () if provider is None else spec_of(provider.type).catalog


def _facts(config: Config, catalog: Catalog, provider_name: str, model: str) -> ModelFacts | None:
    found = catalog.find(_looked_at(config, provider_name), model)
    own = config.catalog.models.get(f"{provider_name}/{model}")
    if own is None:
        return found
    return _overridden(found or ModelFacts(provider=provider_name, model=model), own)


def catalog_of(config: Config, env: Mapping[str, str] | None = None) -> Catalog:
    """The catalog that holds for a configuration.

    Args:
        config: Names a file, or the state folder that one may lie in.
        env: Environment; the process's own when None.

    Raises:
        ConfigError: A file that is named or kept cannot be read, or is no catalog.
    """
    return replacing_catalog(config, env) or embedded()


def replacing_catalog(config: Config, env: Mapping[str, str] | None = None) -> Catalog | None:
    """The catalog that is named or kept; None where the embedded one holds, which is not read.

    Raises:
        ConfigError: As `catalog_of`.
    """
    if config.catalog.file is not None:
        name = config.catalog.file
        try:
            return _read(Path(name))
        except CatalogFault as error:
            message, hint = f"the file `{name}` {error}", "name another one, or leave it out"
            raise ConfigError(message, path="catalog.file", hint=hint) from None
    kept = kept_catalog(config, env)
    try:
        kept.stat()
    except OSError:
        # A folder that may not be entered is none that anything was put into.
        return None
    try:
        return _read(kept)
    except CatalogFault as error:
        hint = "get another one by `llm-edge-agent models update`, or delete it"
        raise ConfigError(str(error), file=str(kept), hint=hint) from None


def _read(path: Path) -> Catalog:
    try:
        return _parsed(path, _look(path.stat()))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or "no such name"
        raise CatalogFault(f"cannot be read: {reason}") from None


def _look(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=_CATALOGS_MAX)
def _parsed(path: Path, look: tuple[int, ...]) -> Catalog:
    with path.open("rb") as file:
        return Catalog.parse(file.read(BYTES_MAX + 1))


def _overridden(facts: ModelFacts, own: CatalogModel) -> ModelFacts:
    """The facts, with what the configuration says in place of theirs."""
    said: dict[str, Any] = {
        name: value
        for name in ("context_window", "output_max")
        if (value := getattr(own, name)) is not None
    }
    can = {
        name: value
        for name in CAPABILITIES
        if (value := getattr(own.capabilities, name)) is not None
    }
    if said or can:
        said["capabilities"] = replace(facts.capabilities, **can)
        said["capabilities_sources"] = (_CONFIGURED, *facts.capabilities_sources)
    price = _price(facts.price, own.price)
    if price != facts.price:
        said["price"] = price
        said["price_sources"] = (_CONFIGURED, *facts.price_sources)
    return replace(facts, **said)


def _price(price: Price | None, own: CatalogPrice) -> Price | None:
    rates = _rates(own)
    if not rates and own.tiers is None:
        return price
    price = Price() if price is None else price
    tiers = tuple(replace(tier, **rates) for tier in price.tiers)
    price = replace(price, **rates, tiers=tiers)
    if own.tiers is None:
        return price
    base = {name: getattr(price, name) for name in RATES}
    tiers = tuple(
        Tier(above_input_tokens=tier.above_input_tokens, **{**base, **_rates(tier)})
        for tier in own.tiers
    )
    return replace(price, tiers=tiers)


def _rates(own: CatalogRates) -> dict[str, int]:
    return {
        name: value.pico_usd_per_token
        for name in RATES
        if (value := getattr(own, name)) is not None
    }
