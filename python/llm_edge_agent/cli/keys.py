"""`llm-edge-agent keys create`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from llm_edge_agent.cli.options import config_option, json_option

if TYPE_CHECKING:
    from llm_edge_agent.config import Config

__all__ = ["command"]


@click.group("keys", short_help="Make keys for callers.")
def command() -> None:
    """Make keys for the callers of the gateway."""


@command.command("create")
@click.option("--name", required=True, help="Name of the key, shown in logs.")
@click.option(
    "--models", default="*", help="Models it may use, with commas; a name may end in `*`."
)
@config_option
@json_option
def create(name: str, models: str, config_file: str | None, *, as_json: bool) -> None:
    """Make a key, print it once, and print the line for the configuration.

    The configuration holds a hash that depends on the pepper of this installation: run this where
    the gateway runs, as the user it runs as.
    """
    import msgspec

    from llm_edge_agent.config import hash_key, load_pepper, new_key

    patterns = [pattern.strip() for pattern in models.split(",") if pattern.strip()]
    if not patterns:
        raise click.BadParameter("names no model", param_hint="--models")
    pepper = load_pepper(_configuration(config_file), keep=True)
    for warning in pepper.warnings:
        click.echo(f"warning: {warning}", err=True)
    key = new_key()
    entry = {"name": name, "hash": hash_key(pepper.value, key), "models": patterns}
    if as_json:
        click.echo(msgspec.json.encode({"key": key, **entry, "pepper": pepper.source}))
        return
    click.echo(key)
    # A JSON object is YAML's flow form too, with every name quoted as it must be.
    click.echo(
        f"This key is shown once. Its hash goes with the pepper in `{pepper.source}`;"
        " this line goes under `keys:`",
        err=True,
    )
    click.echo(f"  - {msgspec.json.format(msgspec.json.encode(entry), indent=0).decode()}")


def _configuration(config_file: str | None) -> Config | None:
    """Return the configuration, which says where the state folder is."""
    from llm_edge_agent.config import load_part
    from llm_edge_agent.errors import ConfigError

    try:
        # Keys are looked at for a warning only; what they refer to may not be known in this shell.
        with suppress(ConfigError):
            return load_part(("state_dir", "keys"), config_file)
        return load_part(("state_dir",), config_file)
    except ConfigError as error:
        if config_file is not None:
            raise
        for fault in error.errors:
            click.echo(f"warning: {fault}", err=True)
        return None
