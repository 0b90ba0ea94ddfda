"""The kinds of provider, by the word that configuration uses.

For distributions that bring one of their own (docs/guide/add-a-provider.md), `ProviderSpec`,
`AuthSpec`, `BEARER` and `openai_paths` are what they are written with.
"""

from __future__ import annotations

from llm_edge_agent.providers.anthropic import ANTHROPIC
from llm_edge_agent.providers.azure_openai import AZURE_OPENAI
from llm_edge_agent.providers.bedrock import BEDROCK
from llm_edge_agent.providers.check import path_fault
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
from llm_edge_agent.providers.registry import Registry, Unusable
from llm_edge_agent.providers.spec import (
    BEARER,
    CHAT_MEMBERS,
    OPERATIONS,
    TOOL_ID_LENGTHS,
    AuthSpec,
    ProviderSpec,
    openai_paths,
)
from llm_edge_agent.providers.together import TOGETHER
from llm_edge_agent.providers.vertex import VERTEX, VERTEX_ANTHROPIC, VERTEX_OPENAI
from llm_edge_agent.providers.vllm import VLLM
from llm_edge_agent.providers.xai import XAI

__all__ = [
    "BEARER",
    "CHAT_MEMBERS",
    "OPERATIONS",
    "SPECS",
    "TOOL_ID_LENGTHS",
    "AuthSpec",
    "ProviderSpec",
    "Registry",
    "Unusable",
    "installed",
    "openai_paths",
    "path_fault",
    "spec_of",
]

SPECS: dict[str, ProviderSpec] = {
    spec.type: spec
    for spec in (
        OPENAI,
        ANTHROPIC,
        AZURE_OPENAI,
        GEMINI,
        VERTEX,
        VERTEX_ANTHROPIC,
        VERTEX_OPENAI,
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
"""What is built in: type → specification, in the order in which keys in the environment are
looked for."""


def installed() -> Registry:
    """What there is at this moment, with what other distributions bring."""
    return Registry(SPECS)


def spec_of(kind: str) -> ProviderSpec:
    """The kind of that name, for a configuration that has been checked.

    Raises:
        Unusable: There is none, any more, or it cannot be used.
    """
    spec = SPECS.get(kind) or installed().find(kind)
    if spec is None:
        message = f"unknown provider type `{kind}`"
        raise Unusable(message, "the distribution that brings it may be gone")
    return spec
