"""Decisions that are written down: a configuration, a request, what is known then, and the table.

Each case is a YAML file with `config` and `question`; beside it a JSON file has the snapshot that
the configuration compiles to, the question, and the answer. `rust/core/tests/golden_decisions.rs`
and `tests/unit/test_decisions.py` hold both sides to them.
"""

from pathlib import Path
from typing import Any

import msgspec
import yaml

from llm_edge_agent import engine
from llm_edge_agent.compiler import compile_config
from llm_edge_agent.config import load
from llm_edge_agent.engine import Question
from tests.golden.trimmed import trimmed

__all__ = ["FOLDER", "answered", "cases", "text"]

FOLDER = Path(__file__).parent / "decisions"


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What the JSON file of a case holds; the question as text, whose length counts."""

    snapshot: msgspec.Raw
    question: str
    explanation: msgspec.Raw


def cases() -> list[Path]:
    """The YAML files, in order."""
    return sorted(FOLDER.glob("*.yaml"))


def answered(case: Path, folder: Path) -> Answered:
    """Compile and ask; the configuration is written into `folder` first."""
    said: dict[str, Any] = yaml.safe_load(case.read_text())
    path = folder / "llm-edge.yaml"
    path.write_text(yaml.safe_dump(said["config"], sort_keys=False))
    config = load(path, env={}).config
    snapshot = trimmed(compile_config(config, pepper=b"golden").snapshot, config)
    body = msgspec.json.encode(said["question"].pop("body"))
    asked = msgspec.convert(said["question"] | {"body": msgspec.Raw(body)}, type=Question)
    return Answered(
        snapshot=msgspec.Raw(snapshot),
        question=msgspec.json.encode(asked).decode(),
        explanation=msgspec.Raw(msgspec.json.encode(engine.explain(snapshot, asked))),
    )


def text(case: Answered) -> bytes:
    """The JSON file, laid out to be read."""
    return msgspec.json.format(msgspec.json.encode(case), indent=1) + b"\n"
