"""The real program, started as a user starts it, on ports of its own.

Invariant: whatever a test did to it, the program ends by SIGTERM with exit code 0, having written
nothing on standard output but its first line, and no panic and no traceback on standard error.
"""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec

START_S = 15.0
STOP_S = 20.0
READ_S = 10.0
FAULTS = ("panicked at", "Traceback (most recent call last)", "RuntimeWarning")
FREE_PORTS = ("--port", "0", "--admin-port", "0", "--metrics-port", "0")
_started: list[subprocess.Popen[bytes]] = []


def program() -> list[str]:
    """The command under test: beside this Python, or what LLM_EDGE_AGENT names."""
    named = os.environ.get("LLM_EDGE_AGENT")
    return [named or str(Path(sys.executable).with_name("llm-edge-agent"))]


def interpreter() -> Path:
    """The Python beside the command under test, which has the same package."""
    return Path(program()[0]).with_name("python")


def clean_environment(home: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    """An environment without anything of the machine's user: no keys, configuration, state."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return kept | {"HOME": str(home), "PYTHONWARNINGS": "default"} | (extra or {})


class _FirstLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `--json` prints once the ports accept."""

    api: str
    anthropic: str
    admin: str
    admin_token: str
    metrics: str
    key: str | None
    socket: str | None


@dataclass
class Running:
    """A gateway that accepts requests."""

    api: str
    anthropic: str
    admin: str
    admin_token: str
    metrics: str
    key: str | None
    socket: str | None
    process: subprocess.Popen[bytes]
    log_path: Path
    stopped: bool = field(default=False)

    @property
    def pid(self) -> int:
        """Process id of the gateway."""
        return self.process.pid

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the API listener, for bare sockets."""
        parts = urlsplit(self.api)
        return parts.hostname or "", parts.port or 0

    @property
    def resident_kib(self) -> int:
        """Resident memory, KiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1])

    @property
    def cpu_s(self) -> float:
        """Processor time the process has used so far, seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def descriptors(self) -> int:
        """How many file descriptors the process has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def scrape(self) -> dict[str, float]:
        """The metrics: sample (name with labels) and value."""
        lines = self._get(f"{self.metrics}/metrics").decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def ask_admin(self, resource: str) -> dict[str, Any]:
        """What the admin API says of a resource."""
        said = self._get(f"{self.admin}/api/v1/{resource}", f"Bearer {self.admin_token}")
        return msgspec.json.decode(said, type=dict[str, Any])

    def post_admin(self, resource: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Post to the admin API; status and answer."""
        fields = {
            "authorization": f"Bearer {self.admin_token}",
            "content-type": "application/json",
        }
        request = Request(f"{self.admin}/api/v1/{resource}", data=body, headers=fields)
        try:
            with urlopen(request, timeout=READ_S) as answer:
                return answer.status, msgspec.json.decode(answer.read())
        except HTTPError as error:
            with error:
                return error.code, msgspec.json.decode(error.read())

    def reload(self) -> None:
        """Have the configuration read again; return once it is in force."""
        url = f"{self.admin}/api/v1/reload"
        self._get(url, f"Bearer {self.admin_token}", method="POST")

    def _get(self, url: str, authorization: str = "", method: str = "GET") -> bytes:
        request = Request(url, headers={"authorization": authorization}, method=method)
        with urlopen(request, timeout=READ_S) as answer:
            data: bytes = answer.read()
            return data

    def log(self) -> str:
        """Everything on standard error so far."""
        return self.log_path.read_text(errors="replace")

    def notices(self, event: str) -> list[dict[str, Any]]:
        """The log's lines about this, so far."""
        lines = [line for line in self.log().splitlines() if f'"event":"{event}"' in line]
        return [msgspec.json.decode(line) for line in lines]

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    def stop(self) -> str:
        """End it by SIGTERM, check how it ended, and return its log. Idempotent."""
        if not self.stopped:
            self.stopped = True
            self.process.send_signal(signal.SIGTERM)
            self.check_end()
        return self.log()

    def check_end(self) -> None:
        """Wait for the end of a process that was told to stop, and hold it to the invariant."""
        self.stopped = True
        try:
            rest, _ = self.process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError(f"still running {STOP_S} s after SIGTERM:\n{self.log()}") from None
        log = self.log()
        assert self.process.returncode == 0, f"exit code {self.process.returncode}:\n{log}"
        assert not rest, f"standard output carries more than the first line: {rest[:500]!r}"
        for fault in FAULTS:
            assert fault not in log, log


def start(
    arguments: list[str],
    folder: Path,
    env: dict[str, str] | None = None,
    ports: tuple[str, ...] = FREE_PORTS,
    launcher: Sequence[str] = (),
) -> Running:
    """Start the program and wait for its first line.

    Args:
        arguments: Verb and options; `--json` and `ports` are added.
        folder: Home, state and log of this process.
        env: Added to a clean environment.
        ports: Options that keep it off the usual ports.
        launcher: What its command line begins with.

    Raises:
        AssertionError: It ended, or said nothing in time; the message holds its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log_path = folder / "gateway.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*launcher, *program(), *arguments, "--json", *ports],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env=clean_environment(folder, env),
        )
    _started.append(process)
    line = _first_line(process, log_path)
    said = msgspec.json.decode(line, type=_FirstLine)
    return Running(**msgspec.structs.asdict(said), process=process, log_path=log_path)


def end_what_is_left() -> None:
    """Kill the programs of tests that failed before they stopped them."""
    for process in _started:
        if process.poll() is None:
            process.kill()
            process.wait()


def _first_line(process: subprocess.Popen[bytes], log_path: Path) -> bytes:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        ready = selector.select(timeout=START_S)
    # The line is written at once: a readable pipe is a whole line, or the end of the process.
    line = process.stdout.readline() if ready else b""
    if not line.endswith(b"\n"):
        process.kill()
        process.communicate()
        how = f"ended with {process.returncode}" if ready else f"silent for {START_S} s"
        raise AssertionError(
            f"the gateway did not start ({how}):\n{log_path.read_text(errors='replace')}"
        )
    return line
