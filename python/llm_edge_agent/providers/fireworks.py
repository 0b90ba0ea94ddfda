"""Fireworks AI.

Source: docs.fireworks.ai API reference. Models are called `accounts/…/models/…`. What they
thought comes back in `reasoning_content` (guide "Reasoning": interleaved and preserved thinking).
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["FIREWORKS"]

FIREWORKS = ProviderSpec(
    type="fireworks",
    title="Fireworks AI",
    verified=date(2026, 11, 23),
    base_url="https://api.fireworks.ai/inference/v1",
    key_env="FIREWORKS_API_KEY",
    operations=openai_paths(
        "chat_completions",
        "completions",
        "responses",
        "embeddings",
        "stored_response",
        "openai_pass_through",
    ),
    auth=BEARER,
    replays_reasoning="reasoning_content",
    catalog=("fireworks",),
)
