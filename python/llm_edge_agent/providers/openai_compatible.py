"""Any server that speaks OpenAI's dialects below some base URL: vLLM, llama.cpp, TGI, a proxy.

Which of the operations a server has is its own affair; its 404 comes back as it is.
"""

from __future__ import annotations

import msgspec

from llm_edge_agent.providers.openai import OPENAI

__all__ = ["OPENAI_COMPATIBLE"]

OPENAI_COMPATIBLE = msgspec.structs.replace(
    OPENAI,
    type="openai_compatible",
    title="OpenAI-compatible server",
    base_url=None,
    key_env=None,
    key_required=False,
)
