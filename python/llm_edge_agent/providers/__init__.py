"""The kinds of provider, by the word that configuration uses."""

from __future__ import annotations

from llm_edge_agent.providers.anthropic import ANTHROPIC
from llm_edge_agent.providers.azure_openai import AZURE_OPENAI
from llm_edge_agent.providers.bedrock import BEDROCK
from llm_edge_agent.providers.cohere import COHERE
from llm_edge_agent.providers.deepseek import DEEPSEEK
from llm_edge_agent.providers.fireworks import FIREWORKS
from llm_edge_agent.providers.gemini import GEMINI
from llm_edge_agent.providers.groq import GROQ
from llm_edge_agent.providers.mistral import MISTRAL
from llm_edge_agent.providers.mock import MOCK
from llm_edge_agent.providers.ollama import OLLAMA
from llm_edge_agent.providers.openai import OPENAI
from llm_edge_agent.providers.openai_compatible import OPENAI_COMPATIBLE
from llm_edge_agent.providers.openrouter import OPENROUTER
from llm_edge_agent.providers.perplexity import PERPLEXITY
from llm_edge_agent.providers.spec import OPERATIONS, AuthSpec, ProviderSpec
from llm_edge_agent.providers.together import TOGETHER
from llm_edge_agent.providers.vllm import VLLM
from llm_edge_agent.providers.xai import XAI

__all__ = ["OPERATIONS", "SPECS", "AuthSpec", "ProviderSpec"]

SPECS: dict[str, ProviderSpec] = {
    spec.type: spec
    for spec in (
        OPENAI,
        ANTHROPIC,
        AZURE_OPENAI,
        GEMINI,
        BEDROCK,
        COHERE,
        MISTRAL,
        GROQ,
        DEEPSEEK,
        XAI,
        TOGETHER,
        FIREWORKS,
        OPENROUTER,
        PERPLEXITY,
        OLLAMA,
        VLLM,
        OPENAI_COMPATIBLE,
        MOCK,
    )
}
"""Type → specification, in the order in which keys in the environment are looked for."""
