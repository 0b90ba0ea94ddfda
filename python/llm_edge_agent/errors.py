"""Every exception this package raises on purpose.

    LlmEdgeError
    ├── ConfigError(file, line, path, message, hint)   what the operator wrote cannot be used
    │   └── ConfigErrors(errors)                       several of them, found in one pass
    ├── StateError                                     the state folder, or what is in it
    ├── EngineFailed                                   the engine refused; the message says where
    ├── Rejected(code, status)                         the gateway said no to a request
    └── UpstreamFailed                                 a provider failed

Messages say what is wrong, where, and how to mend it, without blame; values stand in backticks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ConfigError",
    "ConfigErrors",
    "EngineFailed",
    "LlmEdgeError",
    "Rejected",
    "StateError",
    "UpstreamFailed",
]


class LlmEdgeError(Exception):
    """The root: catch this to catch all of ours."""


class ConfigError(LlmEdgeError):
    """A fault in the configuration.

    Attributes:
        file: Where the value came from: a file name, or the name of an environment variable or
            flag; None when the fault belongs to no single place.
        line: Line in the file, from 1; None when there is none.
        path: Dotted path, such as `routes.chat.targets[1].provider`; empty for the whole document.
        message: What is wrong, without a full stop.
        hint: How to mend it; may be empty.
        files: Every file that was read, or could not be, on the way to the fault: mending one of
            them may mend it.
    """

    files: tuple[str, ...] = ()

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        file: str | None = None,
        line: int | None = None,
        hint: str = "",
    ) -> None:
        """Keep the parts; `str()` joins them."""
        self.file = file
        self.line = line
        self.path = path
        self.message = message
        self.hint = hint
        super().__init__(self._text())

    def _text(self) -> str:
        place = self.file or ""
        if place and self.line is not None:
            place = f"{place}:{self.line}"
        text = ": ".join(part for part in (place, self.path, self.message) if part)
        return f"{text}. hint: {self.hint}" if self.hint else text

    @property
    def errors(self) -> Sequence[ConfigError]:
        """The single faults: this one, or those of the group."""
        return (self,)


class ConfigErrors(ConfigError):  # noqa: N818 - a group
    """All faults found in one pass, in the order of the document; one line each in `str()`."""

    def __init__(self, errors: Sequence[ConfigError], *, files: Sequence[str] = ()) -> None:
        """Group `errors`, of which there is at least one, found while `files` were read."""
        self._errors = tuple(errors)
        self.files = tuple(files)
        first = self._errors[0]
        super().__init__(
            first.message, path=first.path, file=first.file, line=first.line, hint=first.hint
        )
        self.args = ("\n".join(str(error) for error in self._errors),)

    @property
    def errors(self) -> Sequence[ConfigError]:
        """The single faults."""
        return self._errors


class StateError(LlmEdgeError):
    """The state folder, or a file in it, cannot be used. The message names the path and the fix."""


class EngineFailed(LlmEdgeError):  # noqa: N818 - says what happened
    """The engine refused: an address is taken, a snapshot does not parse, a bad certificate."""


class Rejected(LlmEdgeError):  # noqa: N818 - says what happened
    """The gateway said no to a request.

    Attributes:
        code: The word of the error table, such as `model_not_found`.
        status: HTTP status.
    """

    def __init__(self, message: str, *, code: str, status: int) -> None:
        """Keep code and status beside the message."""
        super().__init__(message)
        self.code = code
        self.status = status


class UpstreamFailed(LlmEdgeError):  # noqa: N818 - says what happened
    """A provider could not be reached, or did not answer as it must."""
