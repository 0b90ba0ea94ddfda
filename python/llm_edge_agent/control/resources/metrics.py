"""`/metrics`, in the form that the scraper asks for."""

from starlette.requests import Request
from starlette.responses import Response

from llm_edge_agent.control.resources import plane_of

__all__ = ["show"]


async def show(request: Request) -> Response:
    """Answer with every metric of the data path and of the control plane."""
    accept = ",".join(request.headers.getlist("accept"))
    body, content_type = plane_of(request).exposition(accept)
    return Response(body, headers={"content-type": content_type, "vary": "accept"})
