"""`llm-edge-agent demo`: the whole gateway without a key, a file or a network."""

from __future__ import annotations

import asyncio
import http.client
import secrets
import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec

from llm_edge_agent.cli import EXIT_FAILURE
from llm_edge_agent.cli.options import Overrides, json_option, listen_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_edge_agent.config import Loaded
    from llm_edge_agent.serve import Started

__all__ = ["command"]

_MODEL = "demo"
_PROMPT = (
    "Hello! These words went through the gateway to the mock provider, which sent them back word"
    " by word, as a model would."
)
_TIMEOUT_S = 10.0


@click.command("demo", short_help="Run the gateway on its mock provider, without a key.")
@listen_options
@click.option("--once", is_flag=True, help="End after the first request.")
@json_option
def command(*, once: bool, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401
    """Run the gateway on its mock provider, and send it one streamed request.

    With --json the first line on standard output says where everything is, and the request is sent
    only with --once.
    """
    from llm_edge_agent import log
    from llm_edge_agent.cli.announce import first_line
    from llm_edge_agent.config import Pepper, new_key
    from llm_edge_agent.serve import ServeOptions, serve

    key = new_key()
    # Made for this run: a demo writes nothing to the disk.
    pepper = Pepper(secrets.token_bytes(32), source=None)
    out = sys.stderr if as_json else sys.stdout

    async def show(started: Started) -> int | None:
        if as_json:
            click.echo(first_line(started, key))
        if as_json and not once:
            return None
        worked = await asyncio.to_thread(_ask, started, key, out)
        if not worked:
            return EXIT_FAILURE
        click.echo(_what_to_paste(started, key, once=once), file=out)
        return 0 if once else None

    def load() -> Loaded:
        return _configuration(key, Overrides(**overrides))

    options = ServeOptions(load=load, on_started=show, log_fd=log.STDERR, pepper=pepper)
    sys.exit(serve(options))


def _configuration(key: str, overrides: Overrides) -> Loaded:
    from llm_edge_agent.config import load_tree

    tree = {
        "version": 1,
        "mock": True,
        "keys": [{"name": "demo", "key": key}],
        "routes": {
            _MODEL: {
                "models": [_MODEL],
                "targets": [{"provider": "mock", "model": "echo"}],
                "cache": {"ttl_s": 300},
            }
        },
        "request_log": {"mode": "all"},
    }
    flags = overrides.flags(lambda some: load_tree(tree, flags=some))
    return load_tree(tree, flags=flags)


def _ask(started: Started, key: str, out: Any) -> bool:  # noqa: ANN401 -- a text stream
    """Send one streamed request, print what comes as it comes, and say whether it came whole."""
    click.echo(f"> {_PROMPT}\n< ", file=out, nl=False)
    connection = http.client.HTTPConnection(*started.api, timeout=_TIMEOUT_S)
    try:
        connection.request(
            "POST",
            "/v1/chat/completions",
            body=msgspec.json.encode(_request()),
            headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
        )
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            click.echo(f"{answer.status} {answer.read().decode(errors='replace')}", file=out)
            return False
        whole = False
        for event in _events(answer):
            whole = event == b"[DONE]"
            if not whole:
                click.echo(_text(event), file=out, nl=False)
        click.echo("" if whole else " (the answer broke off)", file=out)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        click.echo(f"failed: {error}", file=out)
        return False
    finally:
        connection.close()
    return whole


def _request() -> dict[str, object]:
    return {
        "model": _MODEL,
        "stream": True,
        "messages": [{"role": "user", "content": _PROMPT}],
    }


def _events(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    for line in answer:
        if line.startswith(b"data: "):
            yield line[len(b"data: ") :].strip()


def _text(event: bytes) -> str:
    chunk = msgspec.json.decode(event)
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def _what_to_paste(started: Started, key: str, *, once: bool) -> str:
    from llm_edge_agent.cli.announce import urls

    at = urls(started)
    stays = "Without --once the gateway goes on, and these work" if once else "It goes on until ^C"
    return f"""\

{stays}. Ask it yourself (a second time, and the cache answers):

  curl {at["api"]}/chat/completions -N -H "authorization: Bearer {key}" \\
    -H "content-type: application/json" \\
    -d '{{"model": "{_MODEL}", "stream": true, "messages": [{{"role": "user", "content": "Hi"}}]}}'

OpenAI SDK:

  from openai import OpenAI
  client = OpenAI(base_url="{at["api"]}", api_key="{key}")
  messages = [{{"role": "user", "content": "Hi"}}]
  answer = client.chat.completions.create(model="{_MODEL}", messages=messages)
  print(answer.choices[0].message.content)

Anthropic SDK:

  from anthropic import Anthropic
  client = Anthropic(base_url="{at["anthropic"]}", api_key="{key}")
  messages = [{{"role": "user", "content": "Hi"}}]
  answer = client.messages.create(model="{_MODEL}", max_tokens=100, messages=messages)
  print(answer.content[0].text)

Other models: mock/lorem?tokens=200&itl=12ms, mock/error?status=429, mock/tools and more.
Metrics: {at["metrics"]}/metrics   Admin API: {at["admin"]}, token {started.admin_token}
"""
