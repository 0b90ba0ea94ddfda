"""What the guide on routing shows is what the program says."""

import re
import shlex
from pathlib import Path

import pytest

from tests.behaviour.process.programs import run
from tests.support.tree import ROOT

PAGE = (ROOT / "docs/guide/routing.md").read_text()
CONFIG = re.findall(r"```yaml\n(# llm-edge.yaml\n.*?)```", PAGE, re.DOTALL)[0]
EXAMPLES = re.findall(r"```console\n\$ llm-edge-agent (.*?)\n(.*?)```", PAGE, re.DOTALL)
KEYS = {"OPENAI_API_KEY": "sk-of-the-test", "ANTHROPIC_API_KEY": "sk-of-the-test"}


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_an_example_says_what_is_shown(tmp_path: Path, command: str, shown: str) -> None:
    (tmp_path / "llm-edge.yaml").write_text(CONFIG)
    done = run(tmp_path, *shlex.split(command), env=KEYS)
    assert (done.returncode, done.stdout) == (0, shown), done.stderr


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3
