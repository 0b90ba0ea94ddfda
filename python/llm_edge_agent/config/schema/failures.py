"""What a route does about upstreams that fail: trying again, leaving alone, asking twice."""

from typing import Annotated

from msgspec import Meta

from llm_edge_agent.config.schema.base import U32_MAX, Area, Milliseconds

__all__ = ["Breaker", "Hedge", "Retry"]

_Percent = Annotated[int, Meta(ge=0, le=100)]
_Span = Annotated[int, Meta(ge=1, le=U32_MAX)]


class Retry(Area, frozen=True, kw_only=True):
    """When a request is sent again: only what was not executed, never after the reply has begun."""

    attempts_max: Annotated[
        int, Meta(ge=1, le=20, description="Requests sent for one, at most; 1 for no retry.")
    ] = 3
    backoff_ms: Annotated[
        Milliseconds, Meta(description="First pause before the same target; doubles.")
    ] = 250
    backoff_max_ms: Annotated[Milliseconds, Meta(description="Longest pause of our own.")] = 4000
    retry_after_max_ms: Annotated[
        Milliseconds, Meta(description="Longest `Retry-After` waited for; else it is passed on.")
    ] = 5000
    budget_percent: Annotated[
        _Percent, Meta(description="Requests sent again, of those that came; 0 for none.")
    ] = 10
    cooldown_ms: Annotated[
        Milliseconds, Meta(description="Rest of a refused key where the upstream names none.")
    ] = 30000


class Breaker(Area, frozen=True, kw_only=True):
    """When a target that fails is left alone."""

    enabled: Annotated[bool, Meta(description="`false`: never.")] = True
    failures: Annotated[
        int, Meta(ge=1, le=10_000, description="Failures that open it, at least.")
    ] = 5
    failure_percent: Annotated[
        int, Meta(ge=1, le=100, description="Their share of what ended in the window, at least.")
    ] = 50
    window_ms: Annotated[_Span, Meta(description="Window, begun by a failure.")] = 10000
    open_ms: Annotated[_Span, Meta(description="How long the target is left alone.")] = 5000
    probes: Annotated[
        int, Meta(ge=1, le=1000, description="Requests that must succeed before it closes.")
    ] = 1


class Hedge(Area, frozen=True, kw_only=True):
    """A second attempt beside a slow one; the first to answer wins, the other is cancelled."""

    delay_ms: Annotated[
        Milliseconds,
        Meta(description="Wait before it; 0 for the 95th percentile of the route."),
    ] = 0
    spend_percent: Annotated[
        _Percent, Meta(description="Second attempts, of the requests that came.")
    ] = 5
