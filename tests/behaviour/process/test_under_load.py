"""The short forms of what `make soak` and `make lifecycle` hold the gateway to."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.support.gateway import program

ROOT = Path(__file__).parents[3]


def run(module: str) -> dict[str, object]:
    """Run a module of the benchmarks on the program under test; returns its last line."""
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{module}", "smoke"],
        cwd=ROOT,
        env=os.environ | {"LLM_EDGE_AGENT": program()[0]},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.stdout, done.stderr
    result = msgspec.json.decode(done.stdout.splitlines()[-1], type=dict[str, object])
    assert result["passed"], done.stdout
    assert done.returncode == 0
    return result


@pytest.mark.timeout(160)
def test_after_mixed_traffic_everything_is_given_back() -> None:
    result = run("soak")
    assert result["unexpected"] == {}
    assert len(msgspec.convert(result["outcomes"], dict[str, int])) == 8


@pytest.mark.behaviour("B28")
@pytest.mark.behaviour("B29")
@pytest.mark.timeout(160)
def test_ends_restarts_and_reloads_lose_nobody() -> None:
    details = msgspec.convert(run("lifecycle")["details"], dict[str, dict[str, int]])
    assert list(details["restarts"]) == list(details["reloads"]) == ["good"]
