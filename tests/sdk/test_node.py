"""The official Node SDKs, run by Node's own test runner against the demo gateway.

Its closing lines are printed, and shown by `pytest -rP` or when it fails.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.gateway import Running

FOLDER = Path(__file__).with_name("node")
RUN_S = 90


@pytest.mark.timeout(RUN_S + 10)
def test_the_node_sdks_work_through_the_gateway(gateway: Running, tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node, "no `node`: `make behaviour` installs it"
    assert (FOLDER / "node_modules").is_dir(), f"run `npm ci` in {FOLDER}: `make behaviour` does"
    files = sorted(path.name for path in FOLDER.glob("*.test.mjs"))
    # One file at a time: the tests of each read the gateway's count of requests in hand.
    done = subprocess.run(
        [node, "--test", "--test-concurrency=1", "--test-reporter=tap", *files],
        cwd=FOLDER,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LLM_EDGE_ADDRESS": gateway.anthropic,
            "LLM_EDGE_KEY": gateway.key or "",
            "LLM_EDGE_METRICS": gateway.metrics,
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=RUN_S,
    )
    print("\n".join(done.stdout.splitlines()[-8:]))  # noqa: T201 -- see above
    told = dict(re.findall(r"^# (\w+) (\d+)$", done.stdout, flags=re.MULTILINE))
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    # A runner that found nothing to run would also be content.
    assert int(told["pass"]) == int(told["tests"]) >= 35
