"""`llm-edge-agent models`: what a configuration serves."""

import click

from llm_edge_agent.cli.options import config_option, json_option

__all__ = ["command"]


@click.command("models", short_help="List what the configuration serves.")
@config_option
@json_option
def command(config_file: str | None, *, as_json: bool) -> None:
    """List the models that callers can name, and the route or provider that each leads to.

    With --json exactly those that `GET /v1/models` shows to a caller who may use all of them: the
    whole names. A name that fits one with `*` works as well, though nothing lists it.
    """
    import msgspec

    from llm_edge_agent.compiler import compile_models
    from llm_edge_agent.config import load

    config = load(config_file).config
    models = compile_models(config)
    if as_json:
        click.echo(msgspec.json.encode(models))
        return
    rows = [(model.id, model.owned_by) for model in models]
    for name, route in config.routes.items():
        rows += [(model, name) for model in route.models if model.endswith("*")]
    rows += [(f"{provider}/*", provider) for provider in config.providers]
    width = max(len(model) for model, _ in rows)
    for model, owner in rows:
        click.echo(f"{model:<{width}}  {owner}")
    # Not among the names, which scripts read.
    click.echo(
        "A name that fits a `*` works, but `GET /v1/models` lists whole names only; `models:` of a"
        " provider adds to them.",
        err=True,
    )
