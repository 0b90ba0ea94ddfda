"""The gate that repeats: instructions per request of the in-process driver, counted by callgrind.

usage: python -m bench.callgrind [--update REASON | --profile SCENARIO]

The same binary gives the same count whatever the machine does. A scenario that needs over 3 % more
than the committed baseline fails; a commit that means to change it runs `--update` and says why.
So does resilience that costs over 5 % where nothing fails, routing that costs over 3 % where there
is one target, an agent's request that costs over three times what serde_json needs to read its body
into a tree, and a byte of hostile text whose tokens cost over twice those of a byte of prose.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench import machine
from bench.programs import ROOT, WORK, BenchError, built, tool

BASELINE = ROOT / "bench" / "results" / "callgrind.json"
GROWTH_MAX = 0.03
RESILIENT = "_resilient"
"""Ends the name of a scenario with all that answers failures configured, and nothing failing."""
ROUTED = "_routed"
"""Ends one whose route goes by price, capability and window, and has one target."""
BESIDE_PLAIN_MAX = {RESILIENT: 0.05, ROUTED: 0.01}
"""What those may cost beside the same scenario without."""
PARSED = "agent_64k_parsed"
"""No scenario: serde_json reads the body of those whose names begin alike into a `Value`."""
TRANSLATED_MAX = 3.0
"""What they may cost, the whole request, as a multiple of that."""
COUNTED_BYTES = {
    "tokens_prose_100k": 100_000,
    "tokens_code_100k": 100_000,
    "tokens_json_100k": 100_000,
    "tokens_hostile_a_1m": 1_000_000,
    "tokens_hostile_space_1m": 1_000_000,
    "tokens_hostile_base64_1m": 1_000_000,
}
"""No scenarios either: texts whose tokens are counted by o200k, and their lengths."""
PROSE = "tokens_prose_100k"
HOSTILE_MAX = 2.0
"""What a byte of text that is no language may cost, as a multiple of one of `PROSE`."""
_AGAIN = 2
# Half of it is subtracted from the whole, which leaves only what the requests themselves cost.
_REQUESTS = 200
_REQUESTS_OF = {
    "stream_1000x200": 40,
    "unary_64k": 100,
    PARSED: 50,
    **{name: 2_000_000 // length for name, length in COUNTED_BYTES.items()},
}
# Functions that only the thread in question runs: a worker's, or the main one.
_WORKER = "llm_edge_engine::stations::"
_THREAD_OF = {
    PARSED: "bench_driver::agent::parse",
    **dict.fromkeys(COUNTED_BYTES, "bench_driver::texts::count"),
}


def count(scenario: str, requests: int, folder: Path) -> tuple[int, Path]:
    """Instructions of the thread in question in one run, and its profile.

    Raises:
        BenchError: The driver failed, or no thread looks like that one.
    """
    out = folder / f"{scenario}.{requests}"
    command = [
        tool("valgrind"),
        "--tool=callgrind",
        "--separate-threads=yes",
        f"--callgrind-out-file={out}",
        str(built("bench-driver")),
        scenario,
        str(requests),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{scenario} under callgrind:\n{done.stderr[-2000:]}")
    runs = _THREAD_OF.get(scenario, _WORKER)
    totals = {
        path: _total(path) for path in folder.glob(f"{out.name}-*") if runs in path.read_text()
    }
    if not totals:
        raise BenchError(f"{scenario}: no thread in the profile runs `{runs}`")
    worker = max(totals, key=lambda path: totals[path])
    return totals[worker], worker


def _total(profile: Path) -> int:
    line = next(ln for ln in profile.read_text().splitlines() if ln.startswith("totals:"))
    return int(line.split()[1])


def per_request(scenario: str) -> float:
    """Instructions that one more request costs."""
    requests = _REQUESTS_OF.get(scenario, _REQUESTS)
    with tempfile.TemporaryDirectory() as folder:
        few, _ = count(scenario, requests, Path(folder))
        many, _ = count(scenario, 2 * requests, Path(folder))
    return (many - few) / requests


def scenarios() -> list[str]:
    """The driver's in its order, then what is counted without the engine."""
    command = [str(built("bench-driver")), "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [*listed, PARSED, *COUNTED_BYTES]


def translated(counted: Mapping[str, float]) -> dict[str, float]:
    """Requests held against `PARSED`, as multiples of it."""
    alike = PARSED.removesuffix("parsed")
    return {
        name: count / counted[PARSED]
        for name, count in counted.items()
        if name.startswith(alike) and name != PARSED
    }


def hostile(counted: Mapping[str, float]) -> dict[str, float]:
    """What a byte of each hostile text costs, as a multiple of a byte of `PROSE`."""
    prose = counted[PROSE] / COUNTED_BYTES[PROSE]
    return {
        name: counted[name] / length / prose
        for name, length in COUNTED_BYTES.items()
        if "hostile" in name
    }


def check() -> int:
    """Compare with the baseline; the exit code."""
    if "avx2" not in Path("/proc/cpuinfo").read_text():
        print("callgrind: this machine has no AVX2, so the baseline says nothing about it")
        return 0
    baseline = json.loads(BASELINE.read_text())
    print(f"{'instructions per request':24} {'baseline':>10} {'now':>10}")
    counted = {name: _counted(name, baseline["instructions"].get(name)) for name in scenarios()}
    grown = [name for name, (_, grew) in counted.items() if grew]
    now = {name: count for name, (count, _) in counted.items()}
    dear = [*_dear(now), *_dearly_translated(now), *_dearly_counted(now)]
    if grown:
        print(f"\ngrown by more than {GROWTH_MAX:.0%}: {', '.join(grown)}")
        print("if that is meant: python -m bench.callgrind --update 'why', and commit the baseline")
        if (rustc := machine.version_of_rustc()) != baseline["rustc"]:
            print(f"the baseline is of rustc {baseline['rustc']}, this build is of {rustc}")
    return int(bool(grown or dear))


def _dear(counted: dict[str, float]) -> list[str]:
    """Scenarios that cost more beside their plain one than they may; prints all of them."""
    found = []
    for ending, most in BESIDE_PLAIN_MAX.items():
        for name in (name for name in counted if name.endswith(ending)):
            plain = name.removesuffix(ending)
            cost = counted[name] / counted[plain] - 1
            print(f"{name} costs {cost:+.1%} over {plain}: {most:.0%} at most")
            if cost > most:
                found.append(name)
    return found


def _dearly_translated(counted: dict[str, float]) -> list[str]:
    """Translated requests that cost more than they may; prints all of them."""
    found = translated(counted)
    for name, times in found.items():
        print(f"{name} costs {times:.2f} times {PARSED}: {TRANSLATED_MAX:.0f} at most")
    return [name for name, times in found.items() if times > TRANSLATED_MAX]


def _dearly_counted(counted: dict[str, float]) -> list[str]:
    """Hostile texts whose tokens cost more than they may; prints all of them."""
    found = hostile(counted)
    for name, times in found.items():
        print(f"{name} costs {times:.2f} times {PROSE} for a byte: {HOSTILE_MAX:.0f} at most")
    return [name for name, times in found.items() if times > HOSTILE_MAX]


def _counted(name: str, baseline: float | None) -> tuple[float, bool]:
    """Instructions per request, and whether they have grown too much."""
    if baseline is None:
        now = per_request(name)
        print(f"{name:24} {'-':>10} {now:10.0f} (new: --update)", flush=True)
        return now, True
    now = per_request(name)
    for _ in range(_AGAIN):
        # A read cut in two or a log thread woken at an unlucky moment costs something; not ours.
        if now > baseline * (1 + GROWTH_MAX):
            now = min(now, per_request(name))
    print(f"{name:24} {baseline:10.0f} {now:10.0f} {now / baseline - 1:+.1%}", flush=True)
    return now, now > baseline * (1 + GROWTH_MAX)


def update(reason: str) -> int:
    """Write a new baseline."""
    # The middle of three: the least of a count that wavers is one that the next run misses.
    counted = {
        name: round(statistics.median(per_request(name) for _ in range(3))) for name in scenarios()
    }
    text = {
        "reason": reason,
        "rustc": machine.version_of_rustc(),
        "valgrind": machine.version_of(tool("valgrind"), "--version").removeprefix("valgrind-"),
        "instructions": counted,
    }
    BASELINE.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")
    for name, instructions in counted.items():
        print(f"{name:24} {instructions:10}")
    return 0


def profile(scenario: str) -> int:
    """Leave the profile of a scenario under bench/.work and print its costliest functions."""
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        _, worker = count(scenario, 5 * _REQUESTS, Path(folder))
        kept = shutil.copy(worker, WORK / f"callgrind.{scenario}")
    shown = subprocess.run(
        [tool("callgrind_annotate"), "--threshold=75", str(kept)],
        capture_output=True,
        text=True,
        check=True,
    )
    print(shown.stdout)
    return 0


def main() -> int:
    """Parse and do."""
    parser = argparse.ArgumentParser(prog="python -m bench.callgrind", description=__doc__)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--update", metavar="REASON", help="write a new baseline")
    group.add_argument("--profile", metavar="SCENARIO", help="print the costliest functions")
    arguments = parser.parse_args()
    try:
        if arguments.update:
            return update(arguments.update)
        if arguments.profile:
            return profile(arguments.profile)
        return check()
    except BenchError as error:
        print(f"callgrind: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
