"""The scripts of bench/k6 against the demo: its replies pass, and what does not hold they say."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import Running

SCRIPTS = Path(__file__).parents[3] / "bench" / "k6"
RUN_S = 45
CROSSED = 99
"""k6's exit code where a threshold was crossed."""
SHORT = {
    "smoke": {"DURATION": "2s"},
    # Other tests run beside this one: how fast a reply is shows nothing here.
    "constant": {"DURATION": "3s", "RATE": "200", "P99_MS": "10000", "DROPPED_MAX": "600"},
    "ramp": {"DURATION": "3s", "RATE_MAX": "600"},
    "streaming": {"DURATION": "3s", "STREAMS": "20"},
}


def play(script: str, running: Running, folder: Path, **env: str) -> tuple[int, dict[str, Any]]:
    """Exit code of a short run, and the metrics of its summary."""
    summary = folder / "summary.json"
    options = ["--quiet", "--no-usage-report", f"--summary-export={summary}"]
    done = subprocess.run(
        [Path(sys.executable).with_name("k6"), "run", *options, SCRIPTS / f"{script}.js"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "BASE_URL": running.api}
        | {"API_KEY": running.key or ""}
        | SHORT[script]
        | env,
        capture_output=True,
        check=False,
        text=True,
        timeout=RUN_S,
    )
    assert summary.exists(), done.stderr
    return done.returncode, json.loads(summary.read_text())["metrics"]


def test_there_is_a_short_run_of_every_script() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.js")} == {*SHORT, "target"}


@pytest.mark.timeout(RUN_S + 10)
@pytest.mark.parametrize("script", SHORT)
def test_a_sound_gateway_passes(gateway: Running, tmp_path: Path, script: str) -> None:
    code, metrics = play(script, gateway, tmp_path)
    assert code == 0, metrics
    assert metrics["http_reqs"]["count"] > 20
    assert metrics["http_req_failed"]["value"] == 0


@pytest.mark.timeout(RUN_S + 10)
@pytest.mark.parametrize(
    ("script", "model"),
    [
        ("smoke", "mock/error?status=500"),
        ("constant", "mock/flaky?p=0.5&status=503"),
        ("ramp", "mock/error?status=429"),
        ("streaming", "mock/cut?after=5"),
    ],
)
def test_a_fault_crosses_a_threshold(
    gateway: Running, tmp_path: Path, script: str, model: str
) -> None:
    code, metrics = play(script, gateway, tmp_path, MODEL=model)
    assert code == CROSSED, metrics
    # For that reason, and not because it was slow.
    if script == "streaming":
        assert metrics["checks"]["fails"] > 0
    else:
        assert metrics["http_req_failed"]["value"] > 0
