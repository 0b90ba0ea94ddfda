"""The configuration as people see it: every option resolved, every secret masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llm_edge_agent.config.secret import MASK, Secret
from llm_edge_agent.config.usd import UsdPerMillion

if TYPE_CHECKING:
    from llm_edge_agent.config.schema import Config

__all__ = ["resolved"]


def resolved(config: Config) -> dict[str, Any]:
    """Every option with its value, defaults included, every secret as `***`."""
    plain: dict[str, Any] = msgspec.to_builtins(config, enc_hook=_plain)
    return plain


def _plain(value: object) -> str:
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, UsdPerMillion):
        return str(value)
    message = f"`{type(value).__name__}` cannot be shown"
    raise NotImplementedError(message)
