"""The source tree as tests see it: files, and the graph of crates."""

import functools
import subprocess
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = frozenset({"llm-edge-core", "llm-edge-engine", "llm-edge-mock", "llm-edge-python"})


class Dependency(msgspec.Struct, frozen=True):
    """One line of a manifest."""

    name: str
    kind: str | None
    path: str | None = None


class Package(msgspec.Struct, frozen=True):
    """One crate."""

    id: str
    name: str
    version: str
    source: str | None
    license: str | None
    dependencies: list[Dependency]


class _Kind(msgspec.Struct, frozen=True):
    kind: str | None


class _Edge(msgspec.Struct, frozen=True):
    pkg: str
    dep_kinds: list[_Kind]


class _Node(msgspec.Struct, frozen=True):
    id: str
    deps: list[_Edge]


class _Resolve(msgspec.Struct, frozen=True):
    nodes: list[_Node]


class _Metadata(msgspec.Struct, frozen=True):
    packages: list[Package]
    resolve: _Resolve


class Crates:
    """What `cargo metadata` says for the platform the product runs on."""

    def __init__(self, raw: bytes) -> None:
        metadata = msgspec.json.decode(raw, type=_Metadata)
        self.packages = {package.id: package for package in metadata.packages}
        self._nodes = {node.id: node for node in metadata.resolve.nodes}

    def ours(self, name: str) -> Package:
        """A crate of this workspace."""
        return next(p for p in self.packages.values() if p.name == name and p.source is None)

    def linked_into(self, name: str) -> set[str]:
        """Names of all crates that a crate of ours is built from, tests left out."""
        seen: set[str] = set()
        todo = [self.ours(name).id]
        while todo:
            current = todo.pop()
            if current not in seen:
                seen.add(current)
                todo += [
                    edge.pkg
                    for edge in self._nodes[current].deps
                    if any(kind.kind in {None, "build"} for kind in edge.dep_kinds)
                ]
        return {self.packages[identity].name for identity in seen} - {name}


@functools.cache
def crates() -> Crates:
    """The crates of the workspace and everything they are built from."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    command += ["--filter-platform", "x86_64-unknown-linux-gnu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return Crates(done.stdout)


def rust_sources(crate: str) -> list[Path]:
    """Files of one crate under rust/, tests in the files included."""
    return sorted((ROOT / "rust" / crate / "src").rglob("*.rs"))


def without_tests(text: str) -> str:
    """A Rust file up to its test module."""
    return text.split("#[cfg(test)]\nmod ", 1)[0]


def without_comments(text: str) -> str:
    """Rust lines without what follows `//`."""
    return "\n".join(line.split("//", 1)[0] for line in text.splitlines())


def name_of(path: Path) -> str:
    """A path as a person would write it."""
    return str(path.relative_to(ROOT))
