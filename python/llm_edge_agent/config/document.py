"""Configuration text → plain values and their places, for YAML, TOML and JSON alike.

YAML is read by the rules of its version 1.2 core: `off` and `no` are words, not switches, and
`12:30` is text. A key written twice is refused in all three formats: two readers that pick
different ones of them would see two configurations.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import yaml

from llm_edge_agent.config.marks import Mark, Marks, Path, dotted
from llm_edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Document", "parse_document", "parse_flow"]

_NODES_MAX = 200_000
_EMPTY_VALUE = re.compile(r":\s+(\[\s*\]|\{\s*\})\s*(?:#.*)?$")


class Document(NamedTuple):
    """The mapping a file holds, and where its values stand."""

    tree: dict[str, Any]
    marks: Marks


def parse_document(text: str, file: str) -> Document:
    """Read `text` in the format that the ending of `file` names; YAML when it names none.

    Raises:
        ConfigError: Syntax, a key written twice, or something else than a mapping; with line.
    """
    if file.endswith(".toml"):
        return _parse_toml(text, file)
    if file.endswith(".json"):
        return _parse_json(text, file)
    return _parse_yaml(text, file)


def parse_flow(text: str) -> Any:  # noqa: ANN401 - whatever the text spells
    """Read one value, such as `[a, b]`, from an environment variable or flag.

    Raises:
        ValueError: The text is not YAML.
    """
    try:
        return _parse_yaml(f"value: {text}", "").tree["value"]
    except ConfigError as error:
        raise ValueError(error.message) from None


# YAML


class _CoreLoader(yaml.SafeLoader):
    """Scalars by the YAML 1.2 core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.nan)$",
        "-+.0123456789",
    ),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^(?:<<)$", "<"),
):
    _CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first)
    )


class _YamlReader:
    """Turns the node tree into values; keeps places and refuses what has two readings."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._nodes = 0
        self.marks = Marks(file)

    def fault(self, node: yaml.Node, message: str, path: Path = ()) -> ConfigError:
        return ConfigError(message, path=dotted(path), file=self._file, line=_line(node))

    def value(self, node: yaml.Node, path: Path, above: tuple[int, ...]) -> Any:  # noqa: ANN401
        self._nodes += 1
        if self._nodes > _NODES_MAX:
            raise self.fault(node, f"aliases unfold to more than {_NODES_MAX} values", path)
        if id(node) in above:
            raise self.fault(node, "an alias stands inside what it names", path)
        self.marks.put(path, Mark(self._file, _line(node)))
        inside = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, inside)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i), inside) for i, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(
        self, node: yaml.MappingNode, path: Path, inside: tuple[int, ...]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        first_lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged.append(value_node)
                continue
            key = self._key(key_node, path)
            if key in first_lines:
                message = f"`{key}` is written twice; the first is in line {first_lines[key]}"
                raise self.fault(key_node, message, path)
            first_lines[key] = _line(key_node)
            found[key] = self.value(value_node, (*path, key), inside)
            # The key's line is where people look, also when the value begins further down.
            self.marks.put((*path, key), Mark(self._file, _line(key_node)))
        for source in merged:
            self._merge(source, found, path, inside)
        return found

    def _merge(
        self, source: yaml.Node, found: dict[str, Any], path: Path, inside: tuple[int, ...]
    ) -> None:
        sources = source.value if isinstance(source, yaml.SequenceNode) else [source]
        for mapping in sources:
            if not isinstance(mapping, yaml.MappingNode):
                raise self.fault(source, "`<<` takes a mapping or a list of mappings", path)
            # A reader of its own: what is merged in keeps no place, the mapping it lands in does.
            reader = _YamlReader(self._file)
            reader._nodes = self._nodes
            for key, value in reader.value(mapping, path, inside).items():
                found.setdefault(key, value)
            self._nodes = reader._nodes

    def _key(self, node: yaml.Node, path: Path) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.fault(node, "a key must be text", path)
        return str(node.value)

    def _scalar(self, node: yaml.Node, path: Path) -> str | int | float | bool | None:
        kind, text = node.tag.removeprefix("tag:yaml.org,2002:"), str(node.value)
        match kind:
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
            case "float":
                return float(text.replace(".inf", "inf").replace(".nan", "nan"))
            case _:
                raise self.fault(node, f"the tag `{node.tag}` is not known here", path)


def _parse_yaml(text: str, file: str) -> Document:
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "cannot be read"
        line = mark.line + 1 if mark is not None else None
        hint = _block_hint(text, line) if problem.startswith("expected <block end>") else ""
        message = f"not valid YAML: {problem}"
        raise ConfigError(message, file=file, line=line, hint=hint) from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        message = f"not valid YAML: {str(error).splitlines()[0]}"
        raise ConfigError(message, file=file) from None
    except RecursionError:
        raise ConfigError("not valid YAML: nested too deeply", file=file) from None
    if node is None:
        return Document({}, Marks(file))
    if not isinstance(node, yaml.MappingNode):
        message = "a configuration is a mapping of options"
        raise ConfigError(message, file=file, line=_line(node))
    reader = _YamlReader(file)
    try:
        return Document(reader.value(node, (), ()), reader.marks)
    except RecursionError:
        raise ConfigError("not valid YAML: nested too deeply", file=file) from None


def _block_hint(text: str, line: int | None) -> str:
    """What most likely stands in the way of the entry in `line`."""
    lines = text.splitlines()[: (line or 1) - 1]
    for number, content in reversed(list(enumerate(lines, start=1))):
        if not content.strip() or content.lstrip().startswith("#"):
            continue
        if value := _EMPTY_VALUE.search(content):
            return f"take `{value[1]}` away in line {number}: the entries below it are the value"
        break
    return "the entries of one list or mapping start in the same column"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


# JSON


def _parse_json(text: str, file: str) -> Document:
    try:
        tree = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        found = re.search(r"\(byte (\d+)\)", str(error))
        # Without a byte in the message the text ended too early.
        line = text.encode()[: int(found[1]) if found else None].count(b"\n") + 1
        message = f"not valid JSON: {error}"
        raise ConfigError(message, file=file, line=line) from None
    if not isinstance(tree, dict):
        message = "a configuration is a mapping of options"
        raise ConfigError(message, file=file, line=1)
    # YAML holds JSON but for tabs between tokens; inside strings JSON allows none. Read a second
    # time this way, for the places and for keys written twice, which the JSON decoder lets pass.
    return Document(tree, _parse_yaml(text.replace("\t", " "), file).marks)


# TOML


_TOML_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_TOML_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[^=\s.]+)*)\s*=""")
_TOML_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^."'\s]+))\s*(?:\.|$)""")


def _parse_toml(text: str, file: str) -> Document:
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        at_end = text.count("\n") + 1
        message = f"not valid TOML: {re.sub(r' [(]at .*[)]$', '', str(error))}"
        raise ConfigError(message, file=file, line=int(found[1]) if found else at_end) from None
    marks = Marks(file)
    for path, line in _toml_places(text):
        marks.put(path, Mark(file, line))
    return Document(tree, marks)


def _toml_places(text: str) -> Iterator[tuple[Path, int]]:
    """Paths and lines as far as a look at each line can tell; the parser itself keeps none."""
    table: Path = ()
    counts: dict[Path, int] = {}
    for line, content in enumerate(text.splitlines(), start=1):
        if header := _TOML_HEADER.match(content):
            table = _in_last(_toml_parts(header[2]), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                yield table, line
                table = (*table, counts[table])
            yield table, line
        elif key := _TOML_KEY.match(content):
            yield (*table, *_toml_parts(key[1])), line


def _toml_parts(text: str) -> Path:
    return tuple(a or b or c for a, b, c in _TOML_PART.findall(text))


def _in_last(path: Path, counts: dict[Path, int]) -> Path:
    """`[a.b]` after `[[a]]` speaks of the last `a`."""
    full: Path = ()
    for at, part in enumerate(path):
        full = (*full, part)
        if full in counts and at + 1 < len(path):
            full = (*full, counts[full])
    return full
