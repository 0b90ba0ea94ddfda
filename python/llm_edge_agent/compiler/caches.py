"""The exact cache of a route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_edge_agent.compiler.snapshot import CacheDoc

if TYPE_CHECKING:
    from llm_edge_agent.config.schema import RouteCache

__all__ = ["compile_cache"]


def compile_cache(cache: RouteCache | None) -> CacheDoc | None:
    """Seconds become milliseconds, at least one: 0 would never serve anything."""
    if cache is None:
        return None
    return CacheDoc(ttl_ms=max(1, round(cache.ttl_s * 1000)), reply_bytes_max=cache.reply_bytes_max)
