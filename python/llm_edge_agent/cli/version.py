"""`llm-edge-agent version`."""

import platform

import click
import msgspec

from llm_edge_agent.cli.options import json_option

__all__ = ["command"]


@click.command("version", short_help="Say which version this is.")
@json_option
def command(*, as_json: bool) -> None:
    """Say which version this is."""
    from llm_edge_agent.engine import engine_version

    version = {
        "version": engine_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    if as_json:
        click.echo(msgspec.json.encode(version))
    else:
        click.echo(f"llm-edge-agent {version['version']} (Python {version['python']})")
