"""What looking for a credential comes to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from llm_edge_agent.config.files import unreadable
from llm_edge_agent.config.secret import Secret
from llm_edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Found",
    "NotFound",
    "Source",
    "fault_of",
    "found_token",
    "is_word",
    "see_file",
    "unreadable_file",
]


@dataclass(frozen=True)
class Found:
    """A credential.

    Attributes:
        secret: As the engine takes it.
        expires_s: Unix time from which it is good no more, if that is known.
    """

    secret: Secret
    expires_s: float | None = None


class NotFound(Exception):  # noqa: N818 -- says what happened
    """There is none, or whoever gives them out did not.

    Attributes:
        reason: For the log and for callers: never what a remote end said, which may hold secrets.
        absent: Nobody who might have one was found, so that trying again is of little use.
        hint: What helps, where that is something else than the source's own hint.
        option: The option that is to be mended, below that of the source; may be empty.
    """

    def __init__(
        self, reason: str, *, absent: bool = False, hint: str = "", option: str = ""
    ) -> None:
        """Keep the parts."""
        super().__init__(reason)
        self.reason = reason
        self.absent = absent
        self.hint = hint
        self.option = option


def is_word(text: str) -> bool:
    """Whether a header field can carry it as one word."""
    return text.isascii() and text.isprintable() and " " not in text


def found_token(token: str | None, expires_s: float | None) -> Found:
    """An access token that came.

    Raises:
        NotFound: No header field can carry it.
    """
    if not token or not is_word(token):
        raise NotFound("the access token that came is empty, or holds a space or non-ASCII text")
    return Found(Secret(token), expires_s)


def see_file(name: str, variables: Iterable[str] = ()) -> None:
    """See that a file can be read which a credential is made of.

    Args:
        name: Of the file.
        variables: Those of the environment that may have led there.

    Raises:
        NotFound: It cannot; it may yet come, so that this is not for good.
    """
    try:
        # At least a byte: a folder can be opened by some, and read by nobody.
        with open(name, "rb") as file:  # noqa: PTH123 -- as the libraries do, with the same errors
            file.read(1)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error, variables) from None


def unreadable_file(error: BaseException | None, variables: Iterable[str] = ()) -> NotFound | None:
    """What to say of a failure that comes of a file that cannot be read; None for any other."""
    for _ in range(5):
        if isinstance(error, OSError) and isinstance(error.filename, str):
            return _unreadable(error.filename, error, variables)
        if error is None:
            break
        error = error.__cause__ or error.__context__
    return None


def _unreadable(name: str, error: OSError | ValueError, variables: Iterable[str]) -> NotFound:
    fault = unreadable(name, error)
    reason = str(fault)
    led = [variable for variable in variables if os.environ.get(variable) == name]
    if led:
        reason = f"{led[0]}: {reason}"
    return NotFound(reason, hint=fault.hint or "name a file that can be read")


def fault_of(source: Source, error: NotFound) -> ConfigError:
    """The fault of the configuration that a source without a credential is."""
    parts = ("providers", source.provider, source.option, error.option)
    path = ".".join(part for part in parts if part)
    return ConfigError(error.reason, path=path, hint=error.hint or source.hint)


class Source(Protocol):
    """Where a credential is found.

    Attributes:
        option: The option of the provider that says so.
        hint: What to do where there is none.
    """

    option: ClassVar[str]
    hint: ClassVar[str]

    @property
    def provider(self) -> str:
        """The name of the provider it is for."""

    def check(self) -> str:
        """See what can be seen of it on this machine; no network is asked, no program started.

        Returns:
            Who alone could still have one, and was not asked; empty where something is at hand.

        Raises:
            NotFound: There is none, or what is at hand cannot be used.
        """

    def find(self) -> Found:
        """Look for it now; blocks for seconds where a network is asked.

        Raises:
            NotFound: Not this time.
        """
