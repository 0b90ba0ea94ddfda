"""LLM-Edge-Agent: one OpenAI- and Anthropic-compatible address in front of your model providers.

Names are loaded when they are first used: importing the package starts nothing and costs next to
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_edge_agent.config import Config
    from llm_edge_agent.config.load import load
    from llm_edge_agent.errors import (
        ConfigError,
        EngineFailed,
        LlmEdgeError,
        Rejected,
        StateError,
        UpstreamFailed,
    )
    from llm_edge_agent.gateway import Gateway

__all__ = [
    "Config",
    "ConfigError",
    "EngineFailed",
    "Gateway",
    "LlmEdgeError",
    "Rejected",
    "StateError",
    "UpstreamFailed",
    "load",
]

_HOMES = {"Config": "config", "load": "config", "Gateway": "gateway"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        message = f"module `{__name__}` has no attribute `{name}`"
        raise AttributeError(message)
    from importlib import import_module  # noqa: PLC0415 - see the essay

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
