"""One module per noun of the control plane's API."""

from starlette.requests import Request

from llm_edge_agent.control.plane import Plane

__all__ = ["plane_of"]


def plane_of(request: Request) -> Plane:
    """Return what the application of a request may see and do."""
    plane: Plane = request.app.state.plane
    return plane
