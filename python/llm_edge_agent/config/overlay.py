"""Values from the environment and from flags, laid over those of the file.

`LLM_EDGE_LISTEN__API` is `listen.api`: two underscores go one level down, a number is an index, and
where names are free the one in the file that differs only in case and `-` is meant. `…_FILE` names
a file that holds the value. `LLM_EDGE_DEFAULT_LISTEN__API` holds only where the file is silent: so
an image has defaults of its own. Variables that a container platform makes up for a service of that
name are no settings.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import inspect

from llm_edge_agent.config.files import Unreadable, read_secret_file
from llm_edge_agent.config.marks import Mark
from llm_edge_agent.config.shape import config_type, nearest, without_none
from llm_edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_edge_agent.config.marks import Marks, Path

__all__ = ["Overlay"]

_PREFIX = "LLM_EDGE_"
_DEFAULT_PREFIX = "LLM_EDGE_DEFAULT_"
_NOT_OPTIONS = frozenset(
    {"CONFIG", "KEY_PEPPER", "KEY_PEPPER_FILE", "ADMIN_TOKEN", "ADMIN_TOKEN_FILE", "VERSION"}
)
_SERVICE_LINK = re.compile(r"(^|_)(SERVICE_(HOST|PORT)(_.*)?|PORT(_\d+_(TCP|UDP).*)?)$")
_LIST_ITEMS_MAX = 1000


class Overlay:
    """Puts values into a tree; keeps what it used, the faults and the doubts."""

    def __init__(self, tree: dict[str, Any], marks: Marks) -> None:
        """Change `tree` and `marks` in place."""
        self._tree = tree
        self._marks = marks
        self.used: list[str] = []
        self.files: list[str] = []
        self.errors: list[ConfigError] = []
        self.warnings: list[str] = []

    def defaults(self, env: Mapping[str, str]) -> None:
        """Lay `LLM_EDGE_DEFAULT_*` variables under the tree."""
        for variable in sorted(env):
            if variable.startswith(_DEFAULT_PREFIX):
                rest = variable.removeprefix(_DEFAULT_PREFIX)
                self._variable(variable, rest, env[variable], under=True)

    def environment(self, env: Mapping[str, str]) -> None:
        """Lay `LLM_EDGE_*` variables over the tree."""
        for variable in sorted(env):
            if not variable.startswith(_PREFIX) or variable.startswith(_DEFAULT_PREFIX):
                continue
            rest = variable.removeprefix(_PREFIX)
            if rest not in _NOT_OPTIONS:
                self._variable(variable, rest, env[variable])

    def flags(self, flags: Mapping[str, object]) -> None:
        """Lay dotted options over the tree; None stands for a flag that was not given."""
        for name, value in flags.items():
            if value is None:
                continue
            path = tuple(int(part) if part.isdigit() else part for part in name.split("."))
            self._put(path, value, f"--{name}")

    def _variable(self, variable: str, rest: str, value: str, *, under: bool = False) -> None:
        segments = [segment.lower() for segment in rest.split("__")]
        options = [field.encode_name for field in config_type().fields]
        first = segments[0]
        if first not in options and first.removesuffix("_file") not in options:
            if not _SERVICE_LINK.search(rest):
                hint = nearest(first, options) if "__" in rest else ""
                self.warnings.append(
                    f"{variable}: names no option and is not used"
                    + (f". hint: {hint}" if hint.startswith("did") else "")
                )
            return
        path = self._resolve(segments)
        if under and path is not None and self._says(path):
            return
        if path is None and segments[-1].endswith("_file"):
            path = self._resolve([*segments[:-1], segments[-1].removesuffix("_file")])
            if path is not None:
                if under and self._says(path):
                    return
                self.files.append(value)
                try:
                    value = read_secret_file(value)
                except Unreadable as error:
                    fault = ConfigError(str(error), file=variable, hint=error.hint)
                    self.errors.append(fault)
                    return
        if path is None:
            # Put where it points, so that the check names the fault and the nearest option.
            path = tuple(segments)
        self._put(path, value, variable)

    def _says(self, path: Path) -> bool:
        """Whether the tree has a value at `path`, or one on the way to it that takes no options."""
        here: Any = self._tree
        for part in path:
            if not isinstance(here, dict | list):
                return here is not None
            here = _child(here, part)
        return here is not None

    def _resolve(self, segments: list[str]) -> Path | None:
        """The path that `segments` spell, or None when the schema has no such place."""
        kind: inspect.Type = config_type()
        here: Any = self._tree
        path: Path = ()
        for segment in segments:
            kind, _ = without_none(kind)
            part: str | int = segment
            match kind:
                case inspect.StructType():
                    field = next((f for f in kind.fields if f.encode_name == segment), None)
                    if field is None:
                        return None
                    kind = field.type
                case inspect.DictType():
                    known = here if isinstance(here, dict) else {}
                    same = (k for k in known if _folded(str(k)) == _folded(segment))
                    part = next(same, segment)
                    kind = kind.value_type
                case inspect.ListType() if segment.isdigit():
                    part = int(segment)
                    kind = kind.item_type
                case _:
                    return None
            here = _child(here, part)
            path = (*path, part)
        return path

    def _put(self, path: Path, value: object, source: str) -> None:
        here: Any = self._tree
        for at, part in enumerate(path):
            last = at + 1 == len(path)
            if isinstance(here, list) and isinstance(part, int):
                if part > min(len(here), _LIST_ITEMS_MAX):
                    message = f"the list has {len(here)} entries; the next is number {len(here)}"
                    self.errors.append(ConfigError(message, file=source))
                    return
                if part == len(here):
                    here.append(None)
            elif not isinstance(here, dict) or isinstance(part, int):
                message = "points into a value that holds no options"
                self.errors.append(ConfigError(message, file=source))
                return
            if last:
                here[part] = value
            elif _child(here, part) is None:
                here[part] = [] if isinstance(path[at + 1], int) else {}
                self._marks.put(path[: at + 1], Mark(source))
            here = here[part]
        self._marks.put(path, Mark(source, is_text=isinstance(value, str)))
        self.used.append(source)


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


def _child(here: Any, part: str | int) -> Any:  # noqa: ANN401 - plain values
    if isinstance(here, dict):
        return here.get(part)
    if isinstance(here, list) and isinstance(part, int) and part < len(here):
        return here[part]
    return None
