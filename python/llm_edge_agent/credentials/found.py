"""What looking for a credential comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from llm_edge_agent.config.secret import Secret

__all__ = ["Found", "NotFound", "Source", "found_token", "is_word"]


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
    """

    def __init__(self, reason: str, *, absent: bool = False) -> None:
        """Keep the parts."""
        super().__init__(reason)
        self.reason = reason
        self.absent = absent


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

    def find(self) -> Found:
        """Look for it now; blocks for seconds where a network is asked.

        Raises:
            NotFound: Not this time.
        """
