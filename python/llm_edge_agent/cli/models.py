"""`llm-edge-agent models [list|show|price|update]`: what is served, what it costs and can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_edge_agent.cli import Failure
from llm_edge_agent.cli.options import config_option, json_option

if TYPE_CHECKING:
    from llm_edge_agent.catalog import Catalog, ModelFacts
    from llm_edge_agent.config import Config

__all__ = ["command"]

_DOUBTS_SHOWN = 10


@click.group(
    "models",
    short_help="List what the configuration serves, what it costs and can do.",
    invoke_without_command=True,
)
@config_option
@json_option
@click.pass_context
def command(context: click.Context, config_file: str | None, *, as_json: bool) -> None:
    """List the models that callers can name, as `models list` does.

    With a verb: what a model is, what it costs, or a newer catalog of both.
    """
    if context.invoked_subcommand is None:
        _list(config_file, as_json=as_json)
    # `models --config FILE show NAME` means what `models show --config FILE NAME` does.
    given = {"config_file": config_file, "as_json": as_json}
    context.default_map = dict.fromkeys(("list", "show", "price", "update"), given)


@command.command("list")
@config_option
@json_option
def list_models(config_file: str | None, *, as_json: bool) -> None:
    """List the models that callers can name, and the route or provider that each leads to.

    With --json exactly those that `GET /v1/models` shows to a caller who may use all of them: the
    whole names. A name that fits one with `*` works as well, though nothing lists it.
    """
    _list(config_file, as_json=as_json)


@command.command("show")
@click.argument("name")
@config_option
@json_option
def show(name: str, config_file: str | None, *, as_json: bool) -> None:
    """Say what is known of a model, and who says so.

    NAME is one that callers use, or `provider/model`. A route with several targets has each shown.
    """
    import msgspec

    from llm_edge_agent.catalog import catalog_of
    from llm_edge_agent.cli.facts import document_of, lines_of

    config = _load(config_file)
    found = _named(config, name)
    if as_json:
        rows = [document_of(target, facts) for target, facts in found]
        click.echo(msgspec.json.encode({"catalog": catalog_of(config).version, "models": rows}))
        return
    click.echo(f"catalog of {catalog_of(config).version}")
    for target, facts in found:
        click.echo(f"\n{target}")
        for what, said in lines_of(facts) if facts else [("", "not in the catalog")]:
            click.echo(f"  {what:<16}{said}".rstrip())


@command.command("price")
@click.argument("name")
@click.option(
    "--input",
    "input_tokens",
    type=click.IntRange(min=0),
    help="Input tokens, cached ones included.",
)
@click.option(
    "--cached",
    "cached_tokens",
    type=click.IntRange(min=0),
    default=0,
    help="Of these, so many from the cache.",
)
@click.option("--output", "output_tokens", type=click.IntRange(min=0), help="Output tokens.")
@config_option
@json_option
def price(
    name: str,
    input_tokens: int | None,
    cached_tokens: int,
    output_tokens: int | None,
    config_file: str | None,
    *,
    as_json: bool,
) -> None:
    """Say what a model costs in USD per million tokens, and with counts what a request costs.

    NAME is one that callers use, or `provider/model`.
    """
    import msgspec

    from llm_edge_agent.cli.facts import price_lines, priced

    asked = input_tokens is not None or output_tokens is not None or cached_tokens
    counts = {"input_tokens": input_tokens or 0, "output_tokens": output_tokens or 0}
    if cached_tokens > counts["input_tokens"]:
        raise click.BadParameter("is more than `--input`", param_hint="--cached")
    counts["cached_tokens"] = cached_tokens
    found = [
        priced(target, facts.price if facts else None, counts if asked else None)
        for target, facts in _named(_load(config_file), name)
    ]
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for row in found:
        click.echo(row["target"])
        for line in price_lines(row):
            click.echo(f"  {line}")


@command.command("update")
@click.option("--from", "source", required=True, metavar="URL|FILE", help="Where the catalog is.")
@click.option("--sha256", metavar="HEX", help="What it must have; anything else is refused.")
@click.option("--check", is_flag=True, help="Only say whether it would be taken.")
@click.option("--force", is_flag=True, help="Take it though it is older, or differs by much.")
@config_option
def update(
    source: str, sha256: str | None, config_file: str | None, *, check: bool, force: bool
) -> None:
    """Take a newer catalog of prices and capabilities into the state folder.

    It must be of a format that this program knows. One that is older than the one in use, that has
    lost a third of its models or in which a price rose or fell tenfold is refused. The one in its
    place is kept as `catalog.json.previous`. A gateway that runs takes it by itself.
    """
    from llm_edge_agent.catalog import Catalog, CatalogFault
    from llm_edge_agent.catalog.update import doubts, fetch, install, verify
    from llm_edge_agent.config import kept_catalog, load_part

    config = load_part(["state_dir", "catalog"], config_file)
    data = fetch(source)
    if sha256 is not None:
        verify(data, sha256)
    try:
        new = Catalog.parse(data)
    except CatalogFault as error:
        raise Failure(f"`{source}` {error}") from None
    found = doubts(_in_place(config), new)
    if found and not force:
        more = len(found) - _DOUBTS_SHOWN
        shown = [*found[:_DOUBTS_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        hint = "hint: if this is right, take it with `--force`"
        raise Failure("\n".join(["not taken:", *shown, hint]))
    for doubt in found[:_DOUBTS_SHOWN]:
        click.echo(f"warning: {doubt}", err=True)
    place = kept_catalog(config)
    if not check:
        install(data, place)
    verb = "would go" if check else "is now"
    click.echo(f"the catalog of {new.version}, {sum(1 for _ in new)} models, {verb} in {place}")
    if config.catalog.file is not None:
        click.echo(
            f"warning: `catalog.file` names `{config.catalog.file}`, which is used in its place",
            err=True,
        )


def _load(config_file: str | None) -> Config:
    from llm_edge_agent.config import load

    return load(config_file).config


def _list(config_file: str | None, *, as_json: bool) -> None:
    import msgspec

    from llm_edge_agent.compiler import compile_models

    config = _load(config_file)
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


def _in_place(config: Config) -> Catalog:
    """The catalog that a new one is compared with; a broken one is there to be replaced."""
    from llm_edge_agent.catalog import catalog_of, embedded
    from llm_edge_agent.errors import ConfigError

    try:
        return catalog_of(config)
    except ConfigError as error:
        click.echo(f"warning: {error}", err=True)
        return embedded()


def _named(config: Config, name: str) -> list[tuple[str, ModelFacts | None]]:
    """The targets that a name leads to, as `provider/model`, and what is known of each.

    Raises:
        Failure: It leads nowhere, or only as any name does that nobody knows.
    """
    from llm_edge_agent.catalog import facts_for
    from llm_edge_agent.cli.near import hint_for
    from llm_edge_agent.compiler import is_claimed, targets_of

    targets = targets_of(config, name)
    if not targets:
        raise Failure(f"`{name}` leads nowhere. hint: {hint_for(config, name)}")
    found = [(f"{p}/{model}", facts_for(config, p, model)) for p, model in targets]
    if any(facts for _, facts in found):
        return found
    if is_claimed(config, name):
        for provider, model in targets:
            _doubt(config, provider, model)
        return found
    asked = ", ".join(f"`{target}`" for target, _ in found)
    known = [model for provider, _ in targets for model in _known(config, provider)]
    message = f"no route has the name `{name}`, and the catalog has nothing as {asked}"
    raise Failure(f"{message}. hint: {hint_for(config, name, known)}")


def _doubt(config: Config, provider: str, model: str) -> None:
    """Ask whether another model was meant; what the catalog lacks may be there all the same."""
    from llm_edge_agent.cli.near import did_you_mean, near

    if question := did_you_mean(
        f"{provider}/{name}" for name in near(model, _known(config, provider))
    ):
        click.echo(f"note: `{provider}/{model}` is not in the catalog; {question}", err=True)


def _known(config: Config, provider: str) -> list[str]:
    from llm_edge_agent.catalog import known_names

    return known_names(config, provider)
