"""Google Gemini: its own API, and its OpenAI-compatible one for chat completions and embeddings.

Source: ai.google.dev/api (all methods) and ai.google.dev/gemini-api/docs/openai. Each of the two
takes the key in a header of its own.
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, AuthSpec, ProviderSpec

__all__ = ["GEMINI"]

_GOOGLE_KEY = AuthSpec(header="x-goog-api-key")

GEMINI = ProviderSpec(
    type="gemini",
    title="Google Gemini",
    verified=date(2026, 11, 23),
    base_url="https://generativelanguage.googleapis.com/v1beta",
    base_url_endings=("/openai",),
    key_env="GEMINI_API_KEY",
    operations={
        "chat_completions": "/openai/chat/completions",
        "embeddings": "/openai/embeddings",
        "generate_content": "/models/{model}:generateContent",
        "stream_generate_content": "/models/{model}:streamGenerateContent",
        "gemini_count_tokens": "/models/{model}:countTokens",
        "gemini_pass_through": "/",
        "embed_content": "/models/{model}:embedContent",
        "batch_embed_contents": "/models/{model}:batchEmbedContents",
    },
    auth=BEARER,
    operation_auth={
        "generate_content": _GOOGLE_KEY,
        "stream_generate_content": _GOOGLE_KEY,
        "gemini_count_tokens": _GOOGLE_KEY,
        "gemini_pass_through": _GOOGLE_KEY,
        "embed_content": _GOOGLE_KEY,
        "batch_embed_contents": _GOOGLE_KEY,
    },
    takes_extra_content=True,
    health_path="/openai/models",
    catalog=("google",),
)
