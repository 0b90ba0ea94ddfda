"""The catalog that comes with the program: what it says, and that it is what its pins make."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from llm_edge_agent.catalog import Catalog, ModelFacts, embedded
from llm_edge_agent.catalog.document import Record, decode, encode, records
from llm_edge_agent.providers import SPECS

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "python" / "llm_edge_agent" / "catalog" / "data"
FILE = DATA / "catalog.json"
PINS = tomllib.loads((ROOT / "scripts" / "catalog.toml").read_text())
OWN = {"ollama", "vllm", "openai_compatible", "mock"}


def facts(kind: str, model: str) -> ModelFacts:
    found = embedded().find(SPECS[kind].catalog, model)
    assert found is not None, f"{kind}: {model}"
    return found


def test_every_record_can_be_used() -> None:
    assert sum(1 for _ in Catalog.parse(FILE.read_bytes())) > 1500


def test_it_is_as_its_writer_writes_it() -> None:
    document = decode(FILE.read_bytes())
    models: dict[str, list[Record]] = {
        name: list(records(document, name)) for name in document.models
    }
    assert encode(document.version, document.sources, models) == FILE.read_bytes()


def test_it_was_made_from_what_is_pinned() -> None:
    document = decode(FILE.read_bytes())
    pins = [PINS["prices"], PINS["everything"], *PINS["profiles"]]
    assert document.version == PINS["date"]
    assert {key: (source.name, source.date) for key, source in document.sources.items()} == {
        pin["key"]: (f"{pin['title']} {pin['version']}", pin["date"]) for pin in pins
    }
    assert sorted(document.models) == sorted(PINS["providers"])
    assert all(len(pin["sha256"]) == 64 and pin["date"] <= PINS["date"] for pin in pins)


def test_every_kind_of_provider_is_looked_up_where_there_is_something() -> None:
    providers = set(decode(FILE.read_bytes()).models)
    for kind, spec in SPECS.items():
        assert set(spec.catalog) <= providers, kind
        assert bool(spec.catalog) is (kind not in OWN), kind


def test_who_says_something_is_named_with_the_day() -> None:
    for found in embedded():
        name = f"{found.provider}/{found.model}"
        said = found.capabilities.tools is not None or found.context_window is not None
        assert bool(found.capabilities_sources) or not said, name
        assert bool(found.price_sources) is (found.price is not None), name
        assert all(source.date for source in (*found.capabilities_sources, *found.price_sources))


@pytest.mark.parametrize(
    ("kind", "model", "context_window", "rates"),
    [
        # As the providers publish them: USD per million tokens, times a million.
        ("openai", "gpt-4o", 128_000, (2_500_000, 10_000_000, 1_250_000)),
        ("openai", "gpt-5-2025-08-07", 400_000, (1_250_000, 10_000_000, 125_000)),
        ("azure_openai", "gpt-4.1-mini", 1_047_576, (400_000, 1_600_000, 100_000)),
        ("anthropic", "claude-sonnet-4-5-20250929", None, (3_000_000, 15_000_000, 300_000)),
        ("gemini", "gemini-2.5-pro", 1_048_576, (1_250_000, 10_000_000, 125_000)),
        ("vertex", "gemini-2.5-flash", 1_048_576, (300_000, 2_500_000, 30_000)),
        ("vertex_anthropic", "claude-opus-4-5@20251101", 200_000, (5_000_000, 25_000_000, 500_000)),
        ("bedrock", "amazon.nova-pro-v1:0", 300_000, (800_000, 3_200_000, 200_000)),
        # A region of one's own costs a tenth more there.
        (
            "bedrock",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            200_000,
            (1_100_000, 5_500_000, 110_000),
        ),
    ],
)
def test_known_models_have_their_published_prices(
    kind: str, model: str, context_window: int | None, rates: tuple[int, int, int]
) -> None:
    found = facts(kind, model)
    assert found.price is not None
    assert (found.price.input, found.price.output, found.price.cached_input) == rates
    assert context_window in {None, found.context_window}


def test_long_prompts_of_gemini_have_their_own_price() -> None:
    price = facts("gemini", "gemini-2.5-pro").price
    assert price is not None
    assert price.rates(200_000).input == 1_250_000
    assert price.rates(200_001).input == 2_500_000


def test_capabilities_are_known() -> None:
    found = facts("openai", "gpt-5").capabilities
    assert (found.tools, found.vision, found.json_schema, found.reasoning) == (True,) * 4
    assert facts("openai", "gpt-4o").capabilities.reasoning is False


def test_a_model_that_nobody_has_heard_of_is_unknown() -> None:
    for spec in SPECS.values():
        assert embedded().find(spec.catalog, "gpt-99-turbo-ultra") is None


def test_it_is_small_and_quick() -> None:
    script = (
        "import time\n"
        "from llm_edge_agent.catalog import embedded\n"
        "start = time.process_time()\n"
        "embedded().find(['openai'], 'gpt-5')\n"
        "print(time.process_time() - start)\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
        for _ in range(3)
    ]
    assert min(map(float, runs)) < 0.020
    assert FILE.stat().st_size < 1024 * 1024


def test_nothing_is_read_before_it_is_asked_for() -> None:
    script = (
        "import llm_edge_agent.compiler\n"
        "from llm_edge_agent.catalog import embedded\n"
        "print(embedded.cache_info().currsize)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"0\n"


def test_the_notices_of_those_it_is_from_lie_beside_it() -> None:
    for name in ("LICENSE.genai-prices", "LICENSE.models.dev"):
        assert "Permission is hereby granted" in (DATA / name).read_text()
