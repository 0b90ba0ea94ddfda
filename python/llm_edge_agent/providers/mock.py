"""The mock provider: every operation, no credential. Its address is known once it runs.

A bare model name never goes here unasked: an invented answer must not pass for a model's.
"""

from __future__ import annotations

from llm_edge_agent.providers.spec import ProviderSpec

__all__ = ["MOCK"]

MOCK = ProviderSpec(
    type="mock",
    title="Mock",
    auth=None,
    key_required=False,
    health_path="/v1/models",
    operations={
        "chat_completions": "/v1/chat/completions",
        "completions": "/v1/completions",
        "responses": "/v1/responses",
        "input_tokens": "/v1/responses/input_tokens",
        "embeddings": "/v1/embeddings",
        "messages": "/v1/messages",
        "count_tokens": "/v1/messages/count_tokens",
        "generate_content": "/v1beta/models/{model}:generateContent",
        "stream_generate_content": "/v1beta/models/{model}:streamGenerateContent",
        "gemini_count_tokens": "/v1beta/models/{model}:countTokens",
        "embed_content": "/v1beta/models/{model}:embedContent",
        "batch_embed_contents": "/v1beta/models/{model}:batchEmbedContents",
        "rerank": "/v1/rerank",
    },
    models=(
        "echo",
        "lorem",
        "error",
        "flaky",
        "cut",
        "slow",
        "tools",
        "json",
        "embed",
        "rerank",
        "thinking",
        "big",
        "fixed",
    ),
    takes_bare_names=False,
)
