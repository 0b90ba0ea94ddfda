"""The request log: one structured line per request."""

from typing import Annotated, Literal

from msgspec import Meta

from llm_edge_agent.config.schema.base import U32_MAX, Area

__all__ = ["RequestLog"]


class RequestLog(Area, frozen=True, kw_only=True):
    """Which requests get a line; errors do in every mode."""

    mode: Annotated[
        Literal["off", "sampled", "all"], Meta(description="Only errors, a sample, or all.")
    ] = "sampled"
    sample_every: Annotated[
        int, Meta(ge=1, le=U32_MAX, description="With `sampled`: one request in this many.")
    ] = 100
