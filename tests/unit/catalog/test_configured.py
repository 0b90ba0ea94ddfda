"""What a configuration says of models wins, field by field; the catalog is the one it leads to."""

from pathlib import Path
from typing import Any

import pytest

from llm_edge_agent.catalog import Capabilities, Price, Source, Tier, catalog_of, facts_for
from llm_edge_agent.catalog.document import Record, encode
from llm_edge_agent.compiler import compile_config
from llm_edge_agent.config import Config, load, load_tree
from llm_edge_agent.errors import ConfigError

SOURCES = {"s": Source(name="S", date="2026-01-01")}
RECORD = Record(
    model="gpt-x",
    context_window=1000,
    output_max=100,
    capabilities=Capabilities(tools=True, vision=True),
    price=Price(
        input=10,
        output=20,
        cached_input=1,
        tiers=(Tier(above_input_tokens=500, input=30, output=40, cached_input=3),),
    ),
    facts_from=("s",),
    price_from=("s",),
)
PROVIDERS = {
    "ours": {"type": "openai", "api_key": "k"},
    "local": {"type": "vllm", "base_url": "http://127.0.0.1:1"},
}


def written(path: Path, version: str = "2026-01-01") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode(version, SOURCES, {"openai": [RECORD]}))
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return written(tmp_path / "state" / "catalog.json").parent


def config(state: Path | None, **catalog: object) -> Config:
    tree: dict[str, Any] = {"providers": PROVIDERS, "catalog": catalog}
    if state is not None:
        tree["state_dir"] = str(state)
    return load_tree(tree, env={}).config


def test_without_a_word_the_catalog_holds(state: Path) -> None:
    found = facts_for(config(state), "ours", "gpt-x")
    assert found is not None
    assert (found.context_window, found.price) == (1000, RECORD.price)
    assert found.price_sources == (SOURCES["s"],)


def test_what_is_said_wins_and_the_rest_stays(state: Path) -> None:
    own = {"output_max": 50, "capabilities": {"vision": False, "audio": True}}
    found = facts_for(config(state, models={"ours/gpt-x": own}), "ours", "gpt-x")
    assert found is not None
    assert (found.context_window, found.output_max) == (1000, 50)
    assert found.capabilities == Capabilities(tools=True, vision=False, audio=True)
    assert [str(source) for source in found.capabilities_sources] == [
        "configuration",
        "S, 2026-01-01",
    ]
    assert found.price == RECORD.price
    assert found.price_sources == (SOURCES["s"],)


def test_a_price_that_is_said_holds_for_long_requests_too(state: Path) -> None:
    own = {"price": {"input": "0.000005"}}
    found = facts_for(config(state, models={"ours/gpt-x": own}), "ours", "gpt-x")
    assert found is not None
    assert found.price == Price(
        input=5,
        output=20,
        cached_input=1,
        tiers=(Tier(above_input_tokens=500, input=5, output=40, cached_input=3),),
    )
    assert [source.name for source in found.price_sources] == ["configuration", "S"]


def test_tiers_that_are_said_take_the_place_of_the_catalogs(state: Path) -> None:
    own = {"price": {"tiers": [{"above_input_tokens": 7, "output": 0.5}]}}
    found = facts_for(config(state, models={"ours/gpt-x": own}), "ours", "gpt-x")
    assert found is not None
    assert found.price is not None
    assert found.price.tiers == (
        Tier(above_input_tokens=7, input=10, output=500_000, cached_input=1),
    )


def test_a_model_that_no_catalog_has_is_what_is_said_of_it(state: Path) -> None:
    own = {"context_window": 4096, "price": {"input": 0.05}}
    found = facts_for(config(state, models={"local/m": own}), "local", "m")
    assert found is not None
    assert (found.provider, found.context_window) == ("local", 4096)
    assert found.price == Price(input=50_000)
    assert found.capabilities == Capabilities()


@pytest.mark.parametrize(("provider", "model"), [("ours", "gpt-y"), ("local", "gpt-x")])
def test_of_others_nothing_is_known(state: Path, provider: str, model: str) -> None:
    own = {"ours/gpt-x": {"price": {"input": 1}}}
    assert facts_for(config(state, models=own), provider, model) is None


def test_a_file_that_is_named_comes_before_the_one_that_is_kept(
    state: Path, tmp_path: Path
) -> None:
    named = written(tmp_path / "named.json", "2026-02-02")
    assert catalog_of(config(state, file=str(named))).version == "2026-02-02"
    assert catalog_of(config(state)).version == "2026-01-01"
    assert catalog_of(config(tmp_path / "empty")).version > "2026-02-02"


def test_a_file_that_is_replaced_is_read_anew(state: Path) -> None:
    assert catalog_of(config(state)).version == "2026-01-01"
    written(state / "new.json", "2026-03-03").replace(state / "catalog.json")
    assert catalog_of(config(state)).version == "2026-03-03"


def test_a_kept_file_that_is_broken_is_an_error_that_says_what_to_do(state: Path) -> None:
    kept = state / "catalog.json"
    kept.write_bytes(kept.read_bytes()[:-5])
    with pytest.raises(ConfigError) as caught:
        compile_config(config(state), pepper=b"x" * 32)
    assert str(caught.value).startswith(f"{kept}: is no catalog: ")
    assert "`llm-edge-agent models update`, or delete it" in str(caught.value)


def test_a_kept_file_that_cannot_be_read_is_an_error(state: Path) -> None:
    (state / "catalog.json").unlink()
    (state / "catalog.json").mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        compile_config(config(state), pepper=b"x" * 32)


def test_a_named_file_that_is_not_there_is_an_error_in_its_place(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        'providers: {p: {type: openai, api_key: "k"}}\ncatalog:\n  file: /nowhere/c.json\n'
    )
    loaded = load(file, env={})
    with pytest.raises(ConfigError) as caught:
        compile_config(loaded.config, pepper=b"x" * 32)
    assert str(loaded.locate(caught.value)) == (
        f"{file}:3: catalog.file: the file `/nowhere/c.json` cannot be read: No such file or"
        " directory. hint: name another one, or leave it out"
    )


def test_both_places_of_a_catalog_are_watched(tmp_path: Path) -> None:
    tree = {
        "providers": PROVIDERS,
        "state_dir": str(tmp_path),
        "catalog": {"file": str(tmp_path / "named.json")},
    }
    files = load_tree(tree, env={}).source.files
    assert {str(tmp_path / "named.json"), str(tmp_path / "catalog.json")} <= set(files)
