"""`llm-edge-agent config show|schema`."""

import click

from llm_edge_agent.cli.options import config_option

__all__ = ["command"]


@click.group("config", short_help="Show the configuration in effect, or its schema.")
def command() -> None:
    """Show what the configuration means, or what it may hold."""


@command.command("show")
@config_option
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml")
def show(config_file: str | None, form: str) -> None:
    """Print every option as it is in effect, defaults included, secrets masked."""
    import msgspec

    from llm_edge_agent.config import load, resolved

    loaded = load(config_file)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(resolved(loaded.config))))
        return
    import yaml

    click.echo(f"# from {loaded.source}")
    click.echo(yaml.safe_dump(resolved(loaded.config), sort_keys=False), nl=False)


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of a configuration, for editors and checks."""
    import msgspec

    from llm_edge_agent.config import config_schema

    encoded = msgspec.json.encode(config_schema(), order="sorted")
    click.echo(msgspec.json.format(encoded, indent=2))
