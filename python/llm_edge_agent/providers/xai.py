"""xAI.

Source: docs.x.ai API reference. The limit is in requests per second, so a burst gets 429 though the
minute's quota is not used up. Its chat completions tell no reasoning and take none back
("Comparison with Chat Completions API").
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["XAI"]

XAI = ProviderSpec(
    type="xai",
    title="xAI",
    verified=date(2026, 11, 23),
    base_url="https://api.x.ai/v1",
    key_env="XAI_API_KEY",
    operations=openai_paths(
        "chat_completions", "responses", "stored_response", "openai_pass_through"
    ),
    auth=BEARER,
    catalog=("x-ai",),
)
