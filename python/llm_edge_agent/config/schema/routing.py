"""How a route chooses among its targets, and which requests it leads elsewhere."""

from typing import Annotated, Literal

from msgspec import Meta, field

from llm_edge_agent.config.schema.base import Area, ModelPattern, Name

__all__ = [
    "Affinity",
    "Capability",
    "Hours",
    "RoutePolicy",
    "RouteRule",
    "Strategy",
    "Tokens",
    "When",
]

Strategy = Literal[
    "round_robin", "weighted", "ordered", "least_in_flight", "latency", "cost", "affinity"
]

Capability = Literal["tools", "vision", "json_schema", "reasoning", "audio"]

Pattern = Annotated[
    str,
    Meta(
        pattern=r"^([^*\s,]+\*?|\*)$",
        extra={"hint": "a pattern is a word, or ends in its only `*`"},
    ),
]

_Header = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$",
        extra={"hint": "write the name of a header field in lower case"},
    ),
]

_Time = Annotated[
    str,
    Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", extra={"hint": 'write `"22:30"`'}),
]

_Count = Annotated[int, Meta(ge=0)]

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Affinity(Area, frozen=True, kw_only=True):
    """What belongs together under `strategy: affinity`: it goes to one target and credential."""

    by: Annotated[
        Literal["conversation", "key", "header"],
        Meta(
            description=(
                "The turns of a conversation, all requests of a caller's key, "
                "or those with the same value in a header field."
            )
        ),
    ] = "conversation"
    header: Annotated[
        _Header | None, Meta(description="That field; without it in a request, the conversation.")
    ] = None


class RoutePolicy(Area, frozen=True, kw_only=True):
    """A policy of your own that ranks a route's targets."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.]+)?$",
            description="An entry point of the group `llm_edge_agent.policies`, or `module:name`.",
        ),
    ]
    deadline_ms: Annotated[int, Meta(ge=1, le=10_000, description="How long it is waited for.")] = (
        50
    )


class Tokens(Area, frozen=True, kw_only=True):
    """A range of tokens."""

    min: Annotated[_Count | None, Meta(description="At least.")] = None
    max: Annotated[_Count | None, Meta(description="At most.")] = None


class Hours(Area, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A time of some days, UTC; one that ends before it begins ends on the next day."""

    from_: Annotated[_Time, Meta(description="When it begins.")]
    to: Annotated[_Time, Meta(description="When it is over.")]
    days: Annotated[
        list[Day], Meta(min_length=1, description="Days on which it begins; all when absent.")
    ] = field(default_factory=lambda: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])


class When(Area, frozen=True, kw_only=True):
    """What must hold of a request, all of it; of a list, one of it."""

    headers: Annotated[
        dict[_Header, Annotated[list[Pattern], Meta(min_length=1)]],
        Meta(description="Header fields by name, with the values that hold."),
    ] = field(default_factory=dict)
    keys: Annotated[list[Pattern], Meta(description="Names of callers' keys.")] = field(
        default_factory=list
    )
    models: Annotated[list[ModelPattern], Meta(description="Models as the client calls them.")] = (
        field(default_factory=list)
    )
    tags: Annotated[
        list[Pattern],
        Meta(description="Words of the header field `x-llm-edge-tags`, separated by commas."),
    ] = field(default_factory=list)
    input_tokens: Annotated[
        Tokens | None, Meta(description="Tokens of the prompt, by an estimate.")
    ] = None
    needs: Annotated[
        list[Capability], Meta(description="What the request asks of a model; all of them.")
    ] = field(default_factory=list)
    stream: Annotated[bool | None, Meta(description="Whether a stream is wanted.")] = None
    hours: Annotated[Hours | None, Meta(description="A time of the day.")] = None


class RouteRule(Area, frozen=True, kw_only=True):
    """Where some of a route's requests go instead."""

    when: Annotated[When, Meta(description="Which ones.")]
    route: Annotated[Name, Meta(description="The route they take; its own rules are not applied.")]
