"""Rules about the sources that no compiler and no linter knows."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.tree import ROOT, name_of, rust_sources, without_comments, without_tests

PYTHON = ROOT / "python" / "llm_edge_agent"
STATIONS = ROOT / "rust" / "engine" / "src" / "stations"
EXCHANGE = ROOT / "rust" / "engine" / "src" / "exchange.rs"
SCREEN_LINES = 60

# Where `unsafe` may stand at all; each block says why it is sound.
UNSAFE_ALLOWED = (
    "rust/engine/src/memory.rs",
    "rust/engine/src/descriptors.rs",
    "rust/engine/src/stamp.rs",
    "rust/core/src/http1/mask.rs",
    "rust/core/src/scan/simd.rs",
    "rust/python/src/",
)
# Words of a product that sells its own features back to its users.
LICENCE_CHECKS = re.compile(
    r"licen[cs]e_?key|premium_?(user|feature)|enterprise_?(only|user|feature|edition)|is_enterprise",
    re.IGNORECASE,
)


def product(crate: str) -> list[tuple[Path, str]]:
    """Files of a crate, without tests and comments."""
    return [(p, without_comments(without_tests(p.read_text()))) for p in rust_sources(crate)]


@pytest.mark.parametrize("crate", ["core", "engine", "python"])
def test_bytes_are_never_repaired(crate: str) -> None:
    found = [name_of(path) for path, text in product(crate) if "from_utf8_lossy" in text]
    assert found == [], "pass the bytes on, or refuse them"


def test_core_has_no_clock_no_environment_and_no_io() -> None:
    worldly = re.compile(
        r"\b(std::(fs|net|env|process|thread)\b|Instant::now|SystemTime|tokio|hyper|getrandom|rand::)"
    )
    found = [
        f"{name_of(path)}: {hit[0]}"
        for path, text in product("core")
        if (hit := worldly.search(text))
    ]
    assert found == [], "hand it in as an argument"


def test_the_mock_shares_no_parser_with_what_it_is_used_to_test() -> None:
    shared = re.compile(r"llm_edge_core::(\{[^}]*)?\b(http1|scan|sse|tap|dialect)\b")
    found = [name_of(path) for path, text in product("mock") if shared.search(text)]
    assert found == []


def test_stations_never_call_one_another() -> None:
    names = {path.stem if path.is_file() else path.name for path in STATIONS.iterdir()} - {"mod"}
    assert names, "no stations found"
    crossed = []
    for path in STATIONS.rglob("*.rs"):
        own = path.relative_to(STATIONS).parts[0].removesuffix(".rs")
        if own != "mod":
            text = without_comments(without_tests(path.read_text()))
            crossed += [f"{own} uses {found}" for found in uses(text, names - {own})]
    assert crossed == [], "exchange.rs calls; stations hand each other values, named by their types"


def uses(text: str, stations: set[str]) -> list[str]:
    """Everything of other stations that a source names, but for their types."""
    found = []
    for path in re.findall(r"\b(?:super|stations)::([\w:]+(?:\{[^}]*\})?)", text):
        station, _, rest = path.partition("::")
        if station in stations:
            items = re.findall(r"\w+", rest) or [station]
            found += [f"{station}::{item}" for item in items if not item[0].isupper()]
    for group in re.findall(r"\b(?:super|stations)::\{([^;]*)\};", text):
        found += [word for word in re.findall(r"(?<!:)\b\w+\b(?!:)", group) if word in stations]
    return found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("use super::body;", ["body::body"]),
        ("use crate::stations::body::read;", ["body::read"]),
        ("use crate::stations::body::{Envelope, read};", ["body::read"]),
        ("use super::{cache, body};", ["body"]),
        ("let read = super::body::read(x);", ["body::read"]),
        ("use super::body::Envelope;", []),
        ("use super::*;", []),
    ],
)
def test_a_call_of_another_station_is_told_from_a_type(line: str, found: list[str]) -> None:
    assert uses(line, {"body"}) == found


# As the first word of a path: modules of ours may be called so.
LIBRARIES = re.compile(
    r"(?<!\w)(?<!\w::)(?:hyper(?:_util)?|h2|http(?:_body(?:_util)?)?)(?:::| as )"
)


def test_stations_do_not_know_which_library_speaks_http() -> None:
    files = sorted(STATIONS.rglob("*.rs"))
    assert files, "no stations found"
    found = [
        f"{name_of(path)}: {hit[0]}"
        for path in files
        if (hit := LIBRARIES.search(without_comments(without_tests(path.read_text()))))
    ]
    assert found == [], "doors and backends speak HTTP; stations are handed our own types"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("use hyper::body::Frame;", True),
        ("use ::http::HeaderMap;", True),
        ("fn read(body: h2::RecvStream) {}", True),
        ("use http_body_util::BodyExt;", True),
        ("use http as library;", True),
        ("use {bytes::Bytes, http::Uri};", True),
        ("use llm_edge_core::http1::Known;", False),
        ("use crate::backends::http::Link;", False),
        ("self.http2::<Known>()", False),
    ],
)
def test_a_crate_s_path_is_told_from_a_module_of_ours(line: str, *, named: bool) -> None:
    assert bool(LIBRARIES.search(line)) is named


def test_the_journey_of_a_request_fits_a_screen() -> None:
    lines = EXCHANGE.read_text().splitlines()
    start = next(
        n for n, line in enumerate(lines) if re.match(r"(pub )?(async )?fn journey\b", line)
    )
    end = next(n for n in range(start, len(lines)) if lines[n] == "}")
    assert end - start < SCREEN_LINES


def test_every_unsafe_block_stands_where_it_may_and_says_why() -> None:
    faults = []
    for path in sorted((ROOT / "rust").glob("*/src/**/*.rs")):
        lines = without_tests(path.read_text()).splitlines()
        for number, line in enumerate(lines):
            if not re.search(r"\bunsafe\s*(\{|impl|fn|extern)", line.split("//")[0]):
                continue
            where = f"{name_of(path)}:{number + 1}"
            if not name_of(path).startswith(UNSAFE_ALLOWED):
                faults.append(f"{where}: unsafe is not for this file")
            if not any(
                "SAFETY" in above or "# Safety" in above
                for above in lines[max(0, number - 6) : number]
            ):
                faults.append(f"{where}: no SAFETY comment")
    assert faults == []


def test_no_feature_waits_behind_a_licence_check() -> None:
    files = [*ROOT.glob("rust/*/src/**/*.rs"), *PYTHON.rglob("*.py")]
    assert [name_of(path) for path in files if LICENCE_CHECKS.search(path.read_text())] == []


def imports(path: Path) -> set[str]:
    """Dotted names that a Python file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module or ''}.{alias.name}" for alias in node.names}
    return found


def test_only_the_wrapper_imports_the_engine_s_module() -> None:
    users = {
        name_of(path)
        for path in PYTHON.rglob("*.py")
        if any("_engine" in name.split(".") for name in imports(path))
    }
    assert users == {"python/llm_edge_agent/engine.py"}


def test_the_test_sources_name_behaviours_by_their_row() -> None:
    faults = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        rows = re.findall(r"mark\.behaviour\(([^)]*)\)", path.read_text())
        faults += [
            f"{name_of(path)}: {row}"
            for row in rows
            if not re.fullmatch(r'("B\d+[a-z]?"(, )?)+', row)
        ]
    assert faults == []
