"""Metrics: what is counted beyond what always is."""

from typing import Annotated

from msgspec import Meta

from llm_edge_agent.config.schema.base import Area

__all__ = ["Metrics"]


class Metrics(Area, frozen=True, kw_only=True):
    """What is counted."""

    by_key: Annotated[
        bool,
        Meta(
            description="Count requests, tokens and costs for each key too, by its name: "
            "as many more series as there are keys and routes."
        ),
    ] = False
