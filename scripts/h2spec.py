"""h2spec against the gateway: prior knowledge on a plain listener, ALPN on a TLS one.

The gateway has no keys and the mock provider, and h2spec asks for a path that is called with POST,
so that its requests are read to their end as a client's are: an early 401 or 404 would answer
before the frames that a case is about.

Usage: `python -m scripts.h2spec TOOL`, which `scripts/h2spec.sh` calls. RESULT names a file to
write the last line to as well.
"""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec

from bench import last_line, machine
from tests.support.certificates import Authority
from tests.support.gateway import Running, start

PATH = "/v1/chat/completions"
CASES = 146
RUN_S = 300
TRIES = 5
"""Some cases take the reply that was under way for the answer to what they did next."""

EXPECTED = {
    "plain": {
        # A plain listener speaks HTTP/1.1 too: what is no preface is a bad HTTP/1.1 request, and
        # answered as one before the connection ends. h2spec reads that answer as frames.
        "http2/3.5: Sends invalid connection preface",
    },
    "tls": set(),
}
"""Cases that do not pass, and why."""


def main(tool: str) -> int:
    """Run both; the exit code is 1 when the outcome is not the expected one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        issued = Authority(folder / "certificates").issue("127.0.0.1")
        tls = f'tls: {{cert_file: "{issued.cert_file}", key_file: "{issued.key_file}"}}\n'
        results = {
            "plain": run(tool, folder / "plain", ""),
            "tls": run(tool, folder / "tls", tls, "--tls", "--insecure"),
        }
    good = all(
        one.cases == CASES and set(one.failed) == EXPECTED[name] for name, one in results.items()
    )
    told = {name: msgspec.to_builtins(one) for name, one in results.items()}
    last_line.say({"command": "h2spec", "ok": good, "machine": machine.describe(), **told})
    return 0 if good else 1


class Result(msgspec.Struct):
    """How the suite ended on one listener."""

    cases: int
    passed: int
    skipped: int
    failed: list[str]
    tried_again: list[str]


def run(tool: str, folder: Path, config: str, *options: str) -> Result:
    """All cases against a gateway of their own; what fails is tried again by itself."""
    folder.mkdir()
    path = folder / "llm-edge.yaml"
    path.write_text(f"mock: true\n{config}")
    gateway = start(["serve", "--config", str(path), "--workers", "1"], folder)
    try:
        outcomes = cases(tool, gateway, folder, *options)
        failed = [name for name, outcome in outcomes.items() if outcome == "failed"]
        retried = list(failed)
        for _ in range(TRIES - 1):
            failed = [
                name
                for name in failed
                if cases(tool, gateway, folder, *options, section(name)).get(name) == "failed"
            ]
    finally:
        gateway.stop()
    skipped = sum(outcome == "skipped" for outcome in outcomes.values())
    return Result(
        cases=len(outcomes),
        passed=len(outcomes) - skipped - len(failed),
        skipped=skipped,
        failed=failed,
        tried_again=[name for name in retried if name not in failed],
    )


def section(name: str) -> str:
    """The part of the suite that a case is in, as h2spec takes it for an argument."""
    return name.partition(":")[0]


def cases(tool: str, gateway: Running, folder: Path, *options: str) -> dict[str, str]:
    """Run the suite, or a part of it, and return how each case ended."""
    host, port = gateway.address
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    where = ["--host", host, "--port", str(port), "--path", PATH]
    subprocess.run(
        [tool, *where, "--strict", "--junit-report", str(report), *options],
        check=False,  # its exit code says only that some case failed
        stdout=subprocess.DEVNULL,
        timeout=RUN_S,
    )
    # Our own tool wrote it.
    found = ET.parse(report).getroot().iter("testcase")  # noqa: S314
    outcomes = {}
    for case in found:
        name = f"{case.get('package')}: {case.get('classname')}"
        bad = case.find("failure") is not None or case.find("error") is not None
        skipped = case.find("skipped") is not None
        outcomes[name] = "failed" if bad else "skipped" if skipped else "passed"
    return outcomes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
