"""`llm-edge-agent check`: would this configuration start?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from llm_edge_agent.cli import EXIT_CONFIG
from llm_edge_agent.cli.options import config_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llm_edge_agent.config import Loaded
    from llm_edge_agent.credentials import Source
    from llm_edge_agent.errors import ConfigError

__all__ = ["command"]

_PEPPER = b"only to see whether the engine takes it"
_NO_MOCK = ("127.0.0.1", 1)


@click.command("check", short_help="Say what is wrong with the configuration.")
@config_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(config_file: str | None, form: str) -> None:
    """Say what is wrong with the configuration: exit code 0 if nothing is, 78 otherwise.

    Everything that `serve` would refuse is found here, short of ports that are taken, of a state
    folder that cannot be written, and of credentials that only a network or another program has:
    those are looked for when the gateway starts. Nothing is started, changed or asked of the
    network.
    """
    from llm_edge_agent.config import load
    from llm_edge_agent.errors import ConfigError

    try:
        loaded = load(config_file)
        _see_environment()
        doubts = _try(loaded)
    except ConfigError as error:
        _refuse(error.errors, form)
        sys.exit(EXIT_CONFIG)
    _accept(loaded, [*loaded.warnings, *doubts], form)


def _see_environment() -> None:
    """See what a start takes from the environment alone.

    Raises:
        ConfigError: It cannot be used.
    """
    from llm_edge_agent.config import admin_token, given_pepper
    from llm_edge_agent.errors import ConfigError, StateError

    admin_token()
    try:
        given_pepper()
    except StateError as error:
        raise ConfigError(str(error)) from None


def _try(loaded: Loaded) -> list[str]:
    """Give the configuration to an engine that is never started, and return what is in doubt.

    Raises:
        ConfigError: The engine does not take it, or a credential that it needs is not there.
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
    return _see_credentials(loaded, compiled.found.values())


def _see_credentials(loaded: Loaded, sources: Iterable[Source]) -> list[str]:
    """See what can be seen of credentials that are to be found, and return what is in doubt.

    Raises:
        ConfigErrors: There is none for a provider, and waiting would not mend it.
    """
    from llm_edge_agent.credentials import NotFound, fault_of
    from llm_edge_agent.errors import ConfigError, ConfigErrors

    errors, doubts = [], []
    for source in sources:
        try:
            unasked = source.check()
        except NotFound as error:
            fault = loaded.locate(fault_of(source, error))
            if error.absent:
                errors.append(fault)
            else:
                doubts.append(str(fault))
            continue
        if unasked:
            message = f"only {unasked} could have a credential, and is not asked here"
            path = f"providers.{source.provider}.{source.option}"
            doubts.append(str(loaded.locate(ConfigError(message, path=path))))
    if errors:
        raise ConfigErrors(errors)
    return doubts


def _accept(loaded: Loaded, warnings: Sequence[str], form: str) -> None:
    config = loaded.config
    if form == "json":
        _print_json(ok=True, source=str(loaded.source), errors=[], warnings=warnings)
        return
    for warning in warnings:
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
