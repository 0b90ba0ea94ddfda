"""Anthropic.

Source: docs.anthropic.com API reference; every request needs `anthropic-version`, which SDKs send
and curl users forget.
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import AuthSpec, ProviderSpec

__all__ = ["ANTHROPIC"]

ANTHROPIC = ProviderSpec(
    type="anthropic",
    title="Anthropic",
    verified=date(2026, 11, 23),
    base_url="https://api.anthropic.com",
    base_url_endings=("/v1",),
    key_env="ANTHROPIC_API_KEY",
    auth=AuthSpec(header="x-api-key"),
    health_path="/v1/models",
    operations={
        "messages": "/v1/messages",
        "count_tokens": "/v1/messages/count_tokens",
        "anthropic_pass_through": "/v1/",
    },
    default_headers={"anthropic-version": "2023-06-01"},
    is_anthropic=True,
    catalog=("anthropic",),
)
