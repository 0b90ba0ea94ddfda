"""`llm-edge-agent tokens`: how many tokens a text or a request has."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import click

from llm_edge_agent.cli import Failure
from llm_edge_agent.cli.options import json_option

if TYPE_CHECKING:
    from llm_edge_agent.engine import TokenEstimate

__all__ = ["command"]

_MODEL = "gpt-5"


@click.command("tokens", short_help="Count the tokens of a text or a request.")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--model", help=f"Whose tokens; else the request's `model`, else {_MODEL}.", metavar="NAME"
)
@click.option(
    "--request",
    "dialect",
    is_flag=False,
    flag_value="openai_chat",
    metavar="[DIALECT]",
    help="FILE is a request: openai_chat, openai_responses, anthropic_messages, gemini, …",
)
@json_option
def command(file: BinaryIO, model: str | None, dialect: str | None, *, as_json: bool) -> None:
    """Count the tokens of FILE (`-` is standard input), and say whether the number is exact.

    It is exact where the model's vendor publishes its vocabulary. Others are estimated, and so are
    requests: what a provider adds to messages, and what it makes of a picture, it tells roughly.
    Nothing is sent anywhere.
    """
    found = _count(file.read(), model, dialect)
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(found._asdict()))
        return
    pieces = {"image": found.images, "recording": found.audio, "other file": found.files}
    parts = ["exact" if found.exact else "estimate"]
    parts += [f"{n} {name}{'s' if n > 1 else ''}" for name, n in pieces.items() if n]
    click.echo(f"{found.input} ({', '.join(parts)})")


def _count(data: bytes, model: str | None, dialect: str | None) -> TokenEstimate:
    from llm_edge_agent.engine import TokenEstimate, count_tokens, estimate_request

    if dialect is not None:
        return estimate_request(data, dialect, model or _model_of(data))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        message = f"the text is not UTF-8 at byte {error.start}"
        raise Failure(message) from None
    tokens, exact = count_tokens(text, model or _MODEL)
    return TokenEstimate(tokens, exact, images=0, audio=0, files=0)


def _model_of(request: bytes) -> str:
    """Name of the model in a request that may be broken or have none."""
    import msgspec

    class Named(msgspec.Struct):
        model: str = _MODEL

    try:
        return msgspec.json.decode(request, type=Named).model
    except msgspec.MsgspecError:
        return _MODEL
