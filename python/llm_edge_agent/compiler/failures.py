"""What a route does about upstreams that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_edge_agent.compiler.snapshot import BreakerDoc, HedgeDoc, RetryDoc
from llm_edge_agent.config.schema import Breaker

if TYPE_CHECKING:
    from llm_edge_agent.config.schema import Hedge, Retry

__all__ = ["compile_breaker", "compile_hedge", "compile_retry"]


def compile_retry(retry: Retry) -> RetryDoc:
    """As it is written."""
    return RetryDoc(**msgspec.structs.asdict(retry))


def compile_breaker(breaker: Breaker | None, *, has_alternative: bool) -> BreakerDoc | None:
    """Without a word the defaults, but only where leaving a target alone leaves another one."""
    if breaker is None:
        breaker = Breaker(enabled=has_alternative)
    if not breaker.enabled:
        return None
    settings = msgspec.structs.asdict(breaker)
    del settings["enabled"]
    return BreakerDoc(**settings)


def compile_hedge(hedge: Hedge | None) -> HedgeDoc | None:
    """As it is written."""
    return None if hedge is None else HedgeDoc(**msgspec.structs.asdict(hedge))
