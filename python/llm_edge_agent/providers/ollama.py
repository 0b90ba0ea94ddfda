"""Ollama, by its OpenAI-compatible API, and by its own where a request is translated anyway.

Source: github.com/ollama/ollama, docs/api and docs/openai. Needs no key; one that is given is sent.
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec

__all__ = ["OLLAMA"]

OLLAMA = ProviderSpec(
    type="ollama",
    title="Ollama",
    verified=date(2026, 11, 23),
    base_url="http://127.0.0.1:11434",
    base_url_endings=("/v1", "/api"),
    key_required=False,
    operations={
        "chat_completions": "/v1/chat/completions",
        "completions": "/v1/completions",
        "embeddings": "/v1/embeddings",
        "ollama_chat": "/api/chat",
        "ollama_embed": "/api/embed",
    },
    auth=BEARER,
    health_path="/v1/models",
)
