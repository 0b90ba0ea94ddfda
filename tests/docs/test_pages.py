"""The pages tell the truth: links lead somewhere, what they name exists."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.gateway import clean_environment, program
from tests.support.pages import FENCE, pages
from tests.support.tree import ROOT, name_of

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_block_says_its_language(page: Path) -> None:
    assert "" not in {language for language, _ in FENCE.findall(page.read_text())}


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`([\w/]+\.(?:py|rs))`", (ROOT / "THREAT_MODEL.md").read_text())
    assert named, "the threat model names no test"
    missing = [
        name
        for name in named
        if not (ROOT / name).exists() and not (ROOT / "tests/behaviour" / name).exists()
    ]
    assert missing == []


def test_every_make_target_that_is_named_exists() -> None:
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for page in pages() for word in re.findall(r"\bmake ([a-z-]+)\b", code(page))}
    assert named, "no page names a target"
    assert named - there == set()


def test_every_verb_that_is_named_exists(tmp_path: Path) -> None:
    named = {
        word
        for page in pages()
        for word in re.findall(r"llm-edge-agent ([a-z]+)(?![-\w])", code(page))
    }
    done = subprocess.run(
        [*program(), "--help"],
        capture_output=True,
        check=True,
        timeout=10,
        env=clean_environment(tmp_path),
    )
    there = set(re.findall(r"^  ([a-z]+)\b", done.stdout.decode(), re.MULTILINE))
    assert named, "no page names a verb"
    assert named - there == set()


def test_every_metric_that_is_named_is_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/metrics.md").read_text()
    control = re.findall(r"llm_edge_\w+", "\n".join(p.read_text() for p in control_plane_sources()))
    named = {
        word for page in pages() for word in re.findall(r"`(llm_edge_[a-z_]+)`", page.read_text())
    }
    assert {name for name in named if name not in reference and name not in control} == {
        "llm_edge_agent"
    } & named


def test_the_layers_that_are_told_are_those_that_are_held() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = project["tool"]["importlinter"]["contracts"]
    # What stands in parentheses is yet to come.
    lines = [re.sub(r"\(\w+\)", "", line) for line in contract["layers"]]
    held = [set(re.findall(r"\w+", line)) for line in lines]
    page = (ROOT / "ARCHITECTURE.md").read_text()
    (row,) = re.findall(r"layers, top to bottom: (.*?) \|", page)
    told = [set(re.findall(r"`(\w+)`", layer)) for layer in row.split("→")]
    assert told == [layer for layer in held if layer]


def test_the_admin_token_is_told_of_where_a_newcomer_looks() -> None:
    for name in ("README.md", "docs/guide/quick-start.md", "docs/guide/configuration.md"):
        assert "`LLM_EDGE_ADMIN_TOKEN`" in (ROOT / name).read_text(), name


def test_the_line_of_a_new_key_is_shown_as_it_is_printed(tmp_path: Path) -> None:
    done = subprocess.run(
        [*program(), "keys", "create", "--name", "search", "--models", "chat,openai/*"],
        capture_output=True,
        check=True,
        timeout=10,
        env=clean_environment(tmp_path),
    )
    line = done.stdout.decode().splitlines()[1]
    shown = re.sub(r"hmac-sha256:[0-9a-f]+", "hmac-sha256:…", line)
    assert f"\n{shown}\n" in (ROOT / "docs/guide/keys.md").read_text()


def control_plane_sources() -> list[Path]:
    """Where the control plane's own metrics are spelled."""
    return sorted((ROOT / "python/llm_edge_agent/control").rglob("*.py"))


def code(page: Path) -> str:
    """What stands in fenced blocks and between backticks."""
    text = page.read_text()
    fenced = [body for _, body in FENCE.findall(text)]
    return "\n".join([*fenced, *re.findall(r"`([^`\n]+)`", FENCE.sub("", text))])
