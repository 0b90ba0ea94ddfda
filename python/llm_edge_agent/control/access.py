"""Who may talk to the admin port: the right `Host`, then the admin token.

The host check stops DNS rebinding: a page in a browser can make `evil.example` resolve to
127.0.0.1, and its requests then arrive here with that name in `Host`. An address cannot be rebound,
a name can.
"""

import hmac
import ipaddress
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from llm_edge_agent.config.address import is_loopback
from llm_edge_agent.control.problem import problem

__all__ = ["AllowedHosts", "Gate"]

_REALM = 'Bearer realm="llm-edge-agent admin"'


class AllowedHosts:
    """The values of `Host` that the admin port answers to.

    Loopback names and addresses, and the host it listens on; where that is every address of the
    machine (`0.0.0.0`, `::`), any literal address.
    """

    def __init__(self, listen_host: str) -> None:
        self._listen_host = listen_host.lower()
        address = _address(listen_host)
        self._any_address = address is not None and address.is_unspecified

    def __contains__(self, host_header: str) -> bool:
        host = _without_port(host_header)
        if host is None:
            return False
        return (
            is_loopback(host)
            or host == self._listen_host
            or (self._any_address and _address(host) is not None)
        )


class Gate:
    """Middleware that lets a request through only with an allowed `Host` and the admin token."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts, token: str) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or pass on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        refusal = self._refuse_host(headers) or self._refuse_token(headers)
        return await (refusal or self._app)(scope, receive, send)

    def _refuse_host(self, headers: Headers) -> Response | None:
        hosts = headers.getlist("host")
        if len(hosts) == 1 and hosts[0] in self._hosts:
            return None
        return problem(
            HTTPStatus.MISDIRECTED_REQUEST,
            "The admin port answers to loopback names and to the address it listens on only.",
        )

    def _refuse_token(self, headers: Headers) -> Response | None:
        given = headers.getlist("authorization")
        if not given:
            return _unauthorized("Send the admin token as `Authorization: Bearer …`.", _REALM)
        scheme, _, token = given[0].partition(" ")
        right = hmac.compare_digest(token.strip().encode(), self._token)
        if len(given) == 1 and scheme.lower() == "bearer" and right:
            return None
        return _unauthorized(
            "The admin token is wrong: it is `LLM_EDGE_ADMIN_TOKEN`, or else new at each start.",
            f'{_REALM}, error="invalid_token"',
        )


def _unauthorized(detail: str, challenge: str) -> Response:
    return problem(HTTPStatus.UNAUTHORIZED, detail, headers={"www-authenticate": challenge})


def _without_port(host_header: str) -> str | None:
    """Return the host of a `Host` value in lower case, without brackets; `None` if malformed."""
    host, port = host_header.strip().lower(), ""
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            return None
        port = port[1:]
    elif ":" in host:
        host, _, port = host.partition(":")
    return host if host and (not port or port.isdecimal()) else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
