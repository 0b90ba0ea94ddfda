"""Writes docs/operate/comparison.md from the results, or with `--check` says it is stale."""

import json
import sys
import tomllib
from typing import Any

from bench import pages
from bench.peers.compare import DIALECTS, PEERS, RESULTS
from bench.programs import ROOT

PAGE = ROOT / "docs" / "operate" / "comparison.md"
_SCENARIOS = ROOT / "tests" / "chaos" / "scenarios"

_INTRO = """\
<!-- Generated from bench/results/compare by `python -m bench.peers.page`; do not edit. -->

# The same faults, other gateways

What was run, and what came of it; nothing more. The [oracle](chaos.md) plays its upstream's faults
against each gateway, over HTTP/1.1 on both sides, and files every reply. Because another gateway
may write replies anew, only what a reader takes from a reply is compared here: its text, whether it
ended, whether it said that it failed.

- **exact**: all of the text, and its end.
- **explicit error**: what the official SDKs raise on, after a true beginning of the text.
- **violation**: text that is lost, changed or repeated, a proper end of what was cut, nothing
  decided within 30 seconds, or one request executed more often than the scenario allows.
- **other class**: an explicit error where the reply could be exact, or the other way round; an
  error with another status than the scenario says (504 for a passed deadline, say), or without the
  header field that it says (`Retry-After`).
"""


def page() -> str:
    """The page, from whatever results there are."""
    parts = [_INTRO]
    for name in PEERS:
        path = RESULTS / f"{name}.json"
        if path.exists():
            parts.append(section(json.loads(path.read_text())))
    parts.append(
        "`make compare` runs it again. The scenarios are [tests/chaos/scenarios]"
        "(../../tests/chaos/scenarios); those that need an option beyond deadlines, another "
        "protocol, a translation or TLS are left out.\n"
    )
    return "\n".join(parts)


def section(result: dict[str, Any]) -> str:
    """One gateway."""
    left = result["disconnect"]
    head = [
        f"## {result['name']} {result['version']}\n",
        f"{result['machine']['date']}, {result['machine']['cores']} cores, seed {result['seed']}, "
        f"dialects {DIALECTS.replace(',', ', ')}; configuration "
        f"[{result['configuration']}](../../{result['configuration']}). "
        f"{result['replies']} replies of {result['scenarios']} scenarios.\n",
        "| faults | replies | exact | explicit error | violation | other class |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    titles = {
        file["family"]: file["title"]
        for file in (tomllib.loads(p.read_text()) for p in sorted(_SCENARIOS.glob("*.toml")))
    }
    rows = [
        f"| {titles[family]} ({family}) | {t['replies']} | {t['exact']} | {t['explicit_error']} "
        f"| {t['violation']} | {t['mismatch']} |"
        for family, t in result["by_family"].items()
    ]
    total = (
        f"| all | {result['replies']} | {result['exact']} | {result['explicit_error']} "
        f"| {result['violation']} | {result['mismatch']} |"
    )
    gone = (
        f"\nOf {left['aborts']} clients that left, the upstream saw {left['seen']} leave "
        f"within ten seconds, 99 of 100 of them within {left['p99_ms']} ms.\n"
    )
    return "\n".join([*head, *rows, total, gone])


if __name__ == "__main__":
    sys.exit(pages.main(PAGE, page(), "bench.peers.page"))
