"""What it saves to send each request to the cheapest model of its class: a simulation.

usage: python -m bench.savings

The requests are those of the Azure LLM inference traces of 2023 (bench/data), 28,185 of them, by
their counts of tokens. A request is simple up to 2,000 tokens of context and output together, else
complex. A complex one goes to reasoning models with a window of at least 200,000 tokens only, a
simple one to any; both to the cheapest that it fits into. The other side of the comparison is
somebody who sends everything to OpenAI's dearest reasoning model for general use. Prices and
capabilities are the catalog's, at its date; nothing is said of how good the answers are, and
nothing of caches is reckoned with, on either side.

Prints a table and, last, one line of JSON; RESULT names a file to write that to as well.
"""

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import last_line
from bench.programs import ROOT
from bench.scenarios import Found
from bench.verdicts import FIGURES, Row
from llm_edge_agent.catalog import Catalog, ModelFacts, Price, embedded, usd

TRACES = ROOT / "bench" / "data" / "azure-llm-traces"
SIMPLE_TOKENS_MAX = 2_000
COMPLEX_WINDOW_MIN = 200_000
SAVING_PERCENT_MIN = FIGURES["savings"].must or 0.0

PROVIDERS = ("openai", "anthropic", "google")

NOT_GENERAL = {
    "openai": frozenset({"pro"}),
    "anthropic": frozenset[str](),
    "google": frozenset({"gemma"}),
    "": frozenset(
        {
            "alpha",
            "audio",
            "beta",
            "codex",
            "computer",
            "customtools",
            "cyber",
            "daybreak",
            "embedding",
            "exp",
            "image",
            "latest",
            "live",
            "omni",
            "preview",
            "realtime",
            "research",
            "robotics",
            "rosalind",
            "search",
            "spark",
            "transcribe",
            "translate",
            "tts",
        }
    ),
}
"""Words in a name of models that are no general chat models, or not generally available: of every
provider, and of one. Beside it such a model gives text and nothing else, takes tools, is not marked
as alpha, beta or deprecated, and has a known window and price."""


@dataclass(frozen=True, order=True)
class Request:
    """One request of the traces."""

    context: int
    generated: int

    @property
    def is_complex(self) -> bool:
        """Whether it is of the class that needs more of a model."""
        return self.context + self.generated > SIMPLE_TOKENS_MAX


@dataclass(frozen=True)
class Candidate:
    """A model that requests may go to."""

    name: str
    window: int
    output_max: int
    price: Price
    takes_complex: bool

    def takes(self, request: Request) -> bool:
        """Whether a request fits into it and is of no higher class."""
        if request.is_complex and not self.takes_complex:
            return False
        fits = request.context + request.generated <= self.window
        return fits and request.generated <= self.output_max

    def cost(self, request: Request) -> int:
        """What a request costs, pico-USD."""
        cost = self.price.cost(input_tokens=request.context, output_tokens=request.generated)
        if cost is None:
            message = f"{self.name}: no price for {request}"
            raise ValueError(message)
        return cost


def candidates(catalog: Catalog) -> list[Candidate]:
    """The general chat models of the providers."""
    return [
        Candidate(
            name=f"{facts.provider}/{facts.model}",
            window=facts.context_window,
            output_max=facts.output_max,
            price=facts.price,
            takes_complex=bool(facts.capabilities.reasoning)
            and facts.context_window >= COMPLEX_WINDOW_MIN,
        )
        for facts in catalog
        if is_general(facts) and facts.price and facts.context_window and facts.output_max
    ]


def is_general(facts: ModelFacts) -> bool:
    """Whether a model is for general chat, and generally available."""
    if facts.provider not in PROVIDERS or facts.status is not None or facts.outputs != ("text",):
        return False
    price = facts.price
    if price is None or price.input is None or price.output is None or not facts.capabilities.tools:
        return False
    words = set(facts.model.lower().replace(".", "-").replace("/", "-").split("-"))
    return not words & (NOT_GENERAL[""] | NOT_GENERAL[facts.provider])


def requests(folder: Path = TRACES) -> Iterator[Request]:
    """Those of all traces."""
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                yield Request(int(row["ContextTokens"]), int(row["GeneratedTokens"]))


def simulate(models: list[Candidate], wanted: Iterable[Request]) -> dict[str, Any]:
    """Spend with and without a choice of model, in pico-USD, and who got how much."""
    counted = Counter(wanted)
    defaults = [model for model in models if model.name.startswith("openai/")]
    dearest = max(
        (model for model in defaults if model.takes_complex and all(map(model.takes, counted))),
        key=lambda model: (spend(model, counted), model.name),
    )
    chosen: Counter[str] = Counter()
    routed = 0
    for request, count in counted.items():
        fitting = [model for model in models if model.takes(request)]
        cheapest = min(fitting, key=lambda model: (model.cost(request), model.name))
        if request.is_complex and not cheapest.takes_complex:
            message = f"{request} is complex, and {cheapest.name} is not for such"
            raise AssertionError(message)
        chosen[f"{'complex' if request.is_complex else 'simple'} → {cheapest.name}"] += count
        routed += count * cheapest.cost(request)
    return {
        "requests": counted.total(),
        "complex": sum(count for request, count in counted.items() if request.is_complex),
        "candidates": sorted(model.name for model in models),
        "default": dearest.name,
        "default_pico_usd": spend(dearest, counted),
        "routed_pico_usd": routed,
        "chosen": dict(sorted(chosen.items())),
    }


def spend(model: Candidate, counted: Counter[Request]) -> int:
    """What it costs to send everything to one model, pico-USD."""
    return sum(count * model.cost(request) for request, count in counted.items())


def saving_percent(found: dict[str, Any]) -> float:
    """How much less is spent, percent."""
    saved = found["default_pico_usd"] - found["routed_pico_usd"]
    return float(100 * saved / found["default_pico_usd"])


def measure() -> dict[str, Any]:
    """The simulation with the embedded catalog."""
    catalog = embedded()
    found = simulate(candidates(catalog), requests())
    return {"catalog": catalog.version, **found, "saving_percent": saving_percent(found)}


def on_traces() -> Found:
    """The row of a whole run."""
    found = measure()
    note = (
        f"{usd(found['routed_pico_usd'])} for {usd(found['default_pico_usd'])} USD with "
        f"{found['default']}, catalog of {found['catalog']}"
    )
    return Found([Row("savings", found["saving_percent"], note)], {"savings": found})


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The result for people."""
    simple = found["requests"] - found["complex"]
    yield f"catalog of {found['catalog']}, {len(found['candidates'])} models to choose from"
    yield f"{found['requests']:,} requests: {simple:,} simple, {found['complex']:,} complex"
    yield f"everything to {found['default']}: {usd(found['default_pico_usd'])} USD"
    yield f"each to the cheapest of its class: {usd(found['routed_pico_usd'])} USD"
    for name, count in found["chosen"].items():
        yield f"  {count:>7,}  {name}"
    yield f"saved: {found['saving_percent']:.1f} %, at least {SAVING_PERCENT_MIN:g} % wanted"


def main() -> int:
    """Simulate; returns the exit code: 0 when enough is saved."""
    found = measure()
    print("\n".join(lines(found)))
    last_line.say(found)
    return int(found["saving_percent"] < SAVING_PERCENT_MIN)


if __name__ == "__main__":
    sys.exit(main())
