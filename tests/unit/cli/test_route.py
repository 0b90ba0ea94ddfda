"""`llm-edge-agent route explain`: the decision of a gateway that does not run."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from llm_edge_agent.cli import main

CONFIG = """\
version: 1
keys:
- {name: app, key: sk-edge-app-0123456789}
- {name: night, key: sk-edge-night-0123456789}
providers:
  openai: {type: openai, api_key: sk-x}
  anthropic: {type: anthropic, api_key: sk-x}
  local: {type: openai_compatible, base_url: "http://127.0.0.1:9/v1"}
routes:
  chat:
    models: [chat]
    strategy: cost
    targets:
    - {provider: anthropic, model: claude-sonnet-4-5}
    - {provider: openai, model: gpt-4o-mini}
    fallbacks: [spare]
    rules:
    - {when: {headers: {x-tenant: [gold]}}, route: best}
    - {when: {keys: [night], hours: {from: "22:00", to: "06:00"}}, route: spare}
    - {when: {input_tokens: {min: 5000}}, route: best}
  best: {models: [best], targets: [{provider: anthropic, model: claude-sonnet-4-5}]}
  spare: {models: [spare], targets: [{provider: local, model: m}]}
"""
NOON, MIDNIGHT = 43_200, 86_400
BODY = b'{"model":"chat","messages":[{"role":"user","content":"Hi"}]}'


@pytest.fixture(autouse=True)
def _files(home: Path) -> None:
    (home / "llm-edge.yaml").write_text(CONFIG)
    (home / "ask.json").write_bytes(BODY)


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["route", "explain", *arguments], input=stdin)


def explained(*arguments: str, stdin: bytes | None = None) -> dict[str, Any]:
    result = run("--json", *arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout, type=dict[str, Any])


def order(explanation: dict[str, Any]) -> list[str]:
    """The targets as they are asked."""
    rows = [row for table in explanation["routes"] for row in table["targets"] if row["asked"]]
    return [row["target"] for row in sorted(rows, key=lambda row: row["asked"])]


CHEAPEST_FIRST = ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "local/m"]


def test_the_cheapest_comes_first_and_the_fallback_last() -> None:
    said = explained("--model", "chat", "--at", str(NOON))
    assert (order(said), said["redirect"]) == (CHEAPEST_FIRST, None)
    first, _ = said["routes"][0]["targets"]
    assert first["cost_nano_usd"] > 0
    assert said["routes"][1]["targets"][0]["cost_nano_usd"] is None


def test_the_table_is_for_people() -> None:
    result = run("--model", "chat", "--at", str(NOON))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("chat_completions of `chat`: needs nothing special; about ")
    assert lines[2:4] == [
        "route `chat`, cost",
        "  #  target                       standing  cost, USD    in flight  first token",
    ]
    assert lines[4].split()[:3] == ["1", "openai/gpt-4o-mini", "ready"]
    assert "fallback `spare`, round_robin" in lines
    assert lines[-1].split()[:4] == ["3", "local/m", "ready", "unknown"]


@pytest.mark.parametrize("file", ["ask.json", "-"])
def test_a_request_is_read_from_a_file_or_from_standard_input(file: str) -> None:
    assert order(explained("--request", file, "--at", str(NOON), stdin=BODY)) == CHEAPEST_FIRST


def test_another_path_is_another_operation() -> None:
    body = b'{"model":"chat","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}'
    said = explained("--request", "-", "--path", "/v1/messages", "--at", str(NOON), stdin=body)
    assert (said["operation"], said["output_tokens"]) == ("messages", 9)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--header", "X-Tenant: gold", "--at", str(NOON)], 0),
        (["--header", "X-Tenant: silver", "--at", str(NOON)], None),
        (["--key", "night", "--at", str(MIDNIGHT)], 1),
        (["--key", "night", "--at", str(NOON)], None),
        (["--key", "app", "--at", str(MIDNIGHT)], None),
        (["--input-tokens", "6000", "--at", str(NOON)], 2),
    ],
)
def test_rules_are_applied_to_what_is_said_of_the_request(
    arguments: list[str], rule: int | None
) -> None:
    redirect = explained("--model", "chat", *arguments)["redirect"]
    assert redirect == (None if rule is None else {"from": "chat", "rule": rule})


def test_who_cannot_do_it_is_left_out_and_it_is_said_why() -> None:
    said = explained("--model", "chat", "--needs", "audio", "--at", str(NOON))
    assert said["needs"] == ["audio"]
    rows = {row["target"]: row["excluded"] for row in said["routes"][0]["targets"]}
    assert rows == {"openai/gpt-4o-mini": "audio", "anthropic/claude-sonnet-4-5": "audio"}


def test_what_is_known_of_targets_counts() -> None:
    live = {"openai/gpt-4o-mini": {"is_open": True, "in_flight": 3, "first_token_us": 400_000}}
    Path("live.json").write_bytes(msgspec.json.encode(live))
    said = explained("--model", "chat", "--live", "live.json", "--at", str(NOON))
    assert order(said)[0] == "anthropic/claude-sonnet-4-5"
    result = run("--model", "chat", "--live", "live.json", "--at", str(NOON))
    row = next(line for line in result.stdout.splitlines() if "gpt-4o-mini" in line)
    assert row.split()[2] == "open"
    assert row.endswith("3          400 ms")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give either --request or --model"),
        (["--request", "ask.json", "--model", "chat"], "give either --request or --model"),
        (["--request", "ask.json", "--stream"], "--input-tokens, --needs and --stream go with"),
        (["--request", "-", "--live", "-"], "standard input is one of --request and --live"),
        (["--request", "llm-edge.yaml"], "is not JSON"),
        (["--request", "missing.json"], "missing.json"),
        (["--model", "chat", "--live", "ask.json"], "--live"),
        (["--model", "chat", "--header", "x-tenant"], "write NAME:VALUE"),
        (["--model", "chat", "--needs", "telepathy"], "telepathy"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], says: str) -> None:
    result = run(*arguments, stdin=BODY)
    assert result.exit_code == 2
    assert says in result.stderr


def test_what_would_be_refused_is_refused_in_its_words_and_with_the_nearest_names() -> None:
    result = run("--model", "opnai/x")
    assert result.exit_code == 1, result.output
    assert result.stderr == (
        "error: the model `opnai/x` does not exist here."
        " hint: did you mean `openai/x`? `llm-edge-agent models` lists the names\n"
    )
    assert "hint: providers here: `openai`, `anthropic`, `local`" in run("--model", "z/x").stderr


@pytest.mark.parametrize(
    ("name", "hint"), [("ap", "did you mean `app`?"), ("x", "known here: `app`, `night`")]
)
def test_a_key_that_is_not_there_is_wrong_usage(name: str, hint: str) -> None:
    result = run("--model", "chat", "--key", name)
    assert result.exit_code == 2
    assert f"there is no key `{name}`. hint: {hint}" in result.stderr


def test_a_name_that_is_nearly_a_route_s_is_noted() -> None:
    result = run("--model", "chatt", "--json")
    assert result.exit_code == 0
    assert result.stderr == "note: no route has the name `chatt`; did you mean `chat`?\n"
    assert order(msgspec.json.decode(result.stdout)) == ["openai/*"]
    for name in ("chat", "gpt-4o", "openai/chat"):
        assert run("--model", name).stderr == "", name


def test_a_faulty_configuration_is_named_with_its_line() -> None:
    Path("llm-edge.yaml").write_text(CONFIG.replace("provider: local", "provider: locla"))
    result = run("--model", "chat")
    assert result.exit_code == 78
    assert "llm-edge.yaml:22: routes.spare.targets[0].provider" in result.stderr
