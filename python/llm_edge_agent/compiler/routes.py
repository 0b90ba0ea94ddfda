"""Routes: those that are written, and those that a provider's name implies.

`<provider>/*` takes `provider/model` and sends what follows the slash; `provider:<provider>` takes
bare names of its dialects and sends them as they are. Neither can be written, so no written route
hides one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_edge_agent.compiler.caches import compile_cache
from llm_edge_agent.compiler.facts import compile_facts
from llm_edge_agent.compiler.failures import compile_breaker, compile_hedge, compile_retry
from llm_edge_agent.compiler.routing import compile_affinity, compile_policy, compile_rules
from llm_edge_agent.compiler.snapshot import (
    DeadlinesDoc,
    ModelNameDoc,
    ProviderDoc,
    RouteDoc,
    TargetDoc,
    TranslationDoc,
    fingerprint,
)
from llm_edge_agent.config.schema import Deadlines, Retry, Translation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_edge_agent.config.schema import Config

__all__ = ["bare_route", "compile_route", "prefix_route"]


def compile_route(config: Config, name: str, providers: Sequence[ProviderDoc]) -> RouteDoc:
    """A written route.

    Raises:
        ConfigError: The catalog that the configuration leads to cannot be used.
    """
    route = config.routes[name]
    routes = list(config.routes)
    index = {provider.name: at for at, provider in enumerate(providers)}
    targets = [
        TargetDoc(
            provider=index[target.provider],
            model=_model_name(target.model),
            weight=target.weight,
            facts=compile_facts(config, target),
        )
        for target in route.targets
    ]
    caller_credential = None if route.caller_credential is None else index[route.caller_credential]
    return msgspec.structs.replace(
        _route(
            name,
            targets,
            providers,
            route.retry,
            route.translation,
            caller_credential=caller_credential,
        ),
        models=route.models,
        pass_through=route.pass_through,
        rules=compile_rules(route.rules, routes),
        strategy=route.strategy,
        affinity=compile_affinity(route.affinity),
        policy=compile_policy(route.policy),
        cache=compile_cache(route.cache),
        deadlines=_deadlines(route.deadlines),
        fallbacks=[routes.index(fallback) for fallback in route.fallbacks],
        breaker=compile_breaker(
            route.breaker, has_alternative=len(route.targets) > 1 or bool(route.fallbacks)
        ),
        commit_point=route.commit_point,
        ask_usage=route.ask_usage,
        hedge=compile_hedge(route.hedge),
    )


def prefix_route(at: int, providers: Sequence[ProviderDoc], retry: Retry) -> RouteDoc:
    """The route of `provider/model` names for provider number `at`."""
    targets = [TargetDoc(provider=at, model="rest", weight=1)]
    name = f"{providers[at].name}/*"
    route = _route(name, targets, providers, retry, Translation())
    return msgspec.structs.replace(route, models=[name])


def bare_route(at: int, providers: Sequence[ProviderDoc]) -> RouteDoc:
    """The route of bare names that go to provider number `at`."""
    targets = [TargetDoc(provider=at, model="same", weight=1)]
    return _route(f"provider:{providers[at].name}", targets, providers, Retry(), Translation())


def _route(
    name: str,
    targets: list[TargetDoc],
    providers: Sequence[ProviderDoc],
    retry: Retry,
    translation: Translation,
    *,
    caller_credential: int | None = None,
) -> RouteDoc:
    return RouteDoc(
        name=name,
        models=[],
        pass_through=[],
        rules=[],
        strategy="round_robin",
        affinity="conversation",
        policy=None,
        targets=targets,
        cache=None,
        deadlines=_deadlines(Deadlines()),
        fallbacks=[],
        retry=compile_retry(retry),
        breaker=None,
        commit_point=False,
        ask_usage=False,
        translation=TranslationDoc(**msgspec.structs.asdict(translation)),
        hedge=None,
        caller_credential=caller_credential,
        policy_hash=_policy_hash(targets, providers, translation, caller_credential),
    )


def _deadlines(deadlines: Deadlines) -> DeadlinesDoc:
    return DeadlinesDoc(**msgspec.structs.asdict(deadlines))


def _model_name(model: str | None) -> ModelNameDoc:
    if model is None:
        return "same"
    return "rest" if model == "*" else {"fixed": model}


def _policy_hash(
    targets: Sequence[TargetDoc],
    providers: Sequence[ProviderDoc],
    translation: Translation,
    caller_credential: int | None,
) -> str:
    """Hash of what shapes a reply: who may be asked, how, in which words, and for which model.

    Weights, strategy, deadlines and lifetimes are left out: changing them must not empty the cache.
    """
    shaping: list[object] = [translation.max_tokens, translation.strict]
    if caller_credential is not None:
        shaping.append(providers[caller_credential].name)
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
