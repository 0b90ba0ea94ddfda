"""How a route chooses: rules, what belongs together, and what is known of its targets' models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_edge_agent.compiler.snapshot import AffinityDoc, HoursDoc, RoutePolicyDoc, RuleDoc, WhenDoc
from llm_edge_agent.config.when import DAYS, minutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_edge_agent.config.schema import Affinity, Hours, RoutePolicy, RouteRule, When

__all__ = ["compile_affinity", "compile_policy", "compile_rules"]


def compile_affinity(affinity: Affinity | None) -> AffinityDoc:
    """What belongs together; the turns of a conversation where nothing is said."""
    if affinity is None:
        return "conversation"
    return affinity.by if affinity.header is None else {"header": affinity.header}


def compile_policy(policy: RoutePolicy | None) -> RoutePolicyDoc | None:
    """Who ranks the targets, if anybody does."""
    if policy is None:
        return None
    return RoutePolicyDoc(name=policy.name, deadline_ms=policy.deadline_ms)


def compile_rules(rules: Sequence[RouteRule], routes: Sequence[str]) -> list[RuleDoc]:
    """The rules of a route; `routes` are the names of all written ones, in their order."""
    return [RuleDoc(route=routes.index(rule.route), when=_when(rule.when)) for rule in rules]


def _when(when: When) -> WhenDoc:
    tokens = when.input_tokens
    return WhenDoc(
        headers=list(when.headers.items()),
        keys=when.keys,
        models=when.models,
        tags=when.tags,
        input_tokens_min=None if tokens is None else tokens.min,
        input_tokens_max=None if tokens is None else tokens.max,
        needs=list(when.needs),
        stream=when.stream,
        hours=None if when.hours is None else _hours(when.hours),
    )


def _hours(hours: Hours) -> HoursDoc:
    days = sum(1 << DAYS.index(day) for day in set(hours.days))
    return HoursDoc(from_=minutes(hours.from_), to=minutes(hours.to), days=days)
