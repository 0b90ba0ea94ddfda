"""`models show`, `price` and `update`: what they print, and the code they exit with."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from llm_edge_agent.catalog import Catalog, Price, embedded
from llm_edge_agent.catalog.document import Record, encode
from llm_edge_agent.cli import main

CONFIG = """\
state_dir: state
providers:
  openai: {type: openai, api_key: "sk-very-secret"}
  anthropic: {type: anthropic, api_key: "sk-very-secret"}
  local: {type: vllm, base_url: "http://127.0.0.1:1"}
routes:
  chat:
    models: [chat, "team/*"]
    targets: [{provider: openai, model: gpt-4o}, {provider: local, model: m}]
  any:
    models: ["any/*"]
    targets: [{provider: openai, model: "*"}]
catalog:
  models:
    local/m: {price: {input: 0.05, output: "0.1"}, capabilities: {tools: true}}
"""
KEPT = Path("state/catalog.json")


@pytest.fixture(autouse=True)
def _files(home: Path) -> None:
    (home / "llm-edge.yaml").write_text(CONFIG)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


def with_price(input_price: int, version: str = "2099-01-01") -> Path:
    """The embedded catalog, with another price of one model."""
    models: dict[str, list[Record]] = {}
    for facts in embedded():
        price = facts.price
        if (facts.provider, facts.model) == ("openai", "gpt-4o"):
            price = Price(input=input_price)
        models.setdefault(facts.provider, []).append(Record(model=facts.model, price=price))
    path = Path("new.json")
    path.write_bytes(encode(version, {}, models))
    return path


def test_alone_and_with_list_it_lists() -> None:
    alone, listed = run(), run("list")
    assert alone.exit_code == listed.exit_code == 0
    assert alone.stdout == listed.stdout
    assert "team/*" in alone.stdout
    assert run("--json").stdout == run("list", "--json").stdout
    assert [model["id"] for model in msgspec.json.decode(run("--json").stdout)] == ["chat"]


def test_options_before_the_verb_hold_for_it() -> None:
    Path("llm-edge.yaml").rename("other.yaml")
    before = run("--config", "other.yaml", "--json", "price", "openai/gpt-4o")
    behind = run("price", "openai/gpt-4o", "--config", "other.yaml", "--json")
    assert before.exit_code == 0, before.output
    assert before.stdout == behind.stdout
    assert msgspec.json.decode(before.stdout)[0]["target"] == "openai/gpt-4o"


def test_a_route_shows_each_of_its_targets_with_who_says_so() -> None:
    shown = run("show", "chat").stdout
    assert f"catalog of {embedded().version}" in shown
    first, second = shown.split("\nlocal/m\n")
    assert "context window  128,000 tokens" in first
    assert "2.5 USD per million tokens" in first
    assert "so says       genai-prices 0.2.3, 2026-11-10" in first
    assert "so says       models.dev" in first
    assert "context window  not known" in second
    assert "0.05 USD per million tokens" in second
    assert second.count("so says       configuration") == 2


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("team/x", ["openai/gpt-4o", "local/m"]),
        ("any/gpt-4o", ["openai/gpt-4o"]),
        ("anthropic/claude-opus-4-5", ["anthropic/claude-opus-4-5"]),
        ("gpt-4o", ["openai/gpt-4o", "anthropic/gpt-4o", "local/gpt-4o"]),
    ],
)
def test_a_name_leads_where_it_leads_callers(name: str, targets: list[str]) -> None:
    shown = msgspec.json.decode(run("show", name, "--json").stdout)
    assert [row["target"] for row in shown["models"]] == targets


def test_what_is_not_known_is_null_and_said() -> None:
    (row,) = msgspec.json.decode(run("show", "local/other", "--json").stdout)["models"]
    assert row == {"target": "local/other", "facts": None}
    assert "not in the catalog" in run("show", "local/other").stdout
    (row,) = msgspec.json.decode(run("show", "local/m", "--json").stdout)["models"]
    assert row["facts"]["price_pico_usd_per_token"]["input"] == 50_000
    assert row["facts"]["price_pico_usd_per_token"]["cached_input"] is None
    assert row["facts"]["capabilities"]["vision"] is None


@pytest.mark.parametrize("verb", ["show", "price"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("zz/x", "`zz/x` leads nowhere. hint: providers here: `openai`, `anthropic`, `local`"),
        ("opnai/gpt-4o", "`opnai/gpt-4o` leads nowhere. hint: did you mean `openai/gpt-4o`?"),
        ("chatt", "no route has the name `chatt`, and the catalog has nothing as `openai/chatt`"),
    ],
)
def test_a_name_that_nobody_knows_is_a_failure(verb: str, name: str, says: str) -> None:
    result = run(verb, name)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {says}")


def test_the_nearest_of_a_route_or_of_the_catalog_are_told() -> None:
    assert "hint: did you mean `chat`" in run("show", "chatt").stderr
    assert "hint: did you mean `claude-sonnet-4-5`" in run("price", "claude-sonet-4-5").stderr
    # A provider may have what the catalog has not: a note, and no failure.
    result = run("price", "openai/gpt-4oo")
    assert result.exit_code == 0
    assert result.stderr.startswith(
        "note: `openai/gpt-4oo` is not in the catalog; did you mean `openai/gpt-4o`"
    )


def test_prices_are_said_per_million() -> None:
    (row,) = msgspec.json.decode(run("price", "openai/gpt-4o", "--json").stdout)
    assert row["usd_per_million"]["input"] == "2.5"
    assert row["usd_per_million"]["output"] == "10"
    assert "request_usd" not in row
    assert "not known" in run("price", "local/other").stdout


def test_what_a_request_costs_is_exact() -> None:
    counts = ("--input", "1000", "--cached", "1", "--output", "3")
    (row,) = msgspec.json.decode(run("price", "openai/gpt-4o", *counts, "--json").stdout)
    # 999 at 2.5, one at 1.25 and three at 10 micro-USD.
    assert row["request_usd"] == "0.00252875"
    assert "0.00252875 USD" in run("price", "openai/gpt-4o", *counts).stdout
    (row,) = msgspec.json.decode(run("price", "local/m", *counts, "--json").stdout)
    # The gateway counts what the cache had as other input, too, where that has no price of its own.
    assert row["request_usd"] == "0.0000503"


def test_more_from_the_cache_than_there_is_is_wrong_usage() -> None:
    result = run("price", "openai/gpt-4o", "--input", "1", "--cached", "2")
    assert result.exit_code == 2
    assert "--cached" in result.stderr


def test_a_newer_catalog_is_taken_and_used() -> None:
    taken = run("update", "--from", str(with_price(3_000_000)))
    assert taken.exit_code == 0, taken.output
    assert taken.stdout.startswith("the catalog of 2099-01-01, ")
    assert "catalog of 2099-01-01" in run("show", "chat").stdout
    (row,) = msgspec.json.decode(run("price", "openai/gpt-4o", "--json").stdout)
    assert row["usd_per_million"] == {"input": "3"}
    assert run("update", "--from", str(with_price(3_100_000, "2099-01-02"))).exit_code == 0
    assert Catalog.parse(KEPT.with_name("catalog.json.previous").read_bytes()).version == (
        "2099-01-01"
    )


def test_a_check_changes_nothing() -> None:
    assert run("update", "--check", "--from", str(with_price(3_000_000))).exit_code == 0
    assert not KEPT.exists()


@pytest.mark.parametrize(
    ("input_price", "version", "says"),
    [
        (
            25_000_000,
            "2099-01-01",
            "`openai/gpt-4o`: `input` was 2.5 and would be 25 USD per million tokens",
        ),
        (2_500_000, "2020-01-01", "it is of 2020-01-01, and the one in use of "),
    ],
)
def test_one_that_is_doubted_is_taken_by_force_only(
    input_price: int, version: str, says: str
) -> None:
    path = str(with_price(input_price, version))
    for arguments in ([], ["--check"]):
        refused = run("update", "--from", path, *arguments)
        assert refused.exit_code == 1
        assert says in refused.stderr
        assert "--force" in refused.stderr
        assert not KEPT.exists()
    forced = run("update", "--from", path, "--force")
    assert forced.exit_code == 0
    assert f"warning: {says}" in forced.stderr
    assert Catalog.parse(KEPT.read_bytes()).version == version


@pytest.mark.parametrize("wrong", ["dearer", "older", "half of it", "broken"])
def test_what_is_refused_leaves_the_kept_one_as_it_is(wrong: str) -> None:
    assert run("update", "--from", str(with_price(3_000_000))).exit_code == 0
    kept = KEPT.read_bytes()
    match wrong:
        case "dearer":
            path = with_price(30_000_000, "2099-01-02")
        case "older":
            path = with_price(3_000_000, "2098-01-01")
        case "half of it":
            path = with_price(3_000_000, "2099-01-02")
            document = msgspec.json.decode(path.read_bytes())
            for name, models in document["models"].items():
                document["models"][name] = models[: len(models) // 2]
            path.write_bytes(msgspec.json.encode(document))
        case _:
            path = Path("broken.json")
            path.write_bytes(kept[:-9])
    refused = run("update", "--from", str(path))
    assert refused.exit_code == 1, refused.output
    assert KEPT.read_bytes() == kept
    assert "catalog of 2099-01-01" in run("show", "chat").stdout


def test_what_is_no_catalog_is_not_taken() -> None:
    Path("bad.json").write_text('{"format":2}')
    result = run("update", "--from", "bad.json", "--force")
    assert result.exit_code == 1
    assert result.stderr == "error: `bad.json` has the format 2; this program knows 1\n"
    assert not KEPT.exists()


def test_another_hash_is_not_taken() -> None:
    result = run("update", "--from", str(with_price(2_500_000)), "--sha256", "0" * 64)
    assert result.exit_code == 1
    assert "the SHA-256 is" in result.stderr
    assert not KEPT.exists()


def test_a_broken_catalog_stops_check_and_is_mended_by_update() -> None:
    KEPT.parent.mkdir()
    KEPT.write_text("{")
    for verb in (["check"], ["models", "show", "chat"]):
        result = CliRunner().invoke(main, verb)
        assert result.exit_code == 78
        assert "state/catalog.json: is no catalog: " in result.stderr
        assert "or delete it" in result.stderr
    mended = run("update", "--from", str(with_price(2_500_000)))
    assert mended.exit_code == 0
    assert "warning: state/catalog.json: is no catalog" in mended.stderr
    assert CliRunner().invoke(main, ["check"]).exit_code == 0


def test_a_configured_file_is_said_to_come_first() -> None:
    path = with_price(2_500_000)
    Path("llm-edge.yaml").write_text(CONFIG.replace("catalog:\n", f"catalog:\n  file: {path}\n"))
    result = run("update", "--from", str(path))
    assert result.exit_code == 0
    assert "`catalog.file` names `new.json`, which is used in its place" in result.stderr


def test_secrets_need_not_be_at_hand_for_an_update() -> None:
    Path("llm-edge.yaml").write_text(CONFIG.replace("sk-very-secret", "${NOT_SET_HERE}"))
    assert run("update", "--from", str(with_price(2_500_000))).exit_code == 0
