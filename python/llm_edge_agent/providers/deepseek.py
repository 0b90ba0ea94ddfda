"""DeepSeek.

Source: api-docs.deepseek.com. Its Anthropic API is below `/anthropic`. Blank lines before a
document and comments in a stream keep the connection alive, and pass. A turn that called tools is
refused with 400 where its `reasoning_content` does not come back ("Thinking Mode"; seen in
anomalyco/opencode#24722); of others it is passed over.
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["DEEPSEEK"]

DEEPSEEK = ProviderSpec(
    type="deepseek",
    title="DeepSeek",
    verified=date(2026, 11, 23),
    base_url="https://api.deepseek.com",
    base_url_endings=("/v1",),
    key_env="DEEPSEEK_API_KEY",
    operations=openai_paths("chat_completions")
    | {"completions": "/beta/completions", "messages": "/anthropic/v1/messages"},
    auth=BEARER,
    replays_reasoning="reasoning_content",
    catalog=("deepseek",),
)
