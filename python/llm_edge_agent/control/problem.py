"""Errors of the admin API, as `application/problem+json`. Source: RFC 9457."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from llm_edge_agent import log

__all__ = ["HANDLERS", "json_response", "problem"]


def json_response(value: object, status: int = HTTPStatus.OK) -> Response:
    """Encode a value as an answer that no cache may keep."""
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
) -> Response:
    """Build the answer for a failure.

    Args:
        status: HTTP status; its reason phrase becomes the title.
        detail: What went wrong here, and what to do about it.
        headers: Further header fields.
        **members: Extension members, such as the place in a file.
    """
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        **members,
    }
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/problem+json",
        headers={"cache-control": "no-store", **(headers or {})},
    )


async def _http_failure(request: Request, failure: Exception) -> Response:
    if not isinstance(failure, HTTPException):
        return await _unforeseen(request, failure)
    path = request.url.path
    detail = {
        HTTPStatus.NOT_FOUND: f"`{path}` is not a path of this port.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"`{request.method}` is not allowed on `{path}`.",
    }.get(HTTPStatus(failure.status_code), failure.detail)
    return problem(failure.status_code, detail, headers=failure.headers)


async def _unforeseen(request: Request, failure: Exception) -> Response:
    log.logger().error(
        "control_failure", path=request.url.path, method=request.method, exc_info=failure
    )
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "The control plane failed; its log says where."
    )


HANDLERS = {HTTPException: _http_failure, Exception: _unforeseen}
