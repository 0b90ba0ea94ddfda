"""Together AI.

Source: docs.together.ai, API reference ("Create a rerank request"); rate limits: 429 above the
account's dynamic rate, 503 below it. What models thought comes back in `reasoning_content`
(`ChatCompletionAssistantMessageParam` of the SDK 3.1).
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["TOGETHER"]

TOGETHER = ProviderSpec(
    type="together",
    title="Together AI",
    verified=date(2026, 11, 23),
    base_url="https://api.together.xyz/v1",
    key_env="TOGETHER_API_KEY",
    operations=openai_paths(
        "chat_completions", "completions", "embeddings", "rerank", "openai_pass_through"
    ),
    auth=BEARER,
    replays_reasoning="reasoning_content",
    catalog=("together",),
)
