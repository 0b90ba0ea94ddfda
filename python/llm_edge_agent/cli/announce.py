"""What a started gateway says of itself: one JSON line for scripts, a few lines for people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import msgspec

if TYPE_CHECKING:
    from llm_edge_agent.engine import Address
    from llm_edge_agent.serve import Started

__all__ = ["announce", "first_line", "for_people", "urls"]

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- recognised, not bound


def announce(started: Started, *, token_told: bool = False) -> None:
    """Say on a terminal, or else in the log, what was started.

    Args:
        started: What was started.
        token_told: Whether the admin token is told in another way.
    """
    if sys.stderr.isatty():
        click.echo(for_people(started), err=True)
        return
    from llm_edge_agent import log

    config = started.loaded.config
    log.logger().info(
        "started",
        version=started.version,
        api=str(started.api),
        tls=started.tls,
        admin=str(started.admin),
        metrics=str(started.metrics),
        providers=list(config.providers),
        routes=list(config.routes),
        keys=len(config.keys),
        config=str(started.loaded.source),
    )
    if started.admin_token_made and not token_told:
        # Logs travel far: they hold the way to a token, never a token.
        log.logger().info(
            "admin_token_unknown",
            message="the admin API has a token made for this start, which is not logged",
            hint="set LLM_EDGE_ADMIN_TOKEN, or LLM_EDGE_ADMIN_TOKEN_FILE, to choose one",
        )


def first_line(started: Started, key: str | None) -> str:
    """Return the line that scripts read: where everything is, and how to get in."""
    socket = started.api.unix_path
    line = urls(started) | {"admin_token": started.admin_token, "key": key, "socket": socket}
    order = ("api", "anthropic", "admin", "admin_token", "metrics", "key", "socket")
    return msgspec.json.encode({name: line[name] for name in order}).decode()


def urls(started: Started) -> dict[str, str | None]:
    """Return the base URLs as a client on this machine writes them.

    Over a Unix socket the host means nothing; clients want one all the same.
    """
    api = _url(started.api, "https" if started.tls else "http")
    return {
        "api": f"{api}/v1",
        "anthropic": api,
        "admin": _url(started.admin),
        "metrics": _url(started.metrics),
    }


def _url(address: Address, scheme: str = "http") -> str:
    if address.unix_path is not None:
        return "http://localhost"
    host = _EVERYWHERE.get(address.host, address.host)
    return f"{scheme}://{address._replace(host=host)}"


def for_people(started: Started) -> str:
    """Return the lines that a terminal shows."""
    config = started.loaded.config
    at = urls(started)
    unix = {"socket": started.api.unix_path} if started.api.unix_path else {}
    rows = unix | {
        "OpenAI": at["api"],
        "Anthropic": at["anthropic"],
        "admin": f"{at['admin']}  token {started.admin_token}",
        "metrics": f"{at['metrics']}/metrics",
        "providers": ", ".join(config.providers) or "none",
        "keys": str(len(config.keys)) if config.keys else "none: whoever reaches the port may call",
        "config": str(started.loaded.source),
    }
    lines = [f"  {name:<10} {value}" for name, value in rows.items()]
    return "\n".join([f"llm-edge-agent {started.version} accepts requests", *lines])
