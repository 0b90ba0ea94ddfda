"""`llm-edge-agent init`: a configuration to start from."""

import os
from pathlib import Path

import click

from llm_edge_agent.cli import Failure

__all__ = ["TEMPLATE", "command"]

TEMPLATE = """\
# LLM-Edge-Agent. Every option: `llm-edge-agent config show`; is it right: `llm-edge-agent check`.
# For completion in an editor: `llm-edge-agent config schema > llm-edge.schema.json`, and then
# yaml-language-server: $schema=llm-edge.schema.json
version: 1

# Where it listens; these are the defaults. Other machines may reach the API once there are keys.
listen:
  # api: "127.0.0.1:8080"
  # admin: "127.0.0.1:8081"
  # metrics: "127.0.0.1:9464"

# Who may call. `llm-edge-agent keys create --name app` prints a key, and the line to put here.
keys:
  # - {name: app, key: "${APP_KEY}", models: ["*"]}

# Where models are. `${VAR}` is taken from the environment, `${file:/run/secrets/x}` from a file.
providers:
  openai: {type: openai, api_key: "${OPENAI_API_KEY}"}
  # anthropic: {type: anthropic, api_key: "${ANTHROPIC_API_KEY}"}
  # local: {type: openai_compatible, base_url: "http://127.0.0.1:8000/v1"}
  # azure:
  #   type: azure_openai
  #   base_url: "https://my-resource.openai.azure.com"
  #   api_key: "${AZURE_OPENAI_API_KEY}"

# Names of your own. Without any, `openai/gpt-…` and the bare names of a provider work as they are.
routes:
  # chat:
  #   models: [chat, "team/*"]
  #   strategy: round_robin
  #   targets:
  #     - {provider: openai, model: gpt-5.1, weight: 3}
  #     - {provider: openai, model: gpt-5-mini}
  #   cache: {ttl_s: 300}

request_log: {mode: sampled, sample_every: 100}
"""


@click.command("init", short_help="Write a configuration to start from.")
@click.argument("file", default="llm-edge.yaml", type=click.Path(dir_okay=False))
def command(file: str) -> None:
    """Write a commented configuration to FILE (llm-edge.yaml), which must not exist yet."""
    try:
        # Not readable by others: keys may be written into it later.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        message = f"`{file}` exists and is kept. hint: name another file, or move it away"
        raise Failure(message) from None
    except OSError as error:
        raise Failure(f"`{file}` cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(TEMPLATE)
    click.echo(f"Wrote {Path(file)}. Next: `llm-edge-agent check`, then `llm-edge-agent serve`.")
