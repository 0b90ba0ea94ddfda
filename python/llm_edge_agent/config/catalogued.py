"""The rules for what a configuration says of models in place of the catalog, and its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_edge_agent.config.pepper import state_dir
from llm_edge_agent.config.shape import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path as FilePath

    from llm_edge_agent.config.described import Fault
    from llm_edge_agent.config.marks import Path
    from llm_edge_agent.config.schema import CatalogTier, Config

__all__ = ["check_catalog", "kept_catalog"]

_KEPT_NAME = "catalog.json"


def kept_catalog(config: Config, env: Mapping[str, str] | None = None) -> FilePath:
    """Where `models update` puts a catalog, in the state folder."""
    return state_dir(config, env) / _KEPT_NAME


def check_catalog(fault: Fault, config: Config) -> None:
    """See that each model is one of a provider's, and that its tiers can be told apart."""
    for key, model in config.catalog.models.items():
        path: Path = ("catalog", "models", key)
        provider = key.partition("/")[0]
        if provider not in config.providers:
            hint = nearest(provider, config.providers)
            fault(path, f"unknown provider `{provider}`", hint)
        _check_tiers(fault, (*path, "price", "tiers"), model.price.tiers or [])


def _check_tiers(fault: Fault, path: Path, tiers: list[CatalogTier]) -> None:
    bounds = [tier.above_input_tokens for tier in tiers]
    for at, bound in enumerate(bounds[1:], start=1):
        if bound <= bounds[at - 1]:
            message = f"`{bound}` is not above the tier before it"
            fault((*path, at, "above_input_tokens"), message, "write the shorter requests first")
