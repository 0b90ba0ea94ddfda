"""The exact cache: its store, and its use on a route."""

from typing import Annotated

from msgspec import Meta

from llm_edge_agent.config.schema.base import Area

__all__ = ["CacheStore", "RouteCache"]

_TTL_S_MAX = 31_536_000  # one year


class CacheStore(Area, frozen=True, kw_only=True):
    """What all routes share."""

    bytes_max: Annotated[
        int, Meta(ge=0, le=2**63 - 1, description="Memory for stored replies, bytes.")
    ] = 268435456


class RouteCache(Area, frozen=True, kw_only=True):
    """Turns the exact cache on for a route."""

    ttl_s: Annotated[
        float, Meta(gt=0, le=_TTL_S_MAX, description="How long a stored reply is served, seconds.")
    ]
    reply_bytes_max: Annotated[
        int, Meta(ge=1, le=2**31 - 1, description="Largest reply that is stored, bytes.")
    ] = 1048576
