"""The oracle's faults against this gateway and others, under the same rules.

usage: python -m bench.peers.compare SEED

Plays every scenario that all of them can be asked (HTTP/1.1 on both sides, no option beyond
deadlines) and writes what came of it to bench/results/compare/<name>.json; the page is made of
these by `python -m bench.peers.page`.
"""

import json
import os
import subprocess
import sys
from typing import NamedTuple

from bench import machine
from bench.programs import ROOT, BenchError

RESULTS = ROOT / "bench" / "results" / "compare"
DIALECTS = "chat,responses,messages"
_ASK_VERSION = "from importlib.metadata import version; print(version('{}'))"


class Peer(NamedTuple):
    """A gateway that is compared."""

    package: str
    python: str
    configuration: str
    key: str = ""
    """What callers show; it gets it as OTHER_KEY."""


PEERS = {
    "llm-edge-agent": Peer("llm-edge-agent", ".venv/bin/python", "tests/chaos/gateways/base.yaml"),
    "litellm": Peer(
        "litellm",
        "bench/.work/peers/litellm/bin/python",
        "bench/peers/litellm/config.yaml",
        key="sk-compare",
    ),
}


def play(name: str, peer: Peer, seed: str) -> None:
    """Run the oracle against one of them and keep the result.

    Raises:
        BenchError: It could not be run.
    """
    version = subprocess.run(
        [ROOT / peer.python, "-c", _ASK_VERSION.format(peer.package)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    path = RESULTS / f"{name}.json"
    command = [
        str(ROOT / "target/release/llm-edge-chaos"),
        *("--form", "short", "--share", "6", "--seed", seed, "--clients", "16"),
        *("--dialects", DIALECTS),
        *("--other", f"bench/peers/{name}/serve.sh", "--result", str(path)),
    ]
    print(f"· {name} {version}", flush=True)
    env = dict(os.environ) | ({"OTHER_KEY": peer.key} if peer.key else {})
    done = subprocess.run(command, cwd=ROOT, env=env, check=False)
    if done.returncode not in {0, 1}:
        raise BenchError(f"{name}: exit code {done.returncode}")
    result = json.loads(path.read_text())
    about = {"name": name, "version": version, "configuration": peer.configuration}
    text = json.dumps({**about, "machine": machine.describe(), **result}, indent=1)
    path.write_text(text + "\n")


def main(arguments: list[str]) -> int:
    """Run all of them; returns the exit code."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    try:
        for name, peer in PEERS.items():
            play(name, peer, arguments[0])
    except (BenchError, OSError, subprocess.CalledProcessError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
