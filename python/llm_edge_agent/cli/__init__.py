"""The command line: one module per verb, which parses, calls and prints.

A verb's module is imported when the verb is named, and imports what it calls when it runs, so that
`--help` is quick. Exit codes: 0, 1 failure, 2 usage, 78 configuration (`EX_CONFIG` of sysexits.h).
"""

import importlib
from typing import IO, Any, Final

import click

__all__ = ["EXIT_CONFIG", "EXIT_FAILURE", "Failure", "main"]

EXIT_FAILURE: Final = 1
EXIT_CONFIG: Final = 78

_VERBS = {
    "serve": "serve",
    "demo": "demo",
    "check": "check",
    "init": "init",
    "config": "config",
    "models": "models",
    "providers": "providers",
    "tokens": "tokens",
    "route": "route",
    "keys": "keys",
    "mock": "mock",
    "healthcheck": "healthcheck",
    "version": "version",
}


class Failure(click.ClickException):
    """Ends the program with a message on standard error, one `error: ` for each of its lines."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILURE) -> None:
        super().__init__(message)
        self._exit_code = exit_code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """Exit code of the program."""
        return self._exit_code

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message."""
        for line in self.message.splitlines():
            click.echo(f"error: {line}", err=file is None, file=file)


class _Program(click.Group):
    """Finds verbs by name, and turns our exceptions into exit codes."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 -- click's signature
        """Parse, run and end; the program has one name, however it was started."""
        extra.setdefault("prog_name", "llm-edge-agent")
        return super().main(*args, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which a newcomer meets them."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        module = _VERBS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{module}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a verb; what it raises on purpose becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            from llm_edge_agent.errors import ConfigError, LlmEdgeError

            if isinstance(error, ConfigError):
                raise Failure(str(error), EXIT_CONFIG) from None
            if isinstance(error, LlmEdgeError):
                raise Failure(str(error)) from None
            raise


@click.command(
    "llm-edge-agent", cls=_Program, context_settings={"help_option_names": ["-h", "--help"]}
)
def main() -> None:
    """One OpenAI- and Anthropic-compatible address in front of your model providers.

    `demo` needs neither key nor network; `init` writes a configuration to start from.
    """
