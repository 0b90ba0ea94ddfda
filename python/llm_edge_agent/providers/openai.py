"""OpenAI.

Source: platform.openai.com API reference. Organisation and project headers pass from the client.
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["OPENAI"]

OPENAI = ProviderSpec(
    type="openai",
    title="OpenAI",
    verified=date(2026, 11, 23),
    base_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    chat_fields="openai",
    auth=BEARER,
    operations=openai_paths(
        "chat_completions",
        "completions",
        "responses",
        "embeddings",
        "input_tokens",
        "compact_response",
        "stored_response",
        "openai_pass_through",
    ),
    catalog=("openai",),
)
