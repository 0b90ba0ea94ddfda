"""Any server that speaks OpenAI's dialects below some base URL: vLLM, llama.cpp, TGI, a proxy.

Which of the operations a server has is its own affair; its 404 comes back as it is. Where it takes
reasoning back is for the configuration to say: GLM wants `reasoning_content` (docs.z.ai, "Thinking
mode"), Cerebras refuses it and takes `reasoning` (QwenLM/qwen-code#11045).
"""

from __future__ import annotations

from llm_edge_agent.providers.spec import BEARER, ProviderSpec, openai_paths

__all__ = ["OPENAI_COMPATIBLE"]

OPENAI_COMPATIBLE = ProviderSpec(
    type="openai_compatible",
    title="OpenAI-compatible server",
    key_required=False,
    operations=openai_paths(
        "chat_completions",
        "completions",
        "responses",
        "embeddings",
        "rerank",
        "stored_response",
        "openai_pass_through",
    ),
    auth=BEARER,
)
