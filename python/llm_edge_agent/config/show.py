"""The configuration as people see it: every option resolved, every secret masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llm_edge_agent.config.secret import MASK, Secret

if TYPE_CHECKING:
    from llm_edge_agent.config.schema import Config

__all__ = ["resolved"]


def resolved(config: Config) -> dict[str, Any]:
    """Every option with its value, defaults included, every secret as `***`."""
    plain: dict[str, Any] = msgspec.to_builtins(config, enc_hook=_mask)
    return plain


def _mask(value: object) -> str:
    if isinstance(value, Secret):
        return MASK
    message = f"`{type(value).__name__}` cannot be shown"
    raise NotImplementedError(message)
