"""Mistral AI.

Source: docs.mistral.ai API reference. Wants `max_tokens`, not `max_completion_tokens`; a refusal is
`{"object":"error",…}` or a 422 with `detail`, and passes as it is.
"""

from __future__ import annotations

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["MISTRAL"]

MISTRAL = ProviderSpec(
    type="mistral",
    title="Mistral AI",
    base_url="https://api.mistral.ai/v1",
    key_env="MISTRAL_API_KEY",
    operations=openai_paths("chat_completions", "embeddings", "openai_pass_through"),
    auth=BEARER,
)
