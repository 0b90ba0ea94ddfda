"""The programs of a run: upstream, gateway, both nginx controls; each pinned, on free ports.

Invariant: whatever happens, every program that was started is stopped, by its own process id.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "bench" / ".work"
KEY = "sk-edge-bench"
MODELS = ("up", "cached")
"""Prefixes the gateway serves: straight through, and through the exact cache."""

GATEWAY_CORE = "0"
LOAD_CORE = "1"
EVERY_CORE = "0-1"
_START_S = 20.0
_STOP_S = 10.0


class BenchError(Exception):
    """A run cannot go on; the message says what is missing or broken."""


def tool(name: str) -> str:
    """Path of an installed program.

    Raises:
        BenchError: It is not installed.
    """
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if not found:
        raise BenchError(f"`{name}` is not installed")
    return found


def built(name: str) -> Path:
    """A program of `bench/driver`, release build."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = target / "release" / name
    if not path.exists():
        raise BenchError(f"{name} is missing: cargo build --release -p llm-edge-bench")
    return path


def installed(name: str, venv: Path | None = None) -> str:
    """A program of the environment that holds the wheel under test, or of another one."""
    folder = (venv or Path(os.environ.get("BENCH_VENV", WORK / "venv"))) / "bin"
    if not (folder / name).exists():
        raise BenchError(f"{folder / name} is missing: `make bench` installs it")
    return str(folder / name)


def pinned(core: str, *command: str) -> list[str]:
    """The command, bound to these cores."""
    return [tool("taskset"), "-c", core, *command]


@dataclass
class Running:
    """A program that accepts connections."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    said: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Root of its process tree."""
        return self.process.pid


@contextlib.contextmanager
def _program(name: str, command: Sequence[str], folder: Path) -> Iterator[Running]:
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("wb") as err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, cwd=folder
        )
    try:
        yield Running(name, 0, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _first_line(running: Running) -> str:
    assert running.process.stdout is not None  # noqa: S101 -- it was asked for just above
    line = running.process.stdout.readline().decode()
    if not line.endswith("\n"):
        raise BenchError(f"{running.name} did not start:\n{running.log.read_text()[-2000:]}")
    return line


@contextlib.contextmanager
def upstream(core: str = LOAD_CORE) -> Iterator[Running]:
    """The lean provider."""
    with _program("upstream", pinned(core, str(built("bench-upstream"))), WORK) as running:
        running.port = int(_first_line(running))
        yield running


def gateway_config(upstream_port: int, more: Mapping[str, object]) -> str:
    """What the gateway runs with: a key, one provider, a cached route, and more."""
    tree: dict[str, object] = {
        "version": 1,
        "state_dir": str(WORK / "state"),
        "keys": [{"name": "bench", "key": KEY}],
        "providers": {
            "up": {
                "type": "openai_compatible",
                "base_url": f"http://127.0.0.1:{upstream_port}/v1",
                "api_key": "sk-upstream",
            }
        },
        "routes": {
            "cached": {
                "models": ["cached/*"],
                "targets": [{"provider": "up", "model": "*"}],
                "cache": {"ttl_s": 3600},
            }
        },
    }
    # JSON is YAML.
    return json.dumps({**tree, **more}, indent=1)


def in_two_dialects(upstream: str, own: str, other: str) -> dict[str, object]:
    """The upstream at a URL without path as two providers, of OpenAI's API and of Anthropic's."""
    kinds = {own: ("openai_compatible", "/v1"), other: ("anthropic", "")}
    return {
        name: {"type": kind, "base_url": f"{upstream}{path}", "api_key": "sk-upstream"}
        for name, (kind, path) in kinds.items()
    }


@contextlib.contextmanager
def gateway(
    upstream_port: int,
    *,
    workers: int = 1,
    core: str = GATEWAY_CORE,
    name: str = "gateway",
    within: Sequence[str] = (),
    more: Mapping[str, object] = MappingProxyType({}),
    venv: Path | None = None,
) -> Iterator[Running]:
    """The installed release build, as its users start it.

    Args:
        upstream_port: Where its provider is.
        workers: Its threads.
        core: The processors it may run on.
        name: Of its folder.
        within: Put before its command.
        more: Further areas of its configuration.
        venv: Where it is installed; where the benchmarks install it when absent.
    """
    command = gateway_command(upstream_port, 0, workers=workers, name=name, more=more, venv=venv)
    with _program(name, [*within, *pinned(core, *command)], WORK / name) as running:
        running.said = json.loads(_first_line(running))
        running.port = int(running.said["api"].split(":")[2].split("/")[0])
        yield running


def gateway_command(
    upstream_port: int,
    port: int,
    *,
    workers: int,
    name: str,
    more: Mapping[str, object] = MappingProxyType({}),
    venv: Path | None = None,
) -> list[str]:
    """The command line of a gateway in a folder of its own."""
    config = WORK / name / "config.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(gateway_config(upstream_port, more))
    ports = ["--port", str(port), "--admin-port", "0", "--metrics-port", "0"]
    at = ["--config", str(config), "--workers", str(workers), "--json"]
    return [installed("llm-edge-agent", venv), "serve", *at, *ports]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def nginx(kind: str, **replace: str) -> Iterator[Running]:
    """A control: `proxy` (UPSTREAM) or `static` (BODY)."""
    folder = WORK / f"nginx-{kind}"
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    text = (ROOT / "bench" / "control" / f"nginx-{kind}.conf").read_text()
    for name, value in {"DIR": str(folder), "LISTEN": str(port), **replace}.items():
        text = text.replace(f"@{name}@", value)
    config = folder / "nginx.conf"
    config.write_text(text)
    command = (tool("nginx"), "-p", str(folder), "-c", str(config), "-g", "daemon off;")
    with _program(f"nginx-{kind}", pinned(GATEWAY_CORE, *command), folder) as running:
        running.port = port
        wait_for(port)
        yield running


def wait_for(port: int, path: str = "") -> None:
    """Wait until the port accepts, and where a path is given until it answers 200.

    Raises:
        BenchError: Nothing came within twenty seconds.
    """
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if _answers(port, path):
            return
        time.sleep(0.002)
    raise BenchError(f"nothing answers on port {port}{path}")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_S)
    try:
        connection.connect()
        if not path:
            return True
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def version_of_wheel() -> str:
    """The version of the wheel under test."""
    command = [installed("llm-edge-agent"), "version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()[1]
