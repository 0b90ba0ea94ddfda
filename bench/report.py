"""Writes docs/operate/performance.md from the results, or with `--check` says it is stale."""

import json
import sys
from typing import Any

from bench import pages
from bench.callgrind import HOSTILE_MAX, PARSED, TRANSLATED_MAX, hostile, translated
from bench.programs import ROOT
from bench.verdicts import cells
from llm_edge_agent.catalog import usd

RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "operate" / "performance.md"

_INTRO = """\
<!-- Generated from bench/results by `python -m bench.report`; do not edit. -->

# Performance

What a hop costs, as ratios to a plain nginx reverse proxy that ran in the same rounds on the same
core, with key check, routing, request scan, usage tap, metrics and request ids on. Times are of one
small virtual machine and mean little by themselves. `make bench` measures your machine;
`make bench BENCH=quick` takes under five minutes, or fails. Building what is measured comes on top:
the release wheel is built twice, unless that has been done.
"""

_HOW = """\
## How it is measured

- The gateway is the release wheel, built with a profile of it at work as `make build` does.
- Gateway (one worker) and nginx take turns on one core; load generator and upstream run on another.
  nginx is configured as [bench/control](../../bench/control) says: no log, keep-alive upstream,
  `proxy_buffering off`.
- CPU is user and system time of the whole process tree divided by successful requests. Each figure
  is the median of the ratios of the rounds; a round with a failed request, over 10 % stolen time or
  a control 20 % off its median is left out.
- Added latency is a percentile through the hop less the same percentile without it, at a constant
  rate, open loop. These ratios are printed, not gated.
- Allocations are counted, and instructions by callgrind, in a driver that runs the engine in its
  own process with a fixed input: [bench/driver](../../bench/driver), built without a profile. A
  commit that needs over 3 % more instructions fails `make test`.
"""


def page() -> str:
    """The page, from whatever results there are."""
    parts = [_INTRO]
    full = RESULTS / "full.json"
    if full.exists():
        parts += figures(json.loads(full.read_text()))
    else:
        parts.append("No full run has been recorded yet.\n")
    parts.append(_HOW)
    parts.append(_instructions(json.loads((RESULTS / "callgrind.json").read_text())))
    parts.append(_savings(json.loads((RESULTS / "savings.json").read_text())))
    return "\n".join(parts)


def figures(result: dict[str, Any]) -> list[str]:
    """The table of a full run, and what it was taken with."""
    machine, versions, rows = result["machine"], result["versions"], result["rows"]
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    head = ["", "value", "", "must", "aim", "reached", "gateway / control, and how"]
    lines = [head, ["---", "--:", *["---"] * 5], *map(cells, rows)]
    # Results of before it was written down are still good ones.
    took = f" The run took {result['seconds'] / 60:.0f} minutes." if "seconds" in result else ""
    return [
        f"## Figures of {machine['date']}\n",
        "".join(f"| {' | '.join(line)} |\n" for line in lines),
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Linux {machine['kernel']}; {said}.{took}\n",
    ]


def _instructions(baseline: dict[str, dict[str, int]]) -> str:
    counted = baseline["instructions"]
    rows = "".join(f"| {name} | {count:,} |\n" for name, count in counted.items())
    times = ", ".join(
        f"`{name}` is {times:.2f} times that" for name, times in translated(counted).items()
    )
    worst = max(hostile(counted).values())
    return (
        "## Instructions per request\n\n"
        "Of the worker's thread in user space; a name ends with the request body, or with the"
        f" frames of its stream.\n\n| | instructions |\n| --- | --: |\n{rows}\n"
        "The requests of an agent offer 40 tools and go to models that speak another API.\n"
        f"`{PARSED}` is no request: it is serde_json reading the same body into a `Value`.\n"
        f"{times}; over {TRANSLATED_MAX:.0f} fails `make test`.\n\n"
        "`tokens_…` is none either: it is the count of the tokens of a text of that many bytes. A"
        f" byte of hostile text costs {worst:.2f} times a byte of prose at most; over"
        f" {HOSTILE_MAX:.0f} fails.\n"
    )


def _savings(found: dict[str, Any]) -> str:
    rows = "".join(f"| {name} | {count:,} |\n" for name, count in found["chosen"].items())
    return (
        "## What a choice of model saves\n\n"
        f"A simulation (`make savings`) with the prices of the catalog of {found['catalog']}: the "
        f"{found['requests']:,} requests of Microsoft's Azure LLM inference traces of 2023 by "
        "their counts of tokens, a request above 2,000 of them being complex. Complex ones go to "
        "reasoning models with a window of at least 200,000 tokens, simple ones to any, both to the"
        f" cheapest general model of OpenAI, Anthropic and Google. That costs "
        f"{usd(found['routed_pico_usd'])} USD; everything with `{found['default']}`, the dearest of"
        f" OpenAI's, {usd(found['default_pico_usd'])} USD: {found['saving_percent']:.1f} % less. It"
        " says nothing of how good the answers are.\n\n"
        f"| class and model | requests |\n| --- | --: |\n{rows}"
    )


if __name__ == "__main__":
    sys.exit(pages.main(PAGE, page(), "bench.report"))
