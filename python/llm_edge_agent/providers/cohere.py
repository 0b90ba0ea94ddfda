"""Cohere, by version 2 of its chat, its embeddings and its rerank.

Source: docs.cohere.com API reference, "Chat API (v2)", "Embed API (v2)", "Rerank API (v2)";
`CO_API_KEY` is what its SDKs read.
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec

__all__ = ["COHERE"]

COHERE = ProviderSpec(
    type="cohere",
    title="Cohere",
    verified=date(2026, 11, 23),
    base_url="https://api.cohere.com",
    base_url_endings=("/v2",),
    key_env="CO_API_KEY",
    operations={"cohere_chat": "/v2/chat", "cohere_embed": "/v2/embed", "rerank": "/v2/rerank"},
    auth=BEARER,
    health_path="/v1/models",
    catalog=("cohere",),
)
