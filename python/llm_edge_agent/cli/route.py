"""`llm-edge-agent route`: which target a request takes, and why."""

from __future__ import annotations

import time
from typing import IO, TYPE_CHECKING, Any

import click

from llm_edge_agent.cli import Failure
from llm_edge_agent.cli.options import config_option, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_edge_agent.config import Config, Loaded
    from llm_edge_agent.engine import Explanation, Live, RouteTable, Row

__all__ = ["NEEDS", "command"]

NEEDS = ("tools", "vision", "json_schema", "reasoning", "audio")
_BYTES_PER_TOKEN = 4
_COLUMNS = ("#", "target", "standing", "cost, USD", "in flight", "first token")


@click.group("route", short_help="Say which target a request takes, and why.")
def command() -> None:
    """Say which target a request takes, and why."""


@command.command("explain", short_help="Filter and rank table of one request.")
@config_option
@click.option("--request", "file", type=click.File("rb"), help="Its body, JSON; `-`: from stdin.")
@click.option("--path", default="/v1/chat/completions", show_default=True, help="Its path.")
@click.option("--model", help="Model to ask for, in place of --request.")
@click.option(
    "--input-tokens", type=click.IntRange(0, 10_000_000), help="Length of that one's prompt."
)
@click.option(
    "--needs", multiple=True, type=click.Choice(NEEDS), help="What that one asks of the model."
)
@click.option("--stream", is_flag=True, help="That one wants a stream.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header field.")
@click.option("--key", default="", help="Name of the caller's key.")
@click.option("--at", metavar="UNIX_S", type=click.IntRange(0), help="When; now by default.")
@click.option(
    "--live", "live_file", type=click.File("rb"), help="What is known of targets, JSON by name."
)
@json_option
def explain(
    config_file: str | None,
    file: IO[bytes] | None,
    *,
    as_json: bool,
    **said: Any,  # noqa: ANN401 -- what click has read
) -> None:
    """Show which targets may serve a request, in which order, and why not the others.

    It is decided as by a gateway that has just started; a running one answers the same question by
    what it knows at `POST /api/v1/explain` of its admin port. With --live a file says what is
    known: `{"openai/gpt-5.2": {"in_flight": 3, "first_token_us": 400000, "is_open": false}}`.
    """
    import msgspec

    from llm_edge_agent.config import load
    from llm_edge_agent.engine import Question, explain
    from llm_edge_agent.errors import EngineFailed

    if (file is None) == (said["model"] is None):
        raise click.UsageError("give either --request or --model")
    if file is not None and (said["input_tokens"] is not None or said["needs"] or said["stream"]):
        raise click.UsageError("--input-tokens, --needs and --stream go with --model")
    live_file: IO[bytes] | None = said["live_file"]
    if _is_stdin(file) and _is_stdin(live_file):
        raise click.UsageError("standard input is one of --request and --live, not both")
    question = Question(
        path=said["path"],
        body=msgspec.Raw(_checked(file.read()) if file is not None else _body(**said)),
        headers=dict(_field(header) for header in said["headers"]),
        key=said["key"],
        unix_s=int(time.time()) if said["at"] is None else said["at"],
        live={} if live_file is None else _live(live_file.read()),
    )
    loaded = load(config_file)
    _see_key(loaded.config, question.key)
    try:
        explanation = explain(_snapshot(loaded), question)
    except EngineFailed as error:
        raise Failure(f"{error}{_meant(loaded.config, said['model'])}") from None
    _see_name(loaded.config, explanation.model)
    if as_json:
        click.echo(msgspec.json.encode(explanation))
        return
    _print(explanation)


def _is_stdin(file: IO[bytes] | None) -> bool:
    return file is not None and getattr(file, "name", "<stdin>") == "<stdin>"


def _see_key(config: Config, name: str) -> None:
    """See that a caller's key is one of those there are; rules of other names never hold."""
    from llm_edge_agent.cli.near import did_you_mean, near

    names = [key.name for key in config.keys]
    if not name or name in names:
        return
    known = did_you_mean(near(name, names)) or (
        f"known here: {', '.join(f'`{known}`' for known in names)}" if names else "leave it out"
    )
    message = f"there is no key `{name}`. hint: {known}"
    raise click.BadParameter(message, param_hint="--key")


def _meant(config: Config, model: str | None) -> str:
    """A hint for a model that is not there, as callers get it."""
    from llm_edge_agent.cli.near import hint_for
    from llm_edge_agent.compiler import targets_of

    if model is None or targets_of(config, model):
        return ""
    return f". hint: {hint_for(config, model)}"


def _see_name(config: Config, model: str) -> None:
    """Say so where a name is nearly a route's, and goes where all others go."""
    from llm_edge_agent.cli.near import did_you_mean, near
    from llm_edge_agent.compiler import is_claimed

    names = [name for route in config.routes.values() for name in route.models]
    if not is_claimed(config, model) and (question := did_you_mean(near(model, names))):
        click.echo(f"note: no route has the name `{model}`; {question}", err=True)


def _snapshot(loaded: Loaded) -> bytes:
    from llm_edge_agent.compiler import compile_config
    from llm_edge_agent.errors import ConfigError

    try:
        # Neither is in the snapshot's decisions.
        return compile_config(loaded.config, pepper=b"", mock_address=("127.0.0.1", 1)).snapshot
    except ConfigError as error:
        raise loaded.locate(error) from None


def _body(
    *, model: str, input_tokens: int | None, needs: Sequence[str], stream: bool, **_: object
) -> bytes:
    """A chat request that needs this."""
    import msgspec

    text = "x" * _BYTES_PER_TOKEN * (input_tokens or 0)
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    if "vision" in needs:
        parts.append({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}})
    if "audio" in needs:
        parts.append({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}})
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": parts}]}
    if "tools" in needs:
        body["tools"] = [{"type": "function", "function": {"name": "f"}}]
    if "json_schema" in needs:
        body["response_format"] = {"type": "json_schema"}
    if "reasoning" in needs:
        body["reasoning_effort"] = "medium"
    return msgspec.json.encode(body | ({"stream": True} if stream else {}))


def _checked(body: bytes) -> bytes:
    import msgspec

    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"is not JSON: {error}", param_hint="--request") from None
    return body


def _live(text: bytes) -> dict[str, Live]:
    import msgspec

    from llm_edge_agent.engine import Live

    try:
        return msgspec.json.decode(text, type=dict[str, Live])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(str(error), param_hint="--live") from None


def _field(header: str) -> tuple[str, str]:
    name, colon, value = header.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"`{header}`: write NAME:VALUE", param_hint="--header")
    return name.strip().lower(), value.strip()


def _print(explanation: Explanation) -> None:
    needs = ", ".join(explanation.needs) or "nothing special"
    click.echo(
        f"{explanation.operation} of `{explanation.model}`: needs {needs};"
        f" about {explanation.input_tokens:,} tokens in, {explanation.output_tokens:,} out"
    )
    if explanation.redirect is not None:
        click.echo(f"rules[{explanation.redirect.rule}] of route `{explanation.redirect.from_}`")
    for at, table in enumerate(explanation.routes):
        kind = "fallback" if at else "route"
        if table.model != explanation.model:
            kind = f"for `{table.model}` route"
        click.echo(f"\n{kind} `{table.route}`, {table.strategy}")
        if table.policy is not None:
            click.echo(f"  policy `{table.policy}` may rank otherwise; it is not asked here")
        _print_table(table)


def _print_table(table: RouteTable) -> None:
    targets = sorted(table.targets, key=lambda row: (row.asked is None, row.asked or 0))
    rows = [_COLUMNS, *(_cells(row) for row in targets)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo(f"  {'  '.join(cells)}".rstrip())


def _cells(row: Row) -> tuple[str, ...]:
    standing = row.standing if row.excluded is None else f"{row.standing}: {row.excluded}"
    first = row.live.first_token_us
    return (
        "-" if row.asked is None else str(row.asked),
        row.target,
        standing,
        "unknown" if row.cost_nano_usd is None else f"{_usd(row.cost_nano_usd)}",
        str(row.live.in_flight),
        f"{first / 1000:,.0f} ms" if first else "unknown",
    )


def _usd(nano: int) -> str:
    return f"{nano // 10**9}.{nano % 10**9:09d}"
