"""Every verb runs in an empty home and working folder; nothing of the machine's user is seen."""

from pathlib import Path

import pytest

OF_THE_USER = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "LLM_EDGE_CONFIG",
    "STATE_DIRECTORY",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is both."""
    for name in OF_THE_USER:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path
