"""What runs behind a server under test: it records each request that the server hands it.

Runs in the virtual environment of the origins, so it needs nothing but the standard library; the
file to write to is in the environment variable RECORD. One line per request: method, path, id, and
a digest of the body as the server understood it.
"""

import hashlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

REPLY = b'{"choices":[]}'
_file = os.open(os.environ.get("RECORD", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def record(method: str, path: str, ident: str, body: bytes) -> None:
    """Write one line, in one call, so that workers do not mix theirs."""
    digest = hashlib.sha256(body).hexdigest()
    os.write(_file, f"{method} {path} {ident or '-'} {digest}\n".encode())


async def asgi(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """For uvicorn, hypercorn, granian."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    fields = dict(scope["headers"])
    record(scope["method"], scope["path"], fields.get(b"x-request-id", b"").decode("latin-1"), body)
    own = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(REPLY))]
    await send({"type": "http.response.start", "status": 200, "headers": own})
    await send({"type": "http.response.body", "body": REPLY})


def wsgi(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """For gunicorn, waitress."""
    body = environ["wsgi.input"].read()
    ident = environ.get("HTTP_X_REQUEST_ID", "")
    record(environ["REQUEST_METHOD"], environ["PATH_INFO"], ident, body)
    own = [("Content-Type", "application/json"), ("Content-Length", str(len(REPLY)))]
    start_response("200 OK", own)
    return [REPLY]


def aiohttp_server(port: int) -> None:
    """aiohttp's own server."""
    from aiohttp import web  # noqa: PLC0415 -- only in the origins' environment

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        record(request.method, request.path, request.headers.get("x-request-id", ""), body)
        return web.Response(body=REPLY, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    aiohttp_server(int(sys.argv[1]))
