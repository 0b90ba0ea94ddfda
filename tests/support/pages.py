"""The pages of this project, as tests read them."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.tree import ROOT, name_of

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block of code."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """`page:line`, as the name of a test."""
        return f"{name_of(self.page)}:{self.line}"


def pages() -> list[Path]:
    """Every page that people read."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(language: str) -> list[Block]:
    """Every block in a language."""
    return [
        Block(page, page.read_text().count("\n", 0, found.start()) + 1, language, found[2])
        for page in pages()
        for found in FENCE.finditer(page.read_text())
        if found[1] == language
    ]
