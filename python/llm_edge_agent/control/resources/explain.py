"""`POST /api/v1/explain`: how a request would be routed now, and why."""

from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from llm_edge_agent.control.problem import json_response, problem
from llm_edge_agent.control.resources import plane_of
from llm_edge_agent.engine import Question
from llm_edge_agent.errors import EngineFailed

__all__ = ["show"]


async def show(request: Request) -> Response:
    """Answer with the filter and rank table of the request in the body; nothing is sent for it."""
    try:
        question = msgspec.json.decode(await request.body(), type=Question)
        return json_response(plane_of(request).explain(question))
    except msgspec.DecodeError as error:
        return problem(HTTPStatus.BAD_REQUEST, f"{error}. It takes `path` and `body`.")
    except EngineFailed as error:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
