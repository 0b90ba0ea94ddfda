"""What must hold between the options by which a route chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_edge_agent.config.shape import nearest
from llm_edge_agent.config.when import covers, is_within

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_edge_agent.config.marks import Path
    from llm_edge_agent.config.schema import Config, Route, When

__all__ = ["check_routing", "leads_to"]


def leads_to(config: Config, name: str) -> bool:
    """Whether another route leads to this one, by a rule or as its fallback."""
    return any(
        name in route.fallbacks or any(rule.route == name for rule in route.rules)
        for route in config.routes.values()
    )


def check_routing(
    fault: Callable[[Path, str, str], None], config: Config, name: str, route: Route
) -> None:
    """Check how route `name` chooses; what is wrong goes to `fault`."""
    _strategy(fault, name, route)
    for at, rule in enumerate(route.rules):
        path: Path = ("routes", name, "rules", at)
        if rule.route == name:
            fault((*path, "route"), "leads to the route itself", "leave the rule out")
        elif rule.route not in config.routes:
            hint = nearest(rule.route, config.routes)
            fault((*path, "route"), f"unknown route `{rule.route}`", hint)
        _when((*path, "when"), fault, config, route, rule.when)
        if rule.when == type(rule.when)():
            fault((*path, "when"), "says nothing", "say which requests it is for")
        elif any(is_within(rule.when, other.when) for other in route.rules[:at]):
            message = "can never hold: a rule before it already takes all of these requests"
            fault(path, message, "put it before that one, or leave it out")


def _strategy(fault: Callable[[Path, str, str], None], name: str, route: Route) -> None:
    unheard = f"has no effect with `strategy: {route.strategy}`"
    affinity = route.affinity
    if affinity is not None:
        path: Path = ("routes", name, "affinity")
        if route.strategy != "affinity":
            fault(path, unheard, "write `strategy: affinity`, or leave it out")
        if (affinity.by == "header") != (affinity.header is not None):
            message = "`by: header` and `header` go together"
            fault(path, message, "write `by: header` and `header: x-session-id`")
    # The one strategy that looks at no weight. One of 1 is what holds anyway.
    if route.strategy == "ordered":
        for at, target in enumerate(route.targets):
            if target.weight != 1:
                path = ("routes", name, "targets", at, "weight")
                fault(path, unheard, "leave it out, or write `strategy: weighted`")


def _when(
    path: Path,
    fault: Callable[[Path, str, str], None],
    config: Config,
    route: Route,
    when: When,
) -> None:
    tokens = when.input_tokens
    if tokens is not None:
        if tokens.min is None and tokens.max is None:
            fault((*path, "input_tokens"), "says nothing", "give `min`, `max` or both")
        elif tokens.min is not None and tokens.max is not None and tokens.min > tokens.max:
            message = f"can never hold: `min` {tokens.min} is above `max` {tokens.max}"
            fault((*path, "input_tokens"), message, "exchange them")
    if when.hours is not None and when.hours.from_ == when.hours.to:
        message = "is the whole day: it ends when it begins"
        fault((*path, "hours"), message, "leave it out, or say when it ends")
    keys = [key.name for key in config.keys]
    _known(fault, (*path, "keys"), when.keys, keys, "key")
    if route.models:
        _known(fault, (*path, "models"), when.models, route.models, "model of this route")


def _known(
    fault: Callable[[Path, str, str], None],
    path: Path,
    patterns: Sequence[str],
    names: Sequence[str],
    what: str,
) -> None:
    for at, pattern in enumerate(patterns):
        if not any(covers(pattern, name) or covers(name, pattern) for name in names):
            message = f"can never hold: `{pattern}` fits no {what}"
            fault((*path, at), message, nearest(pattern, names))
