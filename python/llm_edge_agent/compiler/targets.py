"""Where a model name leads, for people: the same rules as in `names`, with words for indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_edge_agent.compiler.names import DIALECTS, is_only_for_callers
from llm_edge_agent.providers import spec_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llm_edge_agent.config.schema import Config, Target

__all__ = ["is_claimed", "targets_of"]


def targets_of(config: Config, name: str) -> list[tuple[str, str]]:
    """Provider and model of each target that a name leads to; those of fallbacks are left out.

    A bare name that no route claims goes to one provider or another, as the endpoint has it: then
    each of them.
    """
    exact = [route for route in config.routes.values() if name in route.models]
    if exact:
        return [_resolved(target, name) for target in exact[-1].targets]
    prefixes = [
        (model[:-1], [_resolved(target, name) for target in route.targets])
        for route in config.routes.values()
        for model in route.models
        if model.endswith("*")
    ]
    usable = {key: p for key, p in config.providers.items() if not is_only_for_callers(p)}
    prefixes += [(f"{key}/", [(key, name.partition("/")[2])]) for key in usable]
    fitting = [(prefix, targets) for prefix, targets in prefixes if name.startswith(prefix)]
    if fitting:
        return max(fitting, key=lambda entry: len(entry[0]))[1]
    # It asks for a provider, and no other one is guessed.
    if "/" in name:
        return []
    firsts: dict[str, str] = {}
    for key, provider in usable.items():
        spec = spec_of(provider.type)
        if not spec.takes_bare_names:
            continue
        served = provider.specified(spec).operations
        for dialect, operations in DIALECTS.items():
            if any(operation in served for operation in operations):
                firsts.setdefault(dialect, key)
    return [(key, name) for key in dict.fromkeys(firsts.values())]


def is_claimed(config: Config, name: str) -> bool:
    """Whether a route or a provider has this name, so that it is no other name's lot."""
    written = [model for route in config.routes.values() for model in route.models]
    beginnings = (*(f"{key}/" for key in config.providers), *_beginnings(written))
    return name in written or name.startswith(beginnings)


def _beginnings(models: Iterable[str]) -> Iterator[str]:
    return (model[:-1] for model in models if model.endswith("*"))


def _resolved(target: Target, name: str) -> tuple[str, str]:
    if target.model is None:
        return target.provider, name
    return target.provider, name.partition("/")[2] if target.model == "*" else target.model
