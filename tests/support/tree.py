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

    name: str
    version: str
    source: str | None
    license: str | None
    dependencies: list[Dependency]


class _Metadata(msgspec.Struct, frozen=True):
    packages: list[Package]


def _cargo(*arguments: str) -> bytes:
    # --locked: what is looked at is what is committed.
    done = subprocess.run(
        ["cargo", *arguments, "--locked"], cwd=ROOT, capture_output=True, check=False, timeout=25
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@functools.cache
def packages() -> list[Package]:
    """Every crate that the product can be built from, on the platform it runs on."""
    platform = ("--filter-platform", "x86_64-unknown-linux-gnu")
    raw = _cargo("metadata", "--format-version", "1", *platform)
    return msgspec.json.decode(raw, type=_Metadata).packages


def crate(name: str) -> Package:
    """A crate of this workspace."""
    return next(p for p in packages() if p.name == name and p.source is None)


@functools.cache
def linked_into(name: str) -> frozenset[str]:
    """Names of all crates that a crate of ours is built from, tests left out."""
    tree = _cargo("tree", "--package", name, "--edges", "normal,build", "--prefix", "none")
    return frozenset(line.split(" ")[0] for line in tree.decode().splitlines() if line) - {name}


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
