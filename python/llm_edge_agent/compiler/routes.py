"""Routes: those that are written, and those that a provider's name implies.

`<provider>/*` takes `provider/model` and sends what follows the slash; `provider:<provider>` takes
bare names of its dialects and sends them as they are. Neither can be written, so no written route
hides one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_edge_agent.compiler.caches import compile_cache
from llm_edge_agent.compiler.snapshot import (
    DeadlinesDoc,
    ModelNameDoc,
    ProviderDoc,
    RouteDoc,
    TargetDoc,
    fingerprint,
)
from llm_edge_agent.config.schema import Deadlines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_edge_agent.config.schema import Route

__all__ = ["bare_route", "compile_route", "prefix_route"]


def compile_route(name: str, route: Route, providers: Sequence[ProviderDoc]) -> RouteDoc:
    """A written route."""
    index = {provider.name: at for at, provider in enumerate(providers)}
    targets = [
        TargetDoc(
            provider=index[target.provider], model=_model_name(target.model), weight=target.weight
        )
        for target in route.targets
    ]
    doc = _route(name, targets, route.deadlines, providers)
    return msgspec.structs.replace(doc, strategy=route.strategy, cache=compile_cache(route.cache))


def prefix_route(at: int, providers: Sequence[ProviderDoc]) -> RouteDoc:
    """The route of `provider/model` names for provider number `at`."""
    targets = [TargetDoc(provider=at, model="rest", weight=1)]
    return _route(f"{providers[at].name}/*", targets, Deadlines(), providers)


def bare_route(at: int, providers: Sequence[ProviderDoc]) -> RouteDoc:
    """The route of bare names that go to provider number `at`."""
    targets = [TargetDoc(provider=at, model="same", weight=1)]
    return _route(f"provider:{providers[at].name}", targets, Deadlines(), providers)


def _route(
    name: str, targets: list[TargetDoc], deadlines: Deadlines, providers: Sequence[ProviderDoc]
) -> RouteDoc:
    return RouteDoc(
        name=name,
        strategy="round_robin",
        targets=targets,
        cache=None,
        deadlines=DeadlinesDoc(**msgspec.structs.asdict(deadlines)),
        policy_hash=_policy_hash(targets, providers),
    )


def _model_name(model: str | None) -> ModelNameDoc:
    if model is None:
        return "same"
    return "rest" if model == "*" else {"fixed": model}


def _policy_hash(targets: Sequence[TargetDoc], providers: Sequence[ProviderDoc]) -> str:
    """Hash of what shapes a reply: who may be asked, how, and for which model.

    Weights, strategy, deadlines and lifetimes are left out: changing them must not empty the cache.
    """
    shaping = []
    for target in targets:
        provider = providers[target.provider]
        shaping.append(
            (
                provider.origin.scheme,
                provider.origin.host,
                provider.origin.port,
                provider.host_header,
                provider.operations,
                provider.headers,
                provider.default_headers,
                target.model,
            )
        )
    return fingerprint(shaping)
