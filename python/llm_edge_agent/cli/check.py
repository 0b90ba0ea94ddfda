"""`llm-edge-agent check`: would this configuration start?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from llm_edge_agent.cli import EXIT_CONFIG
from llm_edge_agent.cli.options import config_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_edge_agent.config import Loaded
    from llm_edge_agent.errors import ConfigError

__all__ = ["command"]

_PEPPER = b"only to see whether the engine takes it"
_NO_MOCK = ("127.0.0.1", 1)


@click.command("check", short_help="Say what is wrong with the configuration.")
@config_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(config_file: str | None, form: str) -> None:
    """Say what is wrong with the configuration: exit code 0 if nothing is, 78 otherwise.

    Everything that `serve` would refuse is found here, short of ports that are taken and of a state
    folder that cannot be written. Nothing is started, changed or asked of the network.
    """
    from llm_edge_agent.config import load
    from llm_edge_agent.errors import ConfigError

    try:
        loaded = load(config_file)
        _try(loaded)
    except ConfigError as error:
        _refuse(error.errors, form)
        sys.exit(EXIT_CONFIG)
    _accept(loaded, form)


def _try(loaded: Loaded) -> None:
    """Give the configuration to an engine that is never started.

    Raises:
        ConfigError: The engine does not take it.
    """
    from llm_edge_agent.compiler import compile_config
    from llm_edge_agent.engine import Engine
    from llm_edge_agent.errors import ConfigError, EngineFailed

    try:
        compiled = compile_config(loaded.config, pepper=_PEPPER, mock_address=_NO_MOCK)
    except ConfigError as error:
        raise loaded.locate(error) from None
    try:
        engine = Engine(compiled.engine_options)
        for slot, secret in compiled.credentials.items():
            engine.set_credential(slot, secret.reveal())
        engine.directory_replace(compiled.principals)
        engine.apply(compiled.snapshot)
    except EngineFailed as error:
        raise ConfigError(str(error), file=loaded.source.file) from None


def _accept(loaded: Loaded, form: str) -> None:
    config = loaded.config
    if form == "json":
        _print_json(ok=True, source=str(loaded.source), errors=[], warnings=loaded.warnings)
        return
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(
        f"ok: {loaded.source}: providers: {', '.join(config.providers)};"
        f" routes: {len(config.routes)}; keys: {len(config.keys)}"
    )


def _refuse(errors: Sequence[ConfigError], form: str) -> None:
    if form == "text":
        for error in errors:
            click.echo(f"error: {error}", err=True)
        return
    parts = ("file", "line", "path", "message", "hint")
    rows = [{part: getattr(error, part) for part in parts} for error in errors]
    _print_json(ok=False, source=None, errors=rows, warnings=[])


def _print_json(**members: object) -> None:
    import msgspec

    click.echo(msgspec.json.encode(members))
