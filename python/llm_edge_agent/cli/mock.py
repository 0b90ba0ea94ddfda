"""`llm-edge-agent mock`: the mock provider alone."""

import signal

import click
import msgspec

from llm_edge_agent.cli.options import json_option

__all__ = ["command"]

_STOP = {signal.SIGTERM, signal.SIGINT}


@click.command("mock", short_help="Serve the mock provider alone.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_default=True,
    help="Port to listen on; 0 takes any free one.",
)
@click.option(
    "--oracle",
    is_flag=True,
    help="Serve the oracle instead: replies that can be re-derived, faults on order.",
)
@json_option
def command(host: str, port: int, *, oracle: bool, as_json: bool) -> None:
    """Serve the mock provider by itself until ^C.

    It speaks the APIs of OpenAI, Anthropic, Google, Amazon Bedrock (Converse), Cohere (chat v2)
    and Ollama.
    """
    from llm_edge_agent.engine import Mock, Oracle

    # Blocked before the mock makes its thread, which inherits this: the wait below gets the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    mock = Oracle(host, port) if oracle else Mock(host, port)
    base = f"http://{mock.start()}"
    if as_json:
        click.echo(msgspec.json.encode({"api": f"{base}/v1", "anthropic": base}))
    elif oracle:
        click.echo(f"The oracle listens on {base}; a prompt is `oracle seed=7 events=12 do=clean`.")
    else:
        click.echo(f"The mock provider listens on {base}; models: echo, lorem, error and more.")
    signal.sigwait(_STOP)
    mock.stop()
