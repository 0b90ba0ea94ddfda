"""Options that several verbs share, and the configuration they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_edge_agent.config import Loaded

__all__ = ["Overrides", "config_option", "json_option", "listen_options", "loader"]

F = TypeVar("F", bound="Callable[..., Any]")

_PORT = click.IntRange(0, 65535)

config_option = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    help="Configuration file; else $LLM_EDGE_CONFIG, ./llm-edge.yaml and so on.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")

_LISTEN_OPTIONS = (
    click.option("--host", help="Address the API listens on."),
    click.option("--port", type=_PORT, help="Port of the API; 0 takes any free one."),
    click.option("--admin-port", type=_PORT, help="Port of the admin API, on its address."),
    click.option("--metrics-port", type=_PORT, help="Port of metrics and probes."),
    click.option("--workers", type=click.IntRange(0, 1024), help="Data threads; 0: one per core."),
    click.option("--insecure", is_flag=True, help="Allow other machines in without keys."),
    click.option(
        "--reuse-port", is_flag=True, help="Share the API port with an instance that is going away."
    ),
)


def listen_options(function: F) -> F:
    """Add the options that override `listen`, `workers`, `insecure` and `reuse_port`."""
    for option in reversed(_LISTEN_OPTIONS):
        function = option(function)
    return function


@dataclass(frozen=True)
class Overrides:
    """Values of the `listen_options`; None was not given."""

    host: str | None
    port: int | None
    admin_port: int | None
    metrics_port: int | None
    workers: int | None
    insecure: bool
    reuse_port: bool

    def flags(self, load: Callable[[dict[str, object]], Loaded]) -> dict[str, object]:
        """Return the options they set, by dotted path.

        Args:
            load: Reads the configuration with some options set; asked only where a flag gives one
                half of an address and the configuration the other.
        """
        flags: dict[str, object] = {
            "workers": self.workers,
            "insecure": self.insecure or None,
            "reuse_port": self.reuse_port or None,
        }
        halves = {
            "api": (self.host, self.port),
            "admin": (None, self.admin_port),
            "metrics": (None, self.metrics_port),
        }
        given = {name: half for name, half in halves.items() if half != (None, None)}
        if given:
            from llm_edge_agent.engine import Address

            # Insecure for this look only: the address that will be refused may be the one replaced.
            listen = load(flags | {"insecure": True}).config.listen
            known = {
                "api": listen.api_address,
                "admin": listen.admin_address,
                "metrics": listen.metrics_address,
            }
            for name, (host, port) in given.items():
                # Half an address says nothing about a Unix socket: then it is one of this machine.
                kept = known[name]
                if kept.unix_path is not None:
                    kept = Address("127.0.0.1", 8080)
                address = kept._replace(
                    host=kept.host if host is None else host.strip("[]"),
                    port=kept.port if port is None else port,
                )
                flags[f"listen.{name}"] = str(address)
        return {name: value for name, value in flags.items() if value is not None}


def loader(config_file: str | None, overrides: Overrides | None = None) -> Callable[[], Loaded]:
    """Return a function that reads the configuration, with the flags over it, at each call."""
    from llm_edge_agent.config import load

    def read() -> Loaded:
        flags = overrides.flags(lambda f: load(config_file, flags=f)) if overrides else {}
        return load(config_file, flags=flags)

    return read
