"""Model names → routes, and the list of models.

The most specific name wins: an exact one, then the longest prefix, and of equal prefixes the
written one before the one that a provider's name implies. A bare name that nothing claims goes to
the first configured provider that speaks the dialect of the endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_edge_agent.compiler.routes import bare_route, compile_route, prefix_route
from llm_edge_agent.compiler.snapshot import ModelDoc, NamesDoc, ProviderDoc, RouteDoc
from llm_edge_agent.config.schema import Retry
from llm_edge_agent.providers import spec_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_edge_agent.config.schema import Config, Provider

__all__ = ["DIALECTS", "compile_models", "compile_names", "is_only_for_callers"]

DIALECTS = {
    "openai_chat": ("chat_completions",),
    "openai_completions": ("completions",),
    "openai_responses": ("responses", "input_tokens", "compact_response"),
    "openai_embeddings": ("embeddings",),
    "anthropic_messages": ("messages", "count_tokens"),
    "gemini": ("generate_content", "stream_generate_content", "gemini_count_tokens"),
    "bedrock_converse": ("converse", "converse_stream", "bedrock_count_tokens"),
    "cohere_chat": ("cohere_chat",),
    "ollama_chat": ("ollama_chat",),
    "gemini_embed_content": ("embed_content",),
    "gemini_batch_embed_contents": ("batch_embed_contents",),
    "cohere_embed": ("cohere_embed",),
    "ollama_embed": ("ollama_embed",),
    "rerank": ("rerank",),
}
"""Dialect → the operations in it, as in `core/src/surface.rs`."""

# Nobody tells a gateway when a model was made; Anthropic's reference names the epoch for that.
_CREATED_S = 0


def compile_names(
    config: Config, providers: Sequence[ProviderDoc]
) -> tuple[list[RouteDoc], NamesDoc]:
    """All routes, written ones first, and the names that lead to them."""
    routes: list[RouteDoc] = []
    exact: dict[str, int] = {}
    prefixes: list[tuple[str, int]] = []
    for name, route in config.routes.items():
        for model in route.models:
            if model.endswith("*"):
                prefixes.append((model[:-1], len(routes)))
            else:
                exact[model] = len(routes)
        routes.append(compile_route(config, name, providers))
    for at, provider in enumerate(providers):
        if is_only_for_callers(config.providers[provider.name]):
            continue
        prefixes.append((f"{provider.name}/", len(routes)))
        # What is ordered from the mock by name, errors above all, is what comes.
        is_mock = config.providers[provider.name].type == "mock"
        retry = Retry(attempts_max=1) if is_mock else Retry()
        routes.append(prefix_route(at, providers, retry))
    # Sorting is stable: written prefixes stay before implied ones of the same length.
    prefixes.sort(key=lambda entry: -len(entry[0]))
    by_dialect: dict[str, int] = {}
    for at, provider in enumerate(providers):
        configured = config.providers[provider.name]
        if not spec_of(configured.type).takes_bare_names or is_only_for_callers(configured):
            continue
        first_of = [
            dialect
            for dialect, operations in DIALECTS.items()
            if dialect not in by_dialect and any(o in provider.operations for o in operations)
        ]
        if first_of:
            by_dialect.update(dict.fromkeys(first_of, len(routes)))
            routes.append(bare_route(at, providers))
    return routes, NamesDoc(exact=exact, prefixes=prefixes, by_dialect=by_dialect)


def is_only_for_callers(provider: Provider) -> bool:
    """Whether it has no credential but those that callers bring, on routes that say so."""
    needs_key = spec_of(provider.type).key_required
    return needs_key and not provider.credentials and not provider.has_account


def compile_models(config: Config) -> list[ModelDoc]:
    """What a model list shows: names of routes, then models of providers by their full name."""
    owners: dict[str, str] = {}
    for name, route in config.routes.items():
        for model in route.models:
            if not model.endswith("*"):
                owners.setdefault(model, name)
    for name, provider in config.providers.items():
        if is_only_for_callers(provider):
            continue
        for model in provider.models or spec_of(provider.type).models:
            owners.setdefault(f"{name}/{model}", name)
    return [
        ModelDoc(id=model, owned_by=owner, created=_CREATED_S) for model, owner in owners.items()
    ]
