"""slowhttptest, a tool of others for slow clients: the service stays available (B18)."""

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.hop import CHAT, Hop, start_hop
from tests.support.upstream import Upstream

pytestmark = [
    pytest.mark.behaviour("B18"),
    pytest.mark.skipif(not shutil.which("slowhttptest"), reason="slowhttptest is not installed"),
]

CONNECTIONS = 2000
SECONDS = 5
MODES = {
    "slow heads": ["-H", "-u", "{api}/models"],
    "slow bodies": ["-B", "-u", "{url}" + CHAT, "-f", "application/json", "-s", "8192"],
    "slow reading": ["-X", "-u", "{api}/models", "-k", "10", "-n", "1", "-w", "10", "-y", "20"],
    "ranges": ["-R", "-u", "{api}/models", "-t", "HEAD"],
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with Upstream() as upstream:
        hop = start_hop(tmp_path_factory.mktemp("slowhttptest"), upstream, "", "--workers", "1")
        yield hop
        hop.running.stop()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mode", MODES)
def test_the_service_stays_available(attacked: Hop, mode: str) -> None:
    running = attacked.running
    words = [word.format(api=running.api, url=running.anthropic) for word in MODES[mode]]
    bounds = ["-c", str(CONNECTIONS), "-r", "1000", "-i", "1", "-l", str(SECONDS), "-p", "2"]
    result = subprocess.run(
        ["slowhttptest", *words, *bounds, "-x", "8", "-v", "1"],
        capture_output=True,
        text=True,
        timeout=SECONDS + 40,
        check=False,
    )
    said = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout + result.stderr)
    available = re.findall(r"service available:\s*(YES|NO)", said)
    assert available, said[-2000:]
    assert set(available) == {"YES"}, said[-2000:]
    attacked.still_works()
