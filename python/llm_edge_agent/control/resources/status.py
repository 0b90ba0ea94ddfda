"""`GET /api/v1/status`: what the engine is doing."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from llm_edge_agent.control.problem import json_response
from llm_edge_agent.control.resources import plane_of

__all__ = ["show"]


async def show(request: Request) -> Response:
    """Answer with epoch, workers, targets, requests in flight, version and uptime."""
    plane = plane_of(request)
    return json_response(
        {
            "version": plane.version,
            "uptime_s": round(plane.uptime_s(), 3),
            "ready": not plane.readiness.reason,
            **msgspec.structs.asdict(plane.status()),
        }
    )
