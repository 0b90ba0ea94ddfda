"""`llm-edge-agent healthcheck`: ask a running gateway, for containers without a shell."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import TYPE_CHECKING

import click

from llm_edge_agent.cli import Failure
from llm_edge_agent.cli.options import config_option

if TYPE_CHECKING:
    from llm_edge_agent.config import Config

__all__ = ["command"]

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- recognised, not bound


@click.command("healthcheck", short_help="Ask a running gateway whether it is ready.")
@config_option
@click.option("--host", help="Host to ask; else the one of `listen.api`.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to ask; else `listen.api`'s.")
@click.option("--live", is_flag=True, help="Ask /livez instead of /readyz.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0.1), default=2.0, show_default=True
)
def command(
    config_file: str | None, host: str | None, port: int | None, *, live: bool, timeout_s: float
) -> None:
    """Exit with 0 if the gateway is ready (or, with --live, alive), with 1 if not."""
    from llm_edge_agent.config import load_part
    from llm_edge_agent.errors import ConfigError

    try:
        # No more than it needs: a probe has no provider's key, and a running gateway is well
        # though its file was spoilt since.
        config = load_part(("listen", "tls"), config_file)
    except ConfigError as error:
        raise Failure(str(error)) from None
    path = "/livez" if live else "/readyz"
    connection = _connection(config, host, port, timeout_s)
    unix = host is None and port is None and config.listen.api_address.unix_path
    at = f"{unix}: {path}" if unix else f"{connection.host}:{connection.port}{path}"
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(1000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{at}: {error}") from None
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise Failure(f"{at}: {answer.status} {text}")
    click.echo(text or "ok")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(
    config: Config, host: str | None, port: int | None, timeout_s: float
) -> http.client.HTTPConnection:
    listen = config.listen.api_address
    if listen.unix_path is not None and host is None and port is None:
        return _UnixConnection(listen.unix_path, timeout_s)
    host = host or _EVERYWHERE.get(listen.host, listen.host)
    port = port or listen.port
    if config.tls is None:
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    # The certificate is for the name that clients use, not for this address; what is asked is only
    # whether the listener answers.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
