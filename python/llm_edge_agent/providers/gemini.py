"""Google Gemini, by its OpenAI-compatible API.

Source: ai.google.dev/gemini-api/docs/openai.
"""

from __future__ import annotations

from llm_edge_agent.providers.spec import BEARER, ProviderSpec

__all__ = ["GEMINI"]

GEMINI = ProviderSpec(
    type="gemini",
    title="Google Gemini",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    base_url_endings=("/openai",),
    key_env="GEMINI_API_KEY",
    operations={
        "chat_completions": "/openai/chat/completions",
        "embeddings": "/openai/embeddings",
    },
    auth=BEARER,
    health_path="/openai/models",
)
