"""`${VAR}`, `${VAR:-default}`, `${file:/path}` and `$$` in text values.

An unset variable without a default is an error, never an empty text: an empty credential looks like
one that works. So is a whole value such as `$KEY`, which a shell would replace and which nobody
means. What a variable or file holds is taken as it is and not looked at again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llm_edge_agent.config.files import Unreadable, read_secret_file
from llm_edge_agent.config.marks import Mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_edge_agent.config.marks import Marks, Path
    from llm_edge_agent.errors import ConfigError

__all__ = ["Interpolator"]

_TOKEN = re.compile(r"\$\$|\$\{([^}]*)\}|\$\{")
_OF_A_SHELL = re.compile(r"\$([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z]+)")
_VARIABLE = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$", re.DOTALL)


class Interpolator:
    """Replaces references in a tree of plain values; keeps the faults and the files it met."""

    def __init__(self, env: Mapping[str, str], marks: Marks) -> None:
        """Take variables from `env` and places from `marks`."""
        self._env = env
        self._marks = marks
        self.errors: list[ConfigError] = []
        self.files: list[str] = []

    def tree(self, value: Any, path: Path = ()) -> Any:  # noqa: ANN401 - any plain value
        """A copy of `value` with every reference replaced."""
        if isinstance(value, dict):
            return {key: self.tree(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.tree(item, (*path, at)) for at, item in enumerate(value)]
        if isinstance(value, str) and "$" in value:
            return self._text(value, path)
        return value

    def _text(self, text: str, path: Path) -> str:
        shell = _OF_A_SHELL.fullmatch(text)
        if shell is not None:
            message = f"`{text}` is taken as it stands, and is no reference"
            hint = f"write `${{{shell[1]}}}` for the variable, or `${text}` for this text"
            self.errors.append(self._marks.error(path, message, hint))
            return text
        try:
            replaced = _TOKEN.sub(self._token, text)
        except _ReferenceError as error:
            self.errors.append(self._marks.error(path, error.message, error.hint))
            return text
        if "${" in text:
            mark = self._marks.find(path)
            self._marks.put(path, Mark(mark.source, mark.line, is_text=True))
        return replaced

    def _token(self, match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if match[1] is None:
            raise _ReferenceError("`${` is not closed", "write `$$` for a dollar sign")
        body = match[1]
        if body.startswith("file:"):
            return self._file(body.removeprefix("file:"))
        variable = _VARIABLE.match(body)
        if variable is None:
            hint = "write `${VAR}`, `${VAR:-default}` or `${file:/path}`; `$$` for a dollar sign"
            raise _ReferenceError(f"`${{{body}}}` is not a reference", hint)
        name, default = variable[1], variable[2]
        value = self._env.get(name)
        if value is None and default is None:
            raise _ReferenceError(
                f"the environment variable `{name}` is not set",
                f"set it, or write `${{{name}:-default}}`",
            )
        return value or default or ""

    def _file(self, name: str) -> str:
        # One that cannot be read as well: that it can be is what a watch waits for.
        self.files.append(name)
        try:
            return read_secret_file(name)
        except Unreadable as error:
            raise _ReferenceError(str(error), error.hint) from None


class _ReferenceError(Exception):
    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
