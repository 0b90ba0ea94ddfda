"""Routes: which targets a model name stands for, and under which rules."""

from typing import Annotated

from msgspec import Meta, field

from llm_edge_agent.config.schema.base import Area, Milliseconds, ModelPattern, Name
from llm_edge_agent.config.schema.caches import RouteCache
from llm_edge_agent.config.schema.failures import Breaker, Hedge, Retry
from llm_edge_agent.config.schema.routing import Affinity, RoutePolicy, RouteRule, Strategy

__all__ = ["Deadlines", "Route", "Target", "Translation"]


_TargetModel = Annotated[
    str,
    Meta(pattern=r"^([^*\s]+|\*)$", extra={"hint": "write a whole name, or `*` alone"}),
]


_PassedPath = Annotated[
    str,
    Meta(
        pattern=r"^([A-Za-z0-9._~:@+,=-]+/)*([A-Za-z0-9._~:@+,=-]+\*?|\*)$",
        extra={"hint": "write it as it follows `/v1/`: `files`, `images/*`"},
    ),
]


class Target(Area, frozen=True, kw_only=True):
    """One place a request may go."""

    provider: Annotated[str, Meta(description="Name of a provider.")]
    model: Annotated[
        _TargetModel | None,
        Meta(
            description=(
                "Model to ask for there; without it the client's own word, "
                "`*` for what followed the first `/` of that."
            )
        ),
    ] = None
    weight: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description=(
                "Share of the traffic, relative to the others; `strategy: ordered` knows none."
            ),
        ),
    ] = 1


class Deadlines(Area, frozen=True, kw_only=True):
    """How long to wait, in milliseconds; 0 stands for no limit."""

    connect_ms: Annotated[Milliseconds, Meta(description="For a connection, TLS included.")] = 5000
    # Reasoning models think for minutes before they say a word.
    first_byte_ms: Annotated[Milliseconds, Meta(description="For the reply's first byte.")] = 600000
    progress_ms: Annotated[Milliseconds, Meta(description="Between two reads of it.")] = 300000
    total_ms: Annotated[Milliseconds, Meta(description="For everything together.")] = 0


class Translation(Area, frozen=True, kw_only=True):
    """How requests are put into other words for targets of another dialect than the client's."""

    strict: Annotated[
        bool,
        Meta(
            description=(
                "Refuse with 400 what cannot be carried over whole, "
                "instead of naming the loss in `x-llm-edge-dropped`."
            )
        ),
    ] = False
    cache_breakpoints: Annotated[
        bool,
        Meta(
            description=(
                "Mark tools, system prompt and settled turns for the provider's prompt cache, "
                "where the client marks nothing."
            )
        ),
    ] = True
    max_tokens: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000_000,
            description="Bound on generated tokens where the client sets none and one must be set.",
        ),
    ] = 8192


class Route(Area, frozen=True, kw_only=True):
    """Where some model names lead."""

    models: Annotated[
        list[ModelPattern],
        Meta(
            description=(
                "Names, or prefixes ending in `*`; longest match wins. "
                "A route that has `pass_through`, or that others lead to, may have none."
            )
        ),
    ] = field(default_factory=list)
    targets: Annotated[list[Target], Meta(min_length=1, description="Where requests may go.")]
    strategy: Annotated[
        Strategy,
        Meta(
            description=(
                "How one is chosen: in turn or at random by weight, the first that is reachable, "
                "the least busy, the fastest, the cheapest, or always the same for what belongs "
                "together. See the guide on routing."
            )
        ),
    ] = "round_robin"
    affinity: Annotated[
        Affinity | None, Meta(description="What belongs together, for `strategy: affinity`.")
    ] = None
    policy: Annotated[
        RoutePolicy | None,
        Meta(description="A policy of your own that ranks the targets; the strategy without it."),
    ] = None
    rules: Annotated[
        list[RouteRule],
        Meta(description="Requests that take another route; the first rule that holds counts."),
    ] = field(default_factory=list)
    cache: Annotated[RouteCache | None, Meta(description="Exact cache; off when absent.")] = None
    deadlines: Annotated[Deadlines, Meta(description="How long to wait for what.")] = field(
        default_factory=Deadlines
    )
    fallbacks: Annotated[
        list[Name],
        Meta(description="Routes whose targets follow this one's own, in this order."),
    ] = field(default_factory=list)
    retry: Annotated[Retry, Meta(description="How a request is tried again.")] = field(
        default_factory=Retry
    )
    breaker: Annotated[
        Breaker | None,
        Meta(
            description=(
                "When a failing target is left alone; when absent, with the defaults "
                "where there is another target to go to, else never."
            )
        ),
    ] = None
    commit_point: Annotated[
        bool,
        Meta(description="Hold a stream until it says something; an error before fails over."),
    ] = False
    ask_usage: Annotated[
        bool,
        Meta(
            description=(
                "Ask upstreams for the usage of streams whose client did not, "
                "and take it out of the client's stream."
            )
        ),
    ] = False
    translation: Annotated[
        Translation,
        Meta(description="For targets that speak another dialect than the client."),
    ] = field(default_factory=Translation)
    pass_through: Annotated[
        list[_PassedPath],
        Meta(
            description=(
                "Paths below an API's version (`/v1/`, `/v1beta/`), or beginnings of such ending "
                "in `*`, that are passed on as they are: `images/*`, `files*`. "
                "See the guide on providers."
            )
        ),
    ] = field(default_factory=list)
    hedge: Annotated[
        Hedge | None, Meta(description="A second attempt beside a slow first one; off when absent.")
    ] = None
    caller_credential: Annotated[
        Name | None,
        Meta(
            description=(
                "The one provider that is shown the caller's own credential in place of the "
                "gateway's; off when absent."
            )
        ),
    ] = None
