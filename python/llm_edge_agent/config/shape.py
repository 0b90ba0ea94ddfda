"""Checks plain values against the schema and finds every fault in one pass.

msgspec stops at the first fault and forgets the keys on the way to it; this walk over the same
types keeps going and knows the place. Its result always converts; msgspec still has the last word.
"""

from __future__ import annotations

import difflib
import functools
import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import inspect

from llm_edge_agent.config.document import parse_flow
from llm_edge_agent.config.schema import Config
from llm_edge_agent.config.secret import Secret, SecretText
from llm_edge_agent.config.usd import UsdPerMillion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_edge_agent.config.marks import Marks, Path
    from llm_edge_agent.errors import ConfigError

__all__ = ["config_type", "convert", "nearest", "without_none"]

T = TypeVar("T")

_SHOWN_CHARS = 60
_ABSENT: Any = object()
_NAMES = {
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.StrType: "text",
    inspect.CustomType: "text",
    inspect.LiteralType: "text",
    inspect.ListType: "a list",
    inspect.DictType: "a mapping",
    inspect.StructType: "a mapping",
}


@functools.cache
def config_type() -> inspect.StructType:
    """The schema as data."""
    found = inspect.type_info(Config)
    assert isinstance(found, inspect.StructType)  # noqa: S101 - narrows a library's type
    return found


def convert(tree: dict[str, Any], marks: Marks) -> tuple[Config | None, list[ConfigError]]:
    """The configuration that `tree` spells, or all its faults."""
    shape = _Shape(marks)
    clean = shape.check(tree, config_type(), ())
    if shape.errors:
        return None, sorted(shape.errors, key=lambda e: (e.file or "", e.line or 0))
    try:
        return msgspec.convert(clean, Config, dec_hook=_decode), []
    except msgspec.ValidationError as error:
        return None, [marks.error((), str(error))]


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word nearest to `word`, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    return "known here: " + ", ".join(f"`{name}`" for name in names) if names else ""


def without_none(kind: inspect.Type) -> tuple[inspect.Type, str]:
    """The one type behind `T | None` and annotations, and the schema's hint for it."""
    hint = ""
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        if isinstance(kind, inspect.Metadata):
            hint = str((kind.extra or {}).get("hint", hint))
            kind = kind.type
        else:
            kind = next(t for t in kind.types if not isinstance(t, inspect.NoneType))
    return kind, hint


def _takes_none(kind: inspect.Type) -> bool:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return isinstance(kind, inspect.UnionType) and any(
        isinstance(one, inspect.NoneType) for one in kind.types
    )


def _decode(kind: type[T], value: object) -> T:
    if issubclass(kind, Secret | UsdPerMillion):
        return kind(value)  # type: ignore[arg-type]
    raise NotImplementedError(kind)


class _Shape:
    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self.errors: list[ConfigError] = []

    def check(self, value: Any, annotated: inspect.Type, path: Path) -> Any:  # noqa: ANN401
        """`value` as the type wants it; faults are kept, and None stands for a faulty value."""
        kind, hint = without_none(annotated)
        if isinstance(value, str) and self._marks.is_text(path):
            value = _from_text(value, kind)
        clean: Any = None
        match kind:
            case inspect.StructType():
                clean = self._struct(value, kind, path)
            case inspect.DictType():
                clean = self._dict(value, kind, path)
            case inspect.ListType():
                clean = self._list(value, kind, path)
            case inspect.CustomType():
                clean = self._custom(value, kind, path)
            case inspect.LiteralType():
                clean = self._literal(value, kind, path)
            case inspect.IntType() | inspect.FloatType():
                clean = self._number(value, kind, path)
            case inspect.StrType():
                clean = self._text(value, kind, path, hint)
            case inspect.BoolType() if isinstance(value, bool):
                clean = value
            case _:
                self._wrong(value, kind, path)
        return clean

    def _fault(self, path: Path, message: str, hint: str = "") -> None:
        self.errors.append(self._marks.error(path, message, hint))

    def _wrong(self, value: object, kind: inspect.Type, path: Path) -> None:
        hint = ""
        if isinstance(kind, inspect.StrType | inspect.CustomType) and isinstance(
            value, int | float
        ):
            hint = "put it in quotes"
        elif isinstance(value, str) and _spells(value, kind):
            hint = "write it without quotes"
        wanted = _NAMES.get(type(kind), "another type")
        self._fault(path, f"expected {wanted}, found {self._shown(value, kind, path)}", hint)

    def _shown(self, value: object, kind: inspect.Type, path: Path) -> str:
        if isinstance(value, dict):
            return "a mapping"
        if isinstance(value, list):
            return "a list"
        if value is None:
            return "nothing"
        # What came from a variable or file may be a secret in the wrong place.
        if isinstance(kind, inspect.CustomType) or self._marks.find(path).is_text:
            return "text" if isinstance(value, str) else "a number or switch"
        text = str(value).lower() if isinstance(value, bool) else str(value)
        text = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
        return f"`{text}`"

    def _struct(self, value: object, kind: inspect.StructType, path: Path) -> Any:  # noqa: ANN401
        if not isinstance(value, dict):
            self._wrong(value, kind, path)
            return None
        fields = {field.encode_name: field for field in kind.fields}
        for key in value:
            if key not in fields:
                self._fault((*path, key), f"unknown option `{key}`", nearest(key, fields))
        found = {}
        for name, field in fields.items():
            item = value.get(name, _ABSENT)
            # `keys:` with every line below it commented out says nothing, and means nothing.
            if item is _ABSENT or item is None:
                if field.required:
                    self._fault((*path, name), "is missing")
                continue
            found[name] = self.check(item, field.type, (*path, name))
        return found

    def _dict(self, value: object, kind: inspect.DictType, path: Path) -> Any:  # noqa: ANN401
        if not isinstance(value, dict):
            self._wrong(value, kind, path)
            return None
        found = {}
        key_type, hint = without_none(kind.key_type)
        for key, item in value.items():
            if isinstance(key_type, inspect.StrType) and not _matches(key, key_type):
                self._fault((*path, key), f"`{key}` is not a valid name", hint)
            may_be_none = item is None and _takes_none(kind.value_type)
            found[key] = None if may_be_none else self.check(item, kind.value_type, (*path, key))
        return found

    def _list(self, value: object, kind: inspect.ListType, path: Path) -> Any:  # noqa: ANN401
        if not isinstance(value, list):
            self._wrong(value, kind, path)
            return None
        if len(value) < (kind.min_length or 0):
            self._fault(path, "is empty", f"give at least {kind.min_length}")
        return [self.check(item, kind.item_type, (*path, at)) for at, item in enumerate(value)]

    def _custom(self, value: object, kind: inspect.CustomType, path: Path) -> str | None:
        if kind.cls is UsdPerMillion:
            return self._usd(value, path)
        return self._secret(value, kind, path)

    def _secret(self, value: object, kind: inspect.CustomType, path: Path) -> str | None:
        if not isinstance(value, str):
            self._wrong(value, kind, path)
        elif not value:
            self._fault(path, "is empty", "a variable or file it comes from may be empty")
        elif kind.cls is SecretText:
            return value
        elif value != value.strip() or not all(" " <= c <= "~" for c in value):
            message = "holds a character that a header field cannot carry, or a space at an end"
            self._fault(path, message, "copy it once more, without what stands around it")
        else:
            return value
        return None

    def _usd(self, value: object, path: Path) -> str | None:
        kind = inspect.StrType()
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            found = self._shown(value, kind, path)
            message = f"expected a price in USD per million tokens, found {found}"
            self._fault(path, message, "write a number, such as 0.25")
            return None
        try:
            return str(UsdPerMillion(value))
        except ValueError as error:
            hint = "write USD per million tokens, such as 0.25"
            self._fault(path, f"{self._shown(value, kind, path)} {error}", hint)
        return None

    def _literal(self, value: object, kind: inspect.LiteralType, path: Path) -> Any:  # noqa: ANN401
        if value in kind.values and not isinstance(value, bool):
            return value
        meant = next((v for v in kind.values if str(v) == _spelled(value)), None)
        if meant is not None:
            wanted, quotes = ("text", "in") if isinstance(meant, str) else ("a number", "without")
            message = f"is `{meant}`, but not as {wanted}"
            self._fault(path, message, f"write it {quotes} quotes")
            return None
        known = ", ".join(f"`{v}`" for v in kind.values)
        close = difflib.get_close_matches(str(value), [str(v) for v in kind.values], n=1)
        hint = f"did you mean `{close[0]}`?" if close else ""
        self._fault(path, f"{self._shown(value, kind, path)} is not one of {known}", hint)
        return None

    def _number(
        self, value: object, kind: inspect.IntType | inspect.FloatType, path: Path
    ) -> int | float | None:
        whole = isinstance(kind, inspect.IntType)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            self._wrong(value, kind, path)
            return None
        if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN
            self._wrong(value, kind, path)
            return None
        if kind.ge is not None and value < kind.ge:
            self._fault(path, f"`{value}` is below {kind.ge}")
        elif kind.gt is not None and value <= kind.gt:
            self._fault(path, f"`{value}` is not above {kind.gt}")
        elif kind.le is not None and value > kind.le:
            self._fault(path, f"`{value}` is above {kind.le}")
        return value

    def _text(self, value: object, kind: inspect.StrType, path: Path, hint: str) -> str | None:
        if not isinstance(value, str):
            self._wrong(value, kind, path)
            return None
        if not value:
            self._fault(path, "is empty", hint)
        elif not _matches(value, kind):
            self._fault(path, f"{self._shown(value, kind, path)} is not valid here", hint)
        return value


def _matches(value: str, kind: inspect.StrType) -> bool:
    if kind.max_length is not None and len(value) > kind.max_length:
        return False
    # `$` also matches before a line break at the end; a name must not end in one.
    return kind.pattern is None or (
        re.search(kind.pattern, value) is not None and not value.endswith("\n")
    )


def _spells(text: str, kind: inspect.Type) -> bool:
    """Whether text is what a number or a switch of that kind is written as."""
    try:
        value = parse_flow(text)
    except ValueError:
        return False
    match kind:
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return False


def _spelled(value: object) -> str:
    """A plain value as it would be written, which is what a slip in its quotes leaves alike."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _from_text(text: str, kind: inspect.Type) -> Any:  # noqa: ANN401 - whatever the text spells
    """What an environment variable stands for, where text is not wanted."""
    if isinstance(kind, inspect.StrType | inspect.CustomType):
        return text
    if isinstance(kind, inspect.LiteralType) and text in kind.values:
        return text
    try:
        return parse_flow(text)
    except ValueError:
        return text
