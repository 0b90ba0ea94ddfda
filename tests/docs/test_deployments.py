"""What lies in deployments/ is accepted by the program it is for."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from llm_edge_agent.config import load
from tests.support.gateway import clean_environment, program
from tests.support.tree import ROOT, name_of

DOCKERFILE = (ROOT / "Dockerfile").read_text()
CONFIGS = sorted((ROOT / "deployments").rglob("llm-edge*.yaml"))


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_a_configuration_to_start_from_is_accepted(config: Path, tmp_path: Path) -> None:
    named = re.findall(r"\$\{([A-Z0-9_]+)\}", config.read_text())
    variables = {name: f"sk-the-{name}-of-the-reader" for name in named}
    done = subprocess.run(
        [*program(), "check", "--config", str(config)],
        capture_output=True,
        check=False,
        timeout=10,
        env=clean_environment(tmp_path, variables),
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_the_image_runs_as_nobody_and_is_started_without_a_shell() -> None:
    lines = DOCKERFILE.splitlines()
    assert "USER 65532:65532" in lines
    assert 'ENTRYPOINT ["llm-edge-agent"]' in lines
    assert any(line.startswith("HEALTHCHECK") and "healthcheck" in line for line in lines)


def test_every_member_of_the_workspace_is_in_the_build() -> None:
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
    copied = re.findall(r"^COPY (\S+) \1$", DOCKERFILE, re.MULTILINE)
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    for member in workspace["members"]:
        for folders in (copied, let_in):
            assert any(f"{member}/".startswith(f"{folder}/") for folder in folders), member


def test_a_configuration_chooses_its_ports_within_the_image(tmp_path: Path) -> None:
    env = dict(re.findall(r"(LLM_EDGE_\w+)=(\S+)", DOCKERFILE))
    file = tmp_path / "llm-edge.yaml"
    base = "mock: true\nkeys: [{name: a, key: sk-0123456789012345678901}]\n"
    file.write_text(base)
    silent = load(file, env=env).config.listen
    assert (silent.api, silent.metrics) == ("0.0.0.0:8080", "0.0.0.0:9464")
    file.write_text(base + 'listen: {api: "0.0.0.0:9000", metrics: "0.0.0.0:9001"}\n')
    said = load(file, env=env).config.listen
    assert (said.api, said.metrics) == ("0.0.0.0:9000", "0.0.0.0:9001")
