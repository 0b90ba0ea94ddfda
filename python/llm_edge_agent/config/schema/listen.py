"""Addresses the gateway listens on."""

from typing import Annotated

from msgspec import Meta

from llm_edge_agent.config.address import parse_address
from llm_edge_agent.config.schema.base import Area
from llm_edge_agent.engine import Address

__all__ = ["Listen"]


class Listen(Area, frozen=True, kw_only=True):
    """Each is `host:port`; IPv6 addresses stand in brackets, port 0 takes a free one.

    The API may listen on a Unix socket, `unix:/path/of/socket`.
    """

    api: Annotated[
        str,
        Meta(
            description="Proxy traffic, `/livez`, `/readyz`; also `unix:/path`.",
            examples=["0.0.0.0:8080", "unix:/run/llm-edge/api.sock"],
        ),
    ] = "127.0.0.1:8080"
    admin: Annotated[str, Meta(description="Admin API; loopback unless `insecure`.")] = (
        "127.0.0.1:8081"
    )
    metrics: Annotated[str, Meta(description="`/metrics` and probes.")] = "127.0.0.1:9464"
    api_mode: Annotated[
        str,
        Meta(
            pattern=r"^0?[0-7]{3}$",
            description="Permissions of the API's Unix socket, octal: who may connect.",
            extra={"hint": 'write it in quotes, such as "0660"'},
        ),
    ] = "0600"

    @property
    def api_address(self) -> Address:
        """The API address, taken apart."""
        return parse_address(self.api)

    @property
    def admin_address(self) -> Address:
        """The admin address, taken apart."""
        return parse_address(self.admin)

    @property
    def metrics_address(self) -> Address:
        """The metrics address, taken apart."""
        return parse_address(self.metrics)
