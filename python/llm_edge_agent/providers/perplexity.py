"""Perplexity.

Source: docs.perplexity.ai. Speaks the Responses API; its chat completions are gone since
2026-09-27.
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["PERPLEXITY"]

PERPLEXITY = ProviderSpec(
    type="perplexity",
    title="Perplexity",
    verified=date(2026, 11, 23),
    base_url="https://api.perplexity.ai/v1",
    key_env="PERPLEXITY_API_KEY",
    operations=openai_paths("responses"),
    auth=BEARER,
    catalog=("perplexity",),
)
