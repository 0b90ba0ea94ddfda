"""A port of the control plane: a socket of ours, served by granian inside the running event loop.

granian's embedded server does not tell which port it took when asked for port 0, and lets two
processes share one. So the socket is bound here, without SO_REUSEPORT, and its descriptor handed
over.
"""

import asyncio
import socket

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from starlette.types import ASGIApp

from llm_edge_agent import log
from llm_edge_agent.engine import Address
from llm_edge_agent.errors import LlmEdgeError

__all__ = ["Port", "PortTaken", "check_free"]

_BACKLOG = 128
_STOP_S = 5.0


class PortTaken(LlmEdgeError):  # noqa: N818 -- it names what happened
    """An address cannot be listened on; the message says which, why, and what to do."""


class Port:
    """A bound port. It accepts from the first moment, and answers once it is served.

    Args:
        purpose: What it is for, in messages: `admin` or `metrics`.
        host: Name or address, without brackets.
        number: Port, or 0 for any free one.

    Raises:
        PortTaken: The address is taken or is not of this machine.
    """

    def __init__(self, purpose: str, host: str, number: int) -> None:
        self._purpose = purpose
        self._socket = _bind(purpose, host, number, f"--{purpose}-port")
        bound = self._socket.getsockname()
        self.address = Address(bound[0], bound[1])
        self._server: _OnOurSocket | None = None
        self._serving: asyncio.Task[None] | None = None

    def serve(self, app: ASGIApp) -> None:
        """Answer with an application from now on, in the running loop."""
        self._server = _OnOurSocket(app, self._socket.detach())
        self._serving = asyncio.create_task(self._server.serve(), name=f"{self._purpose} port")
        self._serving.add_done_callback(self._report)

    async def close(self) -> None:
        """Stop serving, and free the port. Idempotent."""
        self._socket.close()
        server, self._server = self._server, None
        if server is None or self._serving is None:
            return
        self._serving.remove_done_callback(self._report)
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([self._serving], timeout=_STOP_S)

    def _report(self, serving: "asyncio.Task[None]") -> None:
        # Traffic does not depend on this port: say it loudly, and let the data path go on.
        failure = None if serving.cancelled() else serving.exception()
        log.logger().error(
            "port_closed", port=self._purpose, address=str(self.address), exc_info=failure
        )


def check_free(purpose: str, host: str, number: int, *, option: str) -> None:
    """See that an address could be listened on, without listening.

    Args:
        purpose: What it is for, in messages.
        host: Name or address, without brackets.
        number: Port; 0 is always free.
        option: Flag that chooses another port.

    Raises:
        PortTaken: The address is taken or is not of this machine.
    """
    if number:
        # Listening, if only for a moment, could take in a client and drop it.
        _bind(purpose, host, number, option, listen=False).close()


class _OnOurSocket(Server):
    def __init__(self, app: ASGIApp, descriptor: int) -> None:
        super().__init__(
            app,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            runtime_blocking_threads=1,
            log_enabled=False,
        )
        self._descriptor = descriptor

    def _init_shared_socket(self) -> None:
        # The stub lacks the constructor: descriptor, whether it is a Unix socket, backlog.
        self._shd = SocketHolder(  # type: ignore[assignment,call-arg]
            self._descriptor,
            False,  # noqa: FBT003 -- a positional flag of theirs
            _BACKLOG,
        )


def _bind(
    purpose: str, host: str, number: int, option: str, *, listen: bool = True
) -> socket.socket:
    def explain(reason: object) -> PortTaken:
        hint = (
            f"free the port, or choose another (`{option} 0` takes any free one)"
            if number
            else "choose an address of this machine"
        )
        return PortTaken(
            f"the {purpose} port cannot listen on {Address(host, number)}: {reason}. hint: {hint}"
        )

    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise explain(error.strerror) from error
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.settimeout(0)
        bound.bind(place)
        if listen:
            bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise explain(error.strerror) from error
    return bound
