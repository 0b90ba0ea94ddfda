"""`llm-edge-agent serve`: run the gateway in the foreground."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from llm_edge_agent.cli.options import (
    Overrides,
    config_option,
    json_option,
    listen_options,
    loader,
)

if TYPE_CHECKING:
    from llm_edge_agent.serve import Started

__all__ = ["command"]


@click.command("serve", short_help="Run the gateway.")
@config_option
@listen_options
@json_option
def command(config_file: str | None, *, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401
    """Run the gateway until SIGTERM or ^C; SIGHUP reads the configuration again.

    With --json the first line on standard output says where everything is; the log then goes to
    standard error.
    """
    from llm_edge_agent import log
    from llm_edge_agent.cli.announce import announce, first_line
    from llm_edge_agent.serve import ServeOptions, serve

    async def say(started: Started) -> None:
        announce(started, token_told=as_json)
        if as_json:
            click.echo(first_line(started, key=None))

    options = ServeOptions(
        load=loader(config_file, Overrides(**overrides)),
        on_started=say,
        log_fd=log.STDERR if as_json else log.STDOUT,
    )
    sys.exit(serve(options))
