"""`GET /api/v1/config`: the configuration in use, with secrets masked."""

from starlette.requests import Request
from starlette.responses import Response

from llm_edge_agent.control.problem import json_response
from llm_edge_agent.control.resources import plane_of

__all__ = ["show"]


async def show(request: Request) -> Response:
    """Answer with every option as it is in effect, defaults included."""
    return json_response(plane_of(request).resolved())
