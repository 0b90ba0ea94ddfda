"""A dialect's folder has the files that what it serves asks for, by the same names in each."""

import re
from pathlib import Path

import pytest

from tests.support.tree import ROOT, without_comments, without_tests

DIALECTS = ROOT / "rust" / "core" / "src" / "dialect"
FOLDERS = sorted(path for path in DIALECTS.iterdir() if path.is_dir())
# What clients speak to the gateway, by what its codec has for them, and what only upstreams speak.
# Embeddings are short: requests and replies stand together.
FILES = {
    "Client": {"mod", "read", "read_reply", "wire", "write", "write_reply"},
    "EmbeddingClient": {"mod", "read", "write"},
    None: {"mod", "read_reply", "wire", "write"},
}
ROLES = set().union(*FILES.values())


def client(folder: Path) -> str | None:
    """What its codec has for clients."""
    text = without_comments(without_tests((folder / "mod.rs").read_text()))
    found = set(re.findall(r"\bclient: (?:Some\((\w+)|None)", text))
    assert len(found) == 1, f"{folder.name}: a codec for clients, or none"
    return found.pop() or None


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_dialects_with_a_surface_have_the_same_files_and_so_have_those_without(
    folder: Path,
) -> None:
    files = {path.stem for path in folder.glob("*.rs")}
    # Beside them stands what only this format has.
    assert files & ROLES == FILES[client(folder)]


def test_there_are_dialects_of_each_kind() -> None:
    assert {client(folder) for folder in FOLDERS} == set(FILES)
