"""OpenAI.

Source: platform.openai.com API reference. Organisation and project headers pass from the client.
"""

from __future__ import annotations

from llm_edge_agent.providers.spec import AuthSpec, ProviderSpec

__all__ = ["OPENAI"]

OPENAI = ProviderSpec(
    type="openai",
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    auth=AuthSpec(header="authorization", prefix="Bearer "),
    operations={
        "chat_completions": "/chat/completions",
        "completions": "/completions",
        "responses": "/responses",
        "embeddings": "/embeddings",
    },
)
