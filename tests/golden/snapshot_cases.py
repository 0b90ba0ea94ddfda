"""The golden snapshots: what each configuration compiles to, byte for byte.

One file per feature, `<feature>.yaml` (a configuration) or `<feature>.env` (an environment without
a file), and beside it `<feature>.json`, which the engine's own tests read too.
"""

from pathlib import Path

import msgspec

from llm_edge_agent.compiler import Compiled, compile_config
from llm_edge_agent.config import Loaded, load
from tests.golden.trimmed import trimmed

FOLDER = Path(__file__).parent / "snapshots"
PEPPER = b"golden-pepper-golden-pepper-golden"
MOCK_ADDRESS = ("127.0.0.1", 18080)
ENV = {
    "OPENAI_API_KEY": "sk-golden-openai",
    "ANTHROPIC_API_KEY": "sk-golden-anthropic",
    "AZURE_OPENAI_API_KEY": "sk-golden-azure",
    "APP_KEY": "sk-golden-app-0123456789",
}


def cases() -> list[Path]:
    """The inputs, sorted."""
    return sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("*.env")])


def read(case: Path) -> Loaded:
    """The configuration of a case."""
    if case.suffix == ".env":
        env = dict(line.split("=", 1) for line in case.read_text().splitlines())
        return load(env=env, search=())
    return load(case, env=ENV)


def compiled(case: Path) -> Compiled:
    """What a case compiles to."""
    return compile_config(read(case).config, pepper=PEPPER, mock_address=MOCK_ADDRESS)


def text(case: Path) -> bytes:
    """A case's snapshot with line breaks, for people who read diffs."""
    snapshot = trimmed(compiled(case).snapshot, read(case).config)
    return msgspec.json.format(snapshot, indent=2) + b"\n"
