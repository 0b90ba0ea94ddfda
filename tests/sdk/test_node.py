"""The SDKs of Node, run by Node's own test runner against gateways.

Its closing lines are printed, and shown by `pytest -rP` or when it fails.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sdk.python.access import CONFIGURED_KEY
from tests.support.gateway import Running

FOLDER = Path(__file__).with_name("node")
RUN_S = 90


def run(files: list[str], running: Running, key: str, home: Path) -> int:
    """Run these files; every test must pass. Gives how many there were."""
    node = shutil.which("node")
    assert node, "no `node`: `make behaviour` installs it"
    assert (FOLDER / "node_modules").is_dir(), f"run `npm ci` in {FOLDER}: `make behaviour` does"
    # One file at a time: the tests of each read the gateway's count of requests in hand.
    done = subprocess.run(
        [node, "--test", "--test-concurrency=1", "--test-reporter=tap", *files],
        cwd=FOLDER,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LLM_EDGE_ADDRESS": running.anthropic,
            "LLM_EDGE_KEY": key,
            "LLM_EDGE_METRICS": running.metrics,
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=RUN_S,
    )
    print("\n".join(done.stdout.splitlines()[-8:]))  # noqa: T201 -- see above
    told = dict(re.findall(r"^# (\w+) (\d+)$", done.stdout, flags=re.MULTILINE))
    failed = re.findall(r"^not ok .*?^  \.\.\.$", done.stdout, flags=re.MULTILINE | re.DOTALL)
    assert done.returncode == 0, "\n".join(failed) or done.stdout[-20_000:] + done.stderr
    assert told["pass"] == told["tests"]
    return int(told["tests"])


# A runner that found nothing to run would also be content: so each says how many it runs at least.


@pytest.mark.timeout(RUN_S + 10)
def test_the_official_sdks_work_through_the_gateway(gateway: Running, tmp_path: Path) -> None:
    files = ["anthropic.test.mjs", "openai.test.mjs"]
    assert run(files, gateway, gateway.key or "", tmp_path) >= 40


@pytest.mark.timeout(RUN_S + 10)
def test_the_vercel_ai_sdk_reaches_every_model(crossing: Running, tmp_path: Path) -> None:
    assert run(["vercel.test.mjs"], crossing, CONFIGURED_KEY, tmp_path) >= 80
