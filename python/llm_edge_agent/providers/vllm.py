"""vLLM.

Source: docs.vllm.ai, online serving. Serves Anthropic's messages too; needs a key only where it was
started with one. What models thought comes back in `reasoning` ("Interleaved thinking").
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["VLLM"]

VLLM = ProviderSpec(
    type="vllm",
    title="vLLM",
    verified=date(2026, 11, 23),
    key_required=False,
    operations=openai_paths(
        "chat_completions",
        "completions",
        "responses",
        "embeddings",
        "messages",
        "rerank",
        "stored_response",
        "openai_pass_through",
    ),
    auth=BEARER,
    replays_reasoning="reasoning",
)
