"""What models cost and can do, where the operator knows better than the catalog."""

from typing import Annotated

from msgspec import Meta, field

from llm_edge_agent.config.schema.base import Area
from llm_edge_agent.config.usd import UsdPerMillion

__all__ = [
    "CatalogCapabilities",
    "CatalogModel",
    "CatalogPrice",
    "CatalogRates",
    "CatalogSettings",
    "CatalogTier",
]

_Tokens = Annotated[int, Meta(ge=1, le=1_000_000_000)]

_ModelKey = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9_-]{1,64}/\S+$",
        extra={
            "hint": "write `<provider>/<model>`, the provider as it is called under `providers`"
        },
    ),
]


class CatalogCapabilities(Area, frozen=True, kw_only=True):
    """What a model can do; what is not said is as the catalog has it."""

    tools: Annotated[bool | None, Meta(description="Takes tools and calls them.")] = None
    vision: Annotated[bool | None, Meta(description="Takes images.")] = None
    json_schema: Annotated[bool | None, Meta(description="Keeps to a JSON Schema.")] = None
    reasoning: Annotated[bool | None, Meta(description="Reasons before it answers.")] = None
    audio: Annotated[bool | None, Meta(description="Takes sound.")] = None


class CatalogRates(Area, frozen=True, kw_only=True):
    """Prices in USD per million tokens, to six decimals."""

    input: Annotated[UsdPerMillion | None, Meta(description="Input that no cache had.")] = None
    output: Annotated[UsdPerMillion | None, Meta(description="Output, reasoning included.")] = None
    cached_input: Annotated[
        UsdPerMillion | None, Meta(description="Input read from the provider's cache.")
    ] = None
    cache_write: Annotated[
        UsdPerMillion | None, Meta(description="Input written to the provider's cache.")
    ] = None
    cache_write_1h: Annotated[
        UsdPerMillion | None, Meta(description="The same, to be kept for an hour.")
    ] = None
    batch_input: Annotated[UsdPerMillion | None, Meta(description="Input of a batch.")] = None
    batch_output: Annotated[UsdPerMillion | None, Meta(description="Output of a batch.")] = None


class CatalogTier(CatalogRates, frozen=True, kw_only=True):
    """Prices of requests whose input is longer than so many tokens."""

    above_input_tokens: Annotated[_Tokens, Meta(description="Longest input that is not in it.")]


class CatalogPrice(CatalogRates, frozen=True, kw_only=True):
    """What is said here holds for requests of every length, unless `tiers` says otherwise."""

    tiers: Annotated[
        list[CatalogTier] | None,
        Meta(description="Prices of long requests, in place of the catalog's."),
    ] = None


class CatalogModel(Area, frozen=True, kw_only=True):
    """What is said of a model in place of what the catalog says."""

    context_window: Annotated[
        _Tokens | None, Meta(description="Tokens of input and output together.")
    ] = None
    output_max: Annotated[_Tokens | None, Meta(description="Tokens of one reply.")] = None
    capabilities: Annotated[CatalogCapabilities, Meta(description="What it can do.")] = field(
        default_factory=CatalogCapabilities
    )
    price: Annotated[CatalogPrice, Meta(description="What it costs.")] = field(
        default_factory=CatalogPrice
    )


class CatalogSettings(Area, frozen=True, kw_only=True):
    """Where the catalog is, and what is known better than by it."""

    file: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="A catalog to use; when absent, the one that `models update` has put into "
            "the state folder, else the one that comes with the program."
        ),
    ] = None
    models: Annotated[
        dict[_ModelKey, CatalogModel],
        Meta(description="`<provider>/<model>` → what holds in place of the catalog's word."),
    ] = field(default_factory=dict)
