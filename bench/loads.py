"""Load: wrk (closed loop, for CPU and syscalls), `bench-load` (open loop, for latency), k6."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench import messages
from bench.programs import KEY, LOAD_CORE, ROOT, WORK, BenchError, built, installed, pinned, tool

_SCRIPT = """
wrk.method = "POST"
wrk.path = "@PATH@"
@HEADERS@
local file = io.open("@BODY@", "rb")
wrk.body = file:read("*a")
file:close()
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('JSON {"requests":%d,"failed":%d,"wall_s":%.6f}\\n', summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout, summary.duration / 1e6))
end
"""


@dataclass(frozen=True)
class Load:
    """What a closed loop sent."""

    requests: int
    failed: int
    wall_s: float

    @property
    def rate(self) -> float:
        """Successful requests in a second."""
        return (self.requests - self.failed) / self.wall_s


def wrk(port: int, data: bytes, *, seconds: float, connections: int = 32) -> Load:
    """The same request from every connection, one after the other, as fast as it goes."""
    script = WORK / "wrk.lua"
    payload = WORK / "wrk.body"
    payload.write_bytes(data)
    fields = "\n".join(f'wrk.headers["{k}"] = "{v}"' for k, v in messages.headers().items())
    text = _SCRIPT.replace("@PATH@", messages.PATH).replace("@HEADERS@", fields)
    script.write_text(text.replace("@BODY@", str(payload)))
    # wrk takes whole seconds only.
    whole = max(1, round(seconds))
    options = ["-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "10s", "-s", str(script)]
    command = pinned(LOAD_CORE, tool("wrk"), *options, f"http://127.0.0.1:{port}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = next((ln for ln in done.stdout.splitlines() if ln.startswith("JSON ")), None)
    if line is None:
        raise BenchError(f"wrk failed: {done.stdout}{done.stderr}")
    return Load(**json.loads(line.removeprefix("JSON ")))


def h2load(port: int, data: bytes, *, seconds: float) -> Load:
    """The same over HTTP/2 by prior knowledge: four connections of eight streams."""
    payload = WORK / "wrk.body"
    payload.write_bytes(data)
    fields = [part for k, v in messages.headers().items() for part in ("-H", f"{k}: {v}")]
    options = ["-t1", "-c4", "-m8", f"-D{max(1, round(seconds))}", "-d", str(payload), *fields]
    address = f"http://127.0.0.1:{port}{messages.PATH}"
    command = pinned(LOAD_CORE, tool("h2load"), *options, address)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    counted = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
    took = re.search(r"finished in ([\d.]+)(ms|s)", done.stdout)
    if not counted or not took:
        raise BenchError(f"h2load failed: {done.stdout}{done.stderr}")
    good, *bad = map(int, counted.groups())
    wall_s = float(took[1]) / (1000 if took[2] == "ms" else 1)
    return Load(good + sum(bad), sum(bad), wall_s)


@dataclass(frozen=True)
class Paced:
    """What an open loop saw: percentiles in microseconds, by `p50`, `p90`, `p99`, `max`."""

    requests: int
    failed: int
    latency_us: dict[str, float]
    first_byte_us: dict[str, float]
    gap_us: dict[str, float]


def paced(
    port: int, data: bytes, *, rate: int, seconds: int, connections: int = 1, core: str = LOAD_CORE
) -> Paced:
    """The same request at a constant rate, spread over the connections."""
    command = [str(built("bench-load")), *map(str, (port, connections, rate, seconds))]
    done = subprocess.run(
        pinned(core, *command), input=messages.request(data), capture_output=True, check=False
    )
    if done.returncode:
        raise BenchError(f"bench-load failed: {done.stderr.decode()}")
    return Paced(**json.loads(done.stdout))


@dataclass(frozen=True)
class Storm:
    """What an open loop without bounds saw: counts, and percentiles in microseconds."""

    sent: int
    seconds: float
    accepted: int
    refused: int
    refused_without_retry_after: int
    failed: dict[str, int]
    accepted_us: dict[str, float | None]
    first_byte_us: dict[str, float | None]
    refused_us: dict[str, float | None]
    late_us: dict[str, float | None]
    last_not_accepted_s: float

    @property
    def goodput(self) -> float:
        """Whole replies for each second of sending."""
        return self.accepted / self.seconds

    @property
    def failures(self) -> int:
        """Requests that got neither a whole reply nor a refusal."""
        return self.sent - self.accepted - self.refused


def storm(port: int, data: bytes, *, rate: float, seconds: float, core: str = LOAD_CORE) -> Storm:
    """The same request at a constant rate, whatever comes back."""
    command = [str(built("bench-storm")), str(port), str(round(rate)), str(round(seconds * 1000))]
    done = subprocess.run(
        pinned(core, *command), input=messages.request(data), capture_output=True, check=False
    )
    if done.returncode:
        raise BenchError(f"bench-storm failed: {done.stderr.decode()}")
    return Storm(**json.loads(done.stdout))


def k6(script: str, port: int, **env: str) -> dict[str, dict[str, float]]:
    """Run a script of `bench/k6`; returns the metrics of its summary."""
    summary = WORK / "k6-summary.json"
    summary.unlink(missing_ok=True)
    command = pinned(
        LOAD_CORE,
        installed("k6"),
        "run",
        "--quiet",
        "--no-usage-report",
        "--summary-trend-stats=avg,min,med,p(90),p(99),max",
        f"--summary-export={summary}",
        str(ROOT / "bench" / "k6" / script),
    )
    extra = {"BASE_URL": f"http://127.0.0.1:{port}/v1", "API_KEY": KEY, **env}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **extra}
    )
    # 99: a threshold was crossed; the summary is there all the same.
    if done.returncode not in {0, 99} or not Path(summary).exists():
        raise BenchError(f"k6 failed ({done.returncode}): {done.stderr[-2000:]}")
    found: dict[str, dict[str, float]] = json.loads(summary.read_text())["metrics"]
    return found
