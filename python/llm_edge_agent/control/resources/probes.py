"""`/livez`, `/readyz`, `/healthz`: no authentication, no upstream call, no look at a store."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from llm_edge_agent.control.resources import plane_of

__all__ = ["live", "ready"]


async def live(_request: Request) -> Response:
    """Answer 200: a process that answers lives."""
    return _answer(HTTPStatus.OK, "ok\n")


async def ready(request: Request) -> Response:
    """Answer 200 when new traffic is welcome, else 503 with the reason; `?verbose` says more."""
    plane = plane_of(request)
    reason = plane.readiness.reason
    text = f"not ready: {reason}\n" if reason else "ok\n"
    if "verbose" in request.query_params:
        now = plane.status()
        text += f"snapshot epoch {now.epoch}\nin flight {now.in_flight}\n"
    return _answer(HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK, text)


def _answer(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(text, status_code=status, headers={"cache-control": "no-store"})
