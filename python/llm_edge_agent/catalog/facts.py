"""What is known of a model, and who says so."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from llm_edge_agent.catalog.price import Data, Price
from llm_edge_agent.config.schema import Capability

__all__ = ["CAPABILITIES", "Capabilities", "ModelFacts", "Source", "Status"]

CAPABILITIES: tuple[str, ...] = get_args(Capability)

Status = Literal["alpha", "beta", "deprecated"]
"""None, where nothing is said, stands for a model that is generally available, or not known of."""


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who says something, and when.

    Attributes:
        name: The project that keeps the data, with the release it was taken from.
        date: Date of that release, `YYYY-MM-DD`; None for what the configuration says.
    """

    name: str
    date: str | None = None

    def __str__(self) -> str:
        """For people."""
        return f"{self.name}, {self.date}" if self.date else self.name


class Capabilities(Data, frozen=True, kw_only=True):
    """What a model can do; None where it is not known.

    Attributes:
        tools: Takes tools and calls them.
        vision: Takes images.
        json_schema: Keeps to a JSON Schema.
        reasoning: Reasons before it answers.
        audio: Takes sound.
    """

    tools: bool | None = None
    vision: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None
    audio: bool | None = None


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model; None where it is not known.

    Attributes:
        provider: Whose entry it is: one of the catalog's providers, or the configuration's own.
        model: What it is called there; the name that was looked for may be longer.
        context_window: Tokens of input and output together.
        output_max: Tokens of one reply.
        capabilities: What it can do.
        price: What it costs.
        released: Day, month or year.
        status: Where it stands in its life.
        outputs: What it gives back: `text`, `image`, `audio`, `video`; embeddings are called text.
        capabilities_sources: Who says all this but the price, the one that wins in front.
        price_sources: Who says the price.
    """

    provider: str
    model: str
    context_window: int | None = None
    output_max: int | None = None
    capabilities: Capabilities = Capabilities()
    price: Price | None = None
    released: str | None = None
    status: Status | None = None
    outputs: tuple[str, ...] | None = None
    capabilities_sources: tuple[Source, ...] = ()
    price_sources: tuple[Source, ...] = ()
