"""`POST /api/v1/reload`: read the configuration again."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from llm_edge_agent.control.problem import json_response, problem
from llm_edge_agent.control.resources import plane_of

__all__ = ["apply"]


async def apply(request: Request) -> Response:
    """Apply the configuration as it is now, or say why it was refused; then the old one stays."""
    outcome = await plane_of(request).reload()
    if outcome.ok:
        return json_response({"ok": True, "epoch": outcome.epoch, "warnings": outcome.warnings})
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(outcome.error), epoch=outcome.epoch)
