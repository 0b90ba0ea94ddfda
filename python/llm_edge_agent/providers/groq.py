"""Groq.

Source: console.groq.com/docs, OpenAI compatibility. Usage and the error that stopped a stream come
in `x_groq`, which the engine reads; `n` above 1, `logprobs` and `logit_bias` are refused there.
What models thought comes back in `reasoning` (`ChatCompletionAssistantMessageParam` of the SDK
1.7); `reasoning_content` is refused (agentjido/req_llm#772). Its
service tiers are other ones ("Service tiers": `on_demand` where OpenAI has `default`).
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["GROQ"]

GROQ = ProviderSpec(
    type="groq",
    title="Groq",
    verified=date(2026, 11, 23),
    base_url="https://api.groq.com/openai/v1",
    key_env="GROQ_API_KEY",
    operations=openai_paths("chat_completions", "responses", "openai_pass_through"),
    auth=BEARER,
    replays_reasoning="reasoning",
    chat_members={
        "logit_bias": None,
        "logprobs": None,
        "top_logprobs": None,
        "n": None,
        "service_tier": None,
    },
    catalog=("groq",),
)
