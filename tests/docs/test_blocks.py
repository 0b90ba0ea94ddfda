"""Every block of code in the pages runs.

Configurations are checked by the program; Python runs against a gateway whose routes lead to the
mock provider, with only the address and the key filled in; the quick start runs as it is written.
"""

import contextlib
import doctest
import importlib
import io
import os
import pkgutil
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import llm_edge_agent
from tests.conftest import Serve
from tests.support.gateway import clean_environment, program
from tests.support.pages import Block, blocks
from tests.support.tree import ROOT

KEY = "sk-edge-of-the-pages"
# The names that the pages use, answered by the mock.
CONFIG = f"""
version: 1
mock: true
keys: [{{name: pages, key: {KEY}}}]
routes:
  chat: {{models: [chat], targets: [{{provider: mock, model: echo}}]}}
  claude: {{models: ["claude/*"], targets: [{{provider: mock, model: echo}}]}}
"""


# Walked through as a whole, by a test of its own.
WALKED = "add-a-provider.md"


def alone(language: str) -> list[Block]:
    """The blocks that mean something by themselves."""
    return [block for block in blocks(language) if block.page.name != WALKED]


@pytest.mark.parametrize("block", alone("yaml"), ids=str)
def test_a_configuration_is_accepted(block: Block, tmp_path: Path) -> None:
    # What the page leaves to the reader: values of variables, and certificates.
    named = re.findall(r"\$\{([A-Z0-9_]+)\}", block.text)
    env = {name: f"sk-the-{name}-of-the-reader" for name in named}
    text = block.text
    for path in re.findall(r"ca_file: (/\S+?)[},\s]", text):
        text = text.replace(path, str(certificate(tmp_path)))
    config = tmp_path / "llm-edge.yaml"
    config.write_text(text)
    done = subprocess.run(
        [*program(), "check", "--config", str(config)],
        capture_output=True,
        check=False,
        timeout=10,
        env=clean_environment(tmp_path, env),
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def certificate(folder: Path) -> Path:
    """A file of certificates."""
    bundle = folder / "ca.pem"
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", bundle)
    return bundle


ADDRESS = "http://127.0.0.1:8080"


@pytest.mark.parametrize("block", [b for b in alone("python") if ADDRESS not in b.text], ids=str)
def test_a_program_that_asks_nobody_asserts_what_it_shows(block: Block) -> None:
    assert "assert " in block.text, "the block names no address and asserts nothing"
    exec(compile(block.text, str(block), "exec"), {})  # the pages are ours


@pytest.mark.parametrize("block", [b for b in alone("python") if ADDRESS in b.text], ids=str)
def test_a_program_runs_and_gets_an_answer(block: Block, serve: Serve) -> None:
    running = serve(CONFIG)
    text = block.text.replace(ADDRESS, running.anthropic)
    names: dict[str, object] = {"MY_APP_KEY": KEY}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, str(block), "exec"), names)  # the pages are ours
    answered = printed.getvalue() or str(names.get("message", ""))
    assert "Hello!" in answered
    names["client"].close()  # type: ignore[attr-defined]


def test_the_quick_start_of_the_readme_ends_in_an_answer(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    assert "```bash\nmake demo\n```" in readme
    assert "`make demo DEMO=once`" in readme
    is_built = make(tmp_path, "-q", ".cache/stamps/engine").returncode == 0
    assert is_built, "the engine is not built from these sources: run `make unit` or `make demo`"
    ports = "DEMO_ARGS=--port 0 --admin-port 0 --metrics-port 0"
    done = make(tmp_path, "demo", "DEMO=once", ports)
    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    asked, answered = (line[2:] for line in said.splitlines()[:2])
    assert answered.strip()
    assert asked == answered


def make(home: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run make in this tree, with what it needs to find the compiler, and whether this is CI."""
    kept = {name: os.environ[name] for name in ("RUSTUP_HOME", "CI") if name in os.environ}
    kept["RUSTUP_HOME"] = kept.get("RUSTUP_HOME", str(Path.home() / ".rustup"))
    return subprocess.run(
        ["make", *arguments],
        capture_output=True,
        check=False,
        timeout=25,
        cwd=ROOT,
        env=clean_environment(home, kept),
    )


def modules() -> list[str]:
    """Every module of the package."""
    found = pkgutil.walk_packages(llm_edge_agent.__path__, "llm_edge_agent.")
    return sorted(
        module.name for module in found if not module.name.endswith(("__main__", "_engine"))
    )


@pytest.mark.parametrize("name", modules())
def test_the_examples_in_a_module_s_docs_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
