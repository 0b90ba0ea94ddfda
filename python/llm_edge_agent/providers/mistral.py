"""Mistral AI.

Source: docs.mistral.ai API reference. Wants `max_tokens`, not `max_completion_tokens`, and refuses
with 422 whatever it does not know, `stream_options` among it (openai/openai-agents-python#442): the
usage of a stream comes unasked. A refusal is `{"object":"error",…}` or a 422 with `detail`, and
passes as it is. Ids of tool calls are nine letters and digits, and others are refused with 400
("Tool call id was … but must be a-z, A-Z, 0-9, with a length of 9"). Models that reason give
`content` as an array with parts of type `thinking` (docs.mistral.ai, "Reasoning"), and take it
back so (`ThinkChunk` of the SDK 3.7); `reasoning_content` is refused (BerriAI/litellm#30835).
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["MISTRAL"]

MISTRAL = ProviderSpec(
    type="mistral",
    title="Mistral AI",
    verified=date(2026, 11, 23),
    base_url="https://api.mistral.ai/v1",
    key_env="MISTRAL_API_KEY",
    operations=openai_paths("chat_completions", "embeddings", "openai_pass_through"),
    auth=BEARER,
    chat_members={
        "seed": "random_seed",
        "logit_bias": None,
        "logprobs": None,
        "top_logprobs": None,
        "service_tier": None,
        "stream_options": None,
    },
    replays_reasoning="content",
    tool_id_length=9,
    catalog=("mistral",),
)
