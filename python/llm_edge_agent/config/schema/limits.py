"""Bounds a client can meet; each is named in the error that it causes."""

from typing import Annotated

from msgspec import Meta

from llm_edge_agent.config.schema.base import U32_MAX, Area

__all__ = ["Limits"]

_Size = Annotated[int, Meta(ge=1024, le=U32_MAX)]
_Count = Annotated[int, Meta(ge=1, le=U32_MAX)]
_Span = Annotated[int, Meta(ge=1, le=U32_MAX)]


class Limits(Area, frozen=True, kw_only=True):
    """Sizes in bytes, spans in milliseconds, counts for the whole process unless said otherwise."""

    body_bytes_max: Annotated[
        int, Meta(ge=1, le=2**31 - 1, description="Request body, bytes: 413 above.")
    ] = 33554432
    buffered_bytes_max: Annotated[
        int, Meta(ge=1, le=2**63 - 1, description="All buffered request bodies, bytes: 503 above.")
    ] = 1073741824
    head_bytes_max: Annotated[_Size, Meta(description="Request head, bytes: 431 above.")] = 65536
    headers_max: Annotated[
        int, Meta(ge=1, le=1000, description="Header fields in a request: 431 above.")
    ] = 128
    target_bytes_max: Annotated[
        int, Meta(ge=64, le=U32_MAX, description="Request target, bytes: 414 above.")
    ] = 8192
    connections_max: Annotated[
        _Count,
        Meta(description="Open client connections; fewer where the descriptors do not suffice."),
    ] = 16384
    connections_per_client_max: Annotated[
        int,
        Meta(
            ge=0,
            le=U32_MAX,
            description="Open connections of one address (IPv6: /64). 0: three quarters of all.",
        ),
    ] = 0
    in_flight_max: Annotated[
        int,
        Meta(
            ge=0,
            le=U32_MAX,
            description="Requests in hand; from 7/8 on a growing share gets 503; 0: any number.",
        ),
    ] = 16384
    queue_ms_max: Annotated[
        int,
        Meta(
            ge=0,
            le=60000,
            description="Standing wait for a worker's turn: beyond it, a growing share gets 503;"
            " 0: no limit.",
        ),
    ] = 10
    memory_bytes_max: Annotated[
        int,
        Meta(
            ge=0,
            le=2**63 - 1,
            description="Resident memory, bytes; from 7/8 on a growing share gets 503; 0: any.",
        ),
    ] = 0
    head_ms: Annotated[_Span, Meta(description="From first byte to the head's end.")] = 10000
    body_progress_ms: Annotated[_Span, Meta(description="Without a byte of the body.")] = 30000
    body_bytes_per_s_min: Annotated[
        int,
        Meta(
            ge=0,
            le=U32_MAX,
            description="Average speed of a body after `body_progress_ms`: 408 below. 0: any.",
        ),
    ] = 1024
    idle_ms: Annotated[_Span, Meta(description="Kept-alive connection without request.")] = 120000
    write_stall_ms: Annotated[_Span, Meta(description="Client that reads nothing.")] = 60000
    upstream_idle_max: Annotated[
        int, Meta(ge=0, le=U32_MAX, description="Idle connections to one upstream per worker.")
    ] = 256
    upstream_idle_ms: Annotated[_Span, Meta(description="How long those are kept.")] = 60000
    upstream_head_bytes_max: Annotated[
        _Size, Meta(description="Head of an upstream's reply, bytes: 502 above.")
    ] = 65536
    upstream_age_max_ms: Annotated[
        _Span, Meta(description="Age at which an upstream connection takes no more requests.")
    ] = 600000
    upstream_http2_connections_max: Annotated[
        _Count, Meta(description="HTTP/2 connections to one upstream per worker.")
    ] = 32
    upstream_ping_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=U32_MAX,
            description="Silence on an HTTP/2 upstream connection in use before it is pinged; as "
            "much again, and it is given up. 0: no pings.",
        ),
    ] = 30000
    dns_ttl_ms: Annotated[
        _Span, Meta(description="How long an upstream's addresses are used before a new look-up.")
    ] = 5000
    event_bytes_max: Annotated[
        _Size, Meta(description="One event of a stream, bytes: the stream is broken off above.")
    ] = 16777216
