"""Print what tends to grow: the longest files and functions, and the share of documented items.

These are ratchets, not walls: only a doc coverage below the one in scripts/doc-coverage.txt fails.
When it has risen by a whole percent, that file is written anew (not in CI).
"""

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOOR = ROOT / "scripts" / "doc-coverage.txt"
RUST_FN = re.compile(r"^\s*(?:pub(?:\([a-z]+\))?\s+)?(?:const\s+|async\s+|unsafe\s+)*fn\s+(\w+)")
RUST_PUB = re.compile(
    r"^\s*pub\s+(?:const\s+|async\s+|unsafe\s+)*(?:fn|struct|enum|trait|type|const|static)\b"
)
RUST_TESTS = re.compile(r"^#\[cfg\(test\)\]", re.MULTILINE)

Function = tuple[int, str, str]


def rust_files() -> list[Path]:
    """Sources of the product, without tests and fuzz targets."""
    return sorted(ROOT.glob("rust/*/src/**/*.rs"))


def python_files() -> list[Path]:
    """Sources of the product."""
    return sorted((ROOT / "python").rglob("*.py"))


def without_tests(text: str) -> str:
    """A Rust file up to its test module."""
    found = RUST_TESTS.search(text)
    return text[: found.start()] if found else text


def rust_functions(path: Path) -> Iterator[Function]:
    """Each function with its length: up to the closing brace in the column of its first word."""
    lines = without_tests(path.read_text()).splitlines()
    for start, line in enumerate(lines):
        found = RUST_FN.match(line)
        if not found or line.rstrip().endswith(";"):
            continue
        indent = line[: len(line) - len(line.lstrip())]
        end = next((n for n in range(start, len(lines)) if lines[n] == f"{indent}}}"), start)
        yield end - start + 1, found[1], f"{path.relative_to(ROOT)}:{start + 1}"


def python_functions(path: Path) -> Iterator[Function]:
    """Each function with its length, docstring included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            yield length, node.name, f"{path.relative_to(ROOT)}:{node.lineno}"


def rust_docs(path: Path) -> Iterator[bool]:
    """For each public item of a file: is it documented?"""
    lines = without_tests(path.read_text()).splitlines()
    for number, line in enumerate(lines):
        if RUST_PUB.match(line):
            above = number - 1
            while above >= 0 and lines[above].lstrip().startswith(("#[", ")]")):
                above -= 1
            yield above >= 0 and lines[above].lstrip().startswith("///")


def python_docs(path: Path) -> Iterator[bool]:
    """For each public item of a module, and the module: is it documented?"""
    tree = ast.parse(path.read_text())
    if tree.body:
        yield ast.get_docstring(tree) is not None
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                if not name.startswith("_"):
                    yield ast.get_docstring(node) is not None


def main() -> int:
    """Print the figures; 1 if fewer public items are documented than before."""
    rust, python = rust_files(), python_files()
    files = [
        (len(path.read_text().splitlines()), str(path.relative_to(ROOT)))
        for path in [*rust, *python]
    ]
    functions = [f for path in rust for f in rust_functions(path)]
    functions += [f for path in python for f in python_functions(path)]
    documented = [d for path in rust for d in rust_docs(path)]
    documented += [d for path in python for d in python_docs(path)]

    print("longest files (lines)")
    for length, name in sorted(files, reverse=True)[:5]:
        print(f"  {length:5} {name}")
    print("longest functions (lines)")
    for length, name, where in sorted(functions, reverse=True)[:5]:
        print(f"  {length:5} {name} {where}")

    share = 100 * sum(documented) / max(len(documented), 1)
    floor = float(FLOOR.read_text()) if FLOOR.exists() else 0.0
    print(f"public items documented: {share:.1f} % of {len(documented)}, {floor:.1f} % wanted")
    if share < floor:
        print("doc coverage went down. hint: document what became public", file=sys.stderr)
        return 1
    if share >= floor + 1 and "CI" not in os.environ:
        FLOOR.write_text(f"{int(share)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
