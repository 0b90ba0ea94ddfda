"""OpenRouter.

Source: openrouter.ai/docs API reference. Serves Anthropic's messages too, with the same key. While
a model is being found its streams hold comments, which pass. Reasoning comes back as text in
`reasoning`, or with signatures in `reasoning_details` (guide "Reasoning tokens").
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["OPENROUTER"]

OPENROUTER = ProviderSpec(
    type="openrouter",
    title="OpenRouter",
    verified=date(2026, 11, 23),
    base_url="https://openrouter.ai/api/v1",
    key_env="OPENROUTER_API_KEY",
    operations=openai_paths(
        "chat_completions",
        "completions",
        "responses",
        "embeddings",
        "messages",
        "rerank",
        "openai_pass_through",
    ),
    auth=BEARER,
    replays_reasoning="reasoning",
    takes_models=True,
    catalog=("openrouter",),
)
