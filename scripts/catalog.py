"""Build the catalog of models that comes with the program, from releases pinned in catalog.toml.

usage: python -m scripts.catalog [--check] [--wheels FOLDER]

pip fetches the releases, by name, version and hash, unless FOLDER holds them already. Prices come
from genai-prices, everything else from models.dev. Nothing of what is fetched is run: modules are
read as the literals that they are. The same pins give the same bytes; `--check` compares them with
the file that is there.
"""

import argparse
import ast
import hashlib
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from llm_edge_agent.catalog.document import Record, check, decode, encode
from llm_edge_agent.catalog.facts import Capabilities, Source
from llm_edge_agent.catalog.price import Price, Tier
from llm_edge_agent.config.usd import pico_usd_per_token
from llm_edge_agent.engine import model_spellings

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "scripts" / "catalog.toml"
CATALOG = ROOT / "python" / "llm_edge_agent" / "catalog" / "data" / "catalog.json"

RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
BATCH = {"batch_input": "input_mtok", "batch_output": "output_mtok"}

Node = dict[str, Any]
"""A literal of genai-prices: its class as `_`, its members by name."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What models.dev says of one model."""

    record: Record
    sources: tuple[str, ...]


def releases(pins: Node) -> list[Node]:
    """Every release that is pinned."""
    return [pins["prices"], pins["everything"], *pins["profiles"]]


def fetch(pins: Node, folder: Path) -> None:
    """Have pip put the wheels into `folder`; it refuses one with another hash."""
    lines = [f"{p['name']}=={p['version']} --hash=sha256:{p['sha256']}" for p in releases(pins)]
    wanted = folder / "requirements.txt"
    wanted.write_text("\n".join(lines) + "\n")
    # They are read, not run: whichever Python they ask for.
    options = ["--no-deps", "--only-binary=:all:", "--python-version=3.14", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options]
    subprocess.run([*command, "--dest", str(folder), "--requirement", str(wanted)], check=True)


def content(pin: Node, folder: Path, name: str | None = None) -> bytes:
    """A file of a pinned release."""
    for wheel in folder.glob(f"{pin['name'].replace('-', '_')}-{pin['version']}-*.whl"):
        if hashlib.sha256(wheel.read_bytes()).hexdigest() == pin["sha256"]:
            with zipfile.ZipFile(wheel) as archive:
                return archive.read(name or pin["file"])
    message = f"{folder}: no {pin['name']} {pin['version']} with the hash that is pinned"
    raise SystemExit(message)


def literal(node: ast.expr) -> Any:  # noqa: ANN401 -- whatever the literal is
    """The value that an expression of literals and constructors spells."""
    match node:
        case ast.Constant():
            return node.value
        case ast.List() | ast.Tuple():
            return [literal(item) for item in node.elts]
        case ast.Dict():
            keys = [literal(key) for key in node.keys if key is not None]
            return dict(zip(keys, map(literal, node.values), strict=True))
        case ast.Attribute(attr="UTC"):
            return UTC
        case ast.Call():
            return made(node)
    raise _not_literal(node)


def made(node: ast.Call) -> Any:  # noqa: ANN401 -- whatever is constructed
    """What a constructor makes: a number, a day, a time, or a node of its members."""
    members: Node = {word.arg or "": literal(word.value) for word in node.keywords}
    match node.func:
        case ast.Name(id="Decimal"):
            return Decimal(literal(node.args[0]))
        case ast.Attribute(attr="date"):
            return date(*map(literal, node.args))
        case ast.Attribute(attr="time"):
            return time(*map(literal, node.args), **members)
        case ast.Name(id=name) if not node.args:
            return {"_": name} | members
    raise _not_literal(node)


def _not_literal(node: ast.expr) -> SystemExit:
    return SystemExit(f"line {node.lineno}: not a literal: {ast.unparse(node)[:80]}")


def priced(source: bytes) -> dict[str, Node]:
    """Provider → what genai-prices says of it."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            return {provider["id"]: provider for provider in literal(statement.value)}
    raise SystemExit("genai-prices: its list of providers is not where it was")


def holds(constraint: Node | None, moment: datetime) -> bool:
    """Whether a condition of genai-prices is met, by its own rules."""
    if constraint is None:
        return True
    if constraint["_"] == "StartDateConstraint":
        started: bool = moment.date() >= constraint["start_date"]
        return started
    start, end, now = constraint["start_time"], constraint["end_time"], moment.timetz()
    if end < start:
        return bool(now >= start or now < end)
    return bool(start <= now < end)


def price_of(model: Node, moment: datetime) -> Price | None:
    """What a model's tokens cost at a moment; None where it has no price for tokens."""
    prices = model["prices"]
    if isinstance(prices, list):
        # The last that holds; where none does, the first.
        in_force = [p for p in prices if holds(p.get("constraint"), moment)] or prices[:1]
        prices = in_force[-1]["prices"]
    batch: Node = {}
    for variant in model.get("price_variants") or ():
        if variant["when"] == {"processing": "batch"} and holds(variant.get("constraint"), moment):
            batch = variant["prices"] | batch
    words = {ours: prices.get(theirs) for ours, theirs in RATES.items()}
    words |= {ours: batch.get(theirs) for ours, theirs in BATCH.items()}
    if words["input"] is None and words["output"] is None:
        return None
    bounds = {tier["start"] for word in words.values() for tier in tiers_of(word)}
    tiers = tuple(
        Tier(above_input_tokens=bound, **{name: rate(word, bound) for name, word in words.items()})
        for bound in sorted(bounds)
    )
    return Price(**{name: rate(word, 0) for name, word in words.items()}, tiers=tiers)


def tiers_of(word: Decimal | Node | None) -> list[Node]:
    """The steps of a price."""
    return word["tiers"] if isinstance(word, dict) else []


def rate(word: Decimal | Node | None, bound: int) -> int | None:
    """The rate that holds above `bound` input tokens."""
    if word is None:
        return None
    if not isinstance(word, dict):
        return pico(word)
    found = word["base"]
    for tier in sorted(word["tiers"], key=lambda tier: int(tier["start"])):
        if bound and bound >= tier["start"]:
            found = tier["price"]
    return pico(found)


def pico(price: Decimal) -> int:
    """The price to the nearest pico-USD: OpenRouter's hold a third, and what floats leave."""
    return pico_usd_per_token(price.quantize(Decimal("0.000001")))


def aliases_of(model: Node) -> list[str]:
    """The names that the rules of genai-prices give a model.

    Of those that they only begin, the beginning and its `-latest`: the rest would be guesses.
    """
    names = []
    for clause in clauses(model["match"]):
        words = ("equals", "starts_with", "ends_with", "contains")
        name = next((clause[word] for word in words if word in clause), "")
        name = name.rstrip("-@:._/").lower()
        names.append(name)
        # Behind a version that goes without saying.
        if name and "equals" not in clause and not any(map(str.isdigit, name)):
            names.append(f"{name}-latest")
    return [name for name in dict.fromkeys(names) if name and name != model["id"].lower()]


def clauses(match: Node) -> Iterator[Node]:
    """The single clauses of which any will do."""
    if match["_"] == "ClauseOr":
        for inner in match["or_"]:
            yield from clauses(inner)
    else:
        yield match


def everything(pins: Node, folder: Path) -> dict[str, dict[str, Facts]]:
    """Provider of the catalog → model → what models.dev said of it on one day."""
    pin = pins["everything"]
    found: dict[str, dict[str, Facts]] = {}
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
        file.write(content(pin, folder))
        file.flush()
        with closing(sqlite3.connect(file.name)) as base:
            base.row_factory = sqlite3.Row
            for provider, names in pins["providers"].items():
                models = found.setdefault(provider, {})
                for theirs in names["facts"]:
                    for row in base.execute(
                        "SELECT * FROM models WHERE provider_id = ? ORDER BY id", (theirs,)
                    ):
                        models[row["id"]] = row_facts(base, row, pin["key"])
    return found


def row_facts(base: sqlite3.Connection, row: sqlite3.Row, key: str) -> Facts:
    """What a row of the data base says."""
    kinds: dict[str, list[str]] = {"input": [], "output": []}
    for direction, value in base.execute(
        "SELECT direction, value FROM model_modalities WHERE model_full_id = ? ORDER BY position",
        (row["full_id"],),
    ):
        kinds[direction].append(value)
    record = Record(
        model=row["id"],
        context_window=row["limit_context"] or None,
        output_max=row["limit_output"] or None,
        capabilities=Capabilities(
            tools=bool(row["tool_call"]),
            vision="image" in kinds["input"],
            json_schema=switch(row["structured_output"]),
            reasoning=bool(row["reasoning"]),
            audio="audio" in kinds["input"],
        ),
        status=row["status"],
        outputs=tuple(kinds["output"]),
    )
    return Facts(record=record, sources=(key,))


def switch(value: int | None) -> bool | None:
    """A switch of SQLite."""
    return None if value is None else bool(value)


def lay_over(found: dict[str, dict[str, Facts]], pin: Node, folder: Path) -> None:
    """Replace what was said of a provider's models by what LangChain's package says of them."""
    augmented = tomllib.loads(
        content(
            pin, folder, pin["file"].replace("_profiles.py", "profile_augmentations.toml")
        ).decode()
    ).get("overrides", {})
    models = found[pin["provider"]]
    for name, profile in profiles(content(pin, folder, pin["file"])):
        if "text_outputs" not in profile:
            continue  # LangChain's own addition, not models.dev's
        older = models.get(name)
        context, sources = profile.get("max_input_tokens") or None, (pin["key"],)
        if "max_input_tokens" in {**augmented.get(name, {}), **top_level(augmented)}:
            # LangChain's bound on the input, not the window.
            context = older.record.context_window if older else None
            sources += older.sources if older else ()
        models[name] = Facts(record=profile_record(name, profile, context), sources=sources)


def top_level(augmented: Node) -> Node:
    """What is said for every model of a package."""
    return {name: value for name, value in augmented.items() if not isinstance(value, dict)}


def profiles(source: bytes) -> Iterator[tuple[str, Node]]:
    """Model → profile."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield from literal(statement.value).items()
            return
    raise SystemExit("LangChain: its profiles are not where they were")


def profile_record(name: str, profile: Node, context: int | None) -> Record:
    """What a profile says."""
    kinds = ("text", "image", "audio", "video")
    return Record(
        model=name,
        context_window=context,
        output_max=profile.get("max_output_tokens") or None,
        capabilities=Capabilities(
            tools=profile.get("tool_calling"),
            vision=profile.get("image_inputs"),
            json_schema=profile.get("structured_output"),
            reasoning=profile.get("reasoning_output"),
            audio=profile.get("audio_inputs"),
        ),
        released=profile.get("release_date"),
        status=profile.get("status"),
        outputs=tuple(kind for kind in kinds if profile.get(f"{kind}_outputs")),
    )


def merged(models: list[Node], facts: dict[str, Facts], pins: Node) -> list[Record]:
    """The records of one provider: each name that either side has."""
    moment = datetime.combine(date.fromisoformat(pins["date"]), time(12), UTC)
    by_id = {model["id"].lower(): model for model in models}
    by_name = dict(by_id)
    for model in models:
        for alias in aliases_of(model):
            by_name.setdefault(alias, model)
    known = {name.lower(): said for name, said in facts.items()}
    records = []
    for name in sorted({*known, *by_id}):
        own = by_id.get(name)
        model = own or first(by_name, model_spellings(name))
        aliases = [a for a in aliases_of(own) if a not in by_id] if own else []
        said = known.get(name) or first(
            known, [s for n in (name, *aliases) for s in model_spellings(n)]
        )
        record = said.record if said else Record(model="")
        deprecated = "deprecated" if model and model.get("deprecated") else None
        price = price_of(model, moment) if model else None
        sources = said.sources if said else ()
        context = record.context_window
        if context is None and model and model.get("context_window"):
            context = model["context_window"]
            sources += (pins["prices"]["key"],)
        records.append(
            msgspec.structs.replace(
                record,
                model=known[name].record.model if name in known else by_id[name]["id"],
                aliases=tuple(sorted(set(aliases) - known.keys())),
                context_window=context,
                status=deprecated or record.status,
                price=price,
                facts_from=sources,
                price_from=(pins["prices"]["key"],) if price is not None else (),
            )
        )
    return records


def first(found: dict[str, Any], names: Iterable[str]) -> Any:  # noqa: ANN401 -- of either side
    """What stands under the first of the names that is there."""
    return next((found[name] for name in names if name in found), None)


def build(pins: Node, folder: Path) -> bytes:
    """The bytes of the catalog."""
    prices = priced(content(pins["prices"], folder))
    facts = everything(pins, folder)
    for pin in sorted(pins["profiles"], key=lambda pin: str(pin["date"])):
        lay_over(facts, pin, folder)
    records = {}
    for provider, names in pins["providers"].items():
        models = prices[names["prices"]]["models"] if "prices" in names else []
        records[provider] = merged(models, facts[provider], pins)
    sources = {
        pin["key"]: Source(name=f"{pin['title']} {pin['version']}", date=pin["date"])
        for pin in releases(pins)
    }
    data = encode(pins["date"], sources, records)
    check(decode(data))
    return data


def main() -> int:
    """Write the catalog, or compare it; 1 if it is another one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; compare")
    parser.add_argument("--wheels", type=Path, help="folder that holds the releases already")
    options = parser.parse_args()
    pins = tomllib.loads(PINS.read_text())
    with tempfile.TemporaryDirectory() as made:
        folder = options.wheels or Path(made)
        if options.wheels is None:
            fetch(pins, folder)
        data = build(pins, folder)
    if options.check:
        if CATALOG.read_bytes() == data:
            return 0
        print(f"{CATALOG.relative_to(ROOT)} is stale: python -m scripts.catalog", file=sys.stderr)
        return 1
    CATALOG.write_bytes(data)
    models = data.count(b'{"model":')
    print(f"wrote {CATALOG.relative_to(ROOT)}: {models} models, {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
