"""The kinds of provider, by the word that configuration uses."""

from __future__ import annotations

from llm_edge_agent.providers.anthropic import ANTHROPIC
from llm_edge_agent.providers.azure_openai import AZURE_OPENAI
from llm_edge_agent.providers.mock import MOCK
from llm_edge_agent.providers.openai import OPENAI
from llm_edge_agent.providers.openai_compatible import OPENAI_COMPATIBLE
from llm_edge_agent.providers.spec import OPERATIONS, AuthSpec, ProviderSpec

__all__ = ["OPERATIONS", "SPECS", "AuthSpec", "ProviderSpec"]

SPECS: dict[str, ProviderSpec] = {
    spec.type: spec for spec in (OPENAI, ANTHROPIC, AZURE_OPENAI, OPENAI_COMPATIBLE, MOCK)
}
"""Type → specification, in the order in which keys in the environment are looked for."""
