"""Where each value of a configuration came from, so that a fault can be shown in its place.

A path is a tuple of keys and indices; its dotted spelling is `routes.chat.targets[1].provider`. A
value without a mark of its own stands where its nearest marked ancestor stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from llm_edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Mark", "Marks", "Path", "dotted"]

Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"^[A-Za-z0-9_-]+$")


class Mark(NamedTuple):
    """Source of one value.

    Attributes:
        source: File name, or name of an environment variable or flag.
        line: Line in the file, from 1.
        is_text: Whether the value could only be written as text (environment, interpolation) and
            may therefore stand for a number, a switch or a list.
    """

    source: str | None
    line: int | None = None
    is_text: bool = False


class Marks:
    """Path → mark."""

    def __init__(self, source: str | None = None) -> None:
        """Start with the whole document coming from `source`."""
        self._by_path: dict[Path, Mark] = {(): Mark(source)}

    def put(self, path: Path, mark: Mark) -> None:
        """Say where the value at `path` came from."""
        self._by_path[path] = mark

    def __iter__(self) -> Iterator[Path]:
        """The marked paths."""
        return iter(self._by_path)

    def __contains__(self, path: Path) -> bool:
        """Whether the value at exactly `path` was given."""
        return path in self._by_path

    def find(self, path: Path) -> Mark:
        """The mark of `path` or of its nearest marked ancestor."""
        while path not in self._by_path:
            path = path[:-1]
        return self._by_path[path]

    def is_text(self, path: Path) -> bool:
        """Whether the value at exactly `path` may stand for another type."""
        mark = self._by_path.get(path)
        return mark is not None and mark.is_text

    def error(self, path: Path, message: str, hint: str = "") -> ConfigError:
        """A fault at `path`."""
        mark = self.find(path)
        return ConfigError(message, path=dotted(path), file=mark.source, line=mark.line, hint=hint)


def dotted(path: Path) -> str:
    """Spell a path for people."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.match(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text
