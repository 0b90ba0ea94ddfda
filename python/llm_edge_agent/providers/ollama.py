"""Ollama, by its OpenAI-compatible API.

Source: github.com/ollama/ollama, docs/openai. Needs no key; one that is given is sent.
"""

from __future__ import annotations

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["OLLAMA"]

OLLAMA = ProviderSpec(
    type="ollama",
    title="Ollama",
    base_url="http://127.0.0.1:11434/v1",
    key_required=False,
    operations=openai_paths("chat_completions", "completions", "embeddings"),
    auth=BEARER,
)
