"""What each verb prints, and the code it exits with."""

import re
import stat
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner, Result

from llm_edge_agent.cli import main
from llm_edge_agent.config import check_key_format, hash_key

VERBS = [
    "check",
    "config",
    "demo",
    "healthcheck",
    "init",
    "keys",
    "mock",
    "models",
    "providers",
    "route",
    "serve",
    "tokens",
    "version",
]
GOOD = """\
version: 1
mock: true
providers:
  openai: {type: openai, api_key: "sk-very-secret", models: [gpt-x]}
routes:
  chat:
    models: [chat, "team/*"]
    targets: [{provider: openai, model: gpt-x}]
"""
BAD = """\
version: 1
providers:
  openai: {type: openai, api_key: "sk-very-secret"}
routes:
  chat:
    models: [chat]
    targets:
      - {provider: opnai}
limits: {body_bytes: 3}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def write(text: str) -> None:
    Path("llm-edge.yaml").write_text(text)


def test_help_names_every_verb() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert result.output.startswith("Usage: llm-edge-agent ")
    assert [v for v in VERBS if not re.search(rf"^  {v} ", result.output, re.MULTILINE)] == []


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(verb: str) -> None:
    result = run(verb, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: llm-edge-agent {verb} ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["serve", "--port", "65536"],
        ["serve", "--port", "http"],
        ["serve", "--nonsense"],
        ["keys", "create"],
        ["keys", "create", "--name", "app", "--models", ","],
        ["check", "--format", "xml"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_a_good_configuration_is_checked_with_0() -> None:
    write(GOOD)
    result = run("check")
    assert result.exit_code == 0, result.output
    assert result.stdout == "ok: llm-edge.yaml: providers: openai, mock; routes: 1; keys: 0\n"


def test_a_bad_configuration_is_checked_with_78_and_every_fault() -> None:
    write(BAD)
    result = run("check")
    assert result.exit_code == 78
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0].startswith("error: llm-edge.yaml:9: limits.body_bytes: ")
    assert "body_bytes_max" in lines[0]


def test_an_unknown_provider_is_named_with_its_place_and_the_nearest_name() -> None:
    write(BAD.replace("limits: {body_bytes: 3}", ""))
    result = run("check")
    assert result.exit_code == 78
    assert (
        result.stderr.splitlines()[0]
        == "error: llm-edge.yaml:8: routes.chat.targets[0].provider: unknown provider `opnai`."
        " hint: did you mean `openai`?"
    )


def test_check_speaks_json_for_both_outcomes() -> None:
    write(GOOD)
    good = msgspec.json.decode(run("check", "--format", "json").stdout)
    assert good == {"ok": True, "source": "llm-edge.yaml", "errors": [], "warnings": []}
    write(BAD)
    result = run("check", "--format", "json")
    assert result.exit_code == 78
    bad = msgspec.json.decode(result.stdout)
    assert bad["ok"] is False
    assert bad["errors"][0]["line"] == 9
    assert bad["errors"][0]["path"] == "limits.body_bytes"
    assert bad["errors"][0]["hint"]


def test_a_credential_that_no_header_can_carry_is_found_by_check() -> None:
    write(GOOD.replace("sk-very-secret", "sk-\\u0007"))
    result = run("check")
    assert result.exit_code == 78
    assert result.stderr.startswith("error: ")


def test_a_file_that_is_not_there_is_a_configuration_error() -> None:
    result = run("check", "--config", "absent.yaml")
    assert result.exit_code == 78
    assert "absent.yaml" in result.stderr


@pytest.mark.parametrize("verb", ["serve", "models", "check"])
def test_every_verb_refuses_a_bad_configuration_alike(verb: str) -> None:
    write(BAD)
    result = run(verb)
    assert result.exit_code == 78
    assert "error: llm-edge.yaml:9: limits.body_bytes" in result.stderr


def test_config_show_masks_secrets_and_fills_in_defaults() -> None:
    write(GOOD)
    result = run("config", "show")
    assert result.exit_code == 0
    assert "very-secret" not in result.output
    shown = yaml.safe_load(result.stdout)
    assert shown["providers"]["openai"]["api_key"] == "***"
    assert shown["limits"]["body_bytes_max"] == 33554432
    as_json = run("config", "show", "--format", "json")
    assert msgspec.json.decode(as_json.stdout) == shown


def test_config_schema_is_json_schema() -> None:
    schema = msgspec.json.decode(run("config", "schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "$defs" in schema


def test_models_are_those_that_a_caller_can_name() -> None:
    write(GOOD)
    names = [line.split()[0] for line in run("models").stdout.splitlines()]
    assert {"chat", "team/*", "openai/gpt-x", "openai/*", "mock/*"} <= set(names)
    listed = [model["id"] for model in msgspec.json.decode(run("models", "--json").stdout)]
    assert "chat" in listed
    assert "mock/echo" in listed
    assert "`GET /v1/models` lists whole names only" in run("models").stderr
    assert not [name for name in listed if name.endswith("*")]


def test_init_writes_a_configuration_that_passes_check(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("init")
    assert result.exit_code == 0
    assert "llm-edge.yaml" in result.output
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    assert run("check").exit_code == 0


def test_what_init_leaves_as_comments_is_right_once_uncommented(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("init")
    # As editors uncomment: the mark and the space after it.
    write(re.sub(r"^  # ", "  ", Path("llm-edge.yaml").read_text(), flags=re.MULTILINE))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "APP_KEY"):
        monkeypatch.setenv(name, "sk-x")
    result = run("check")
    assert result.exit_code == 0, result.stderr
    assert "openai, anthropic, local, azure; routes: 1; keys: 1" in result.stdout


@pytest.mark.parametrize("section", ["listen", "keys", "providers", "routes"])
def test_each_section_of_init_may_be_uncommented_alone(
    section: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init")
    parts = Path("llm-edge.yaml").read_text().split("\n\n")
    (at,) = [i for i, part in enumerate(parts) if f"\n{section}:\n" in part]
    parts[at] = re.sub(r"^  # ", "  ", parts[at], flags=re.MULTILINE)
    write("\n\n".join(parts))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "APP_KEY"):
        monkeypatch.setenv(name, "sk-x")
    result = run("check")
    assert result.exit_code == 0, result.stderr


def test_the_line_of_a_new_key_may_be_pasted_into_what_init_wrote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("init")
    line = run("keys", "create", "--name", "app").stdout.splitlines()[1]
    write(Path("llm-edge.yaml").read_text().replace("keys:\n", f"keys:\n{line}\n"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    result = run("check")
    assert result.exit_code == 0, result.stderr
    assert "keys: 1" in result.stdout


def test_init_overwrites_nothing() -> None:
    write("mine")
    result = run("init")
    assert result.exit_code == 1
    assert "exists and is kept" in result.stderr
    assert Path("llm-edge.yaml").read_text() == "mine"


def test_init_takes_another_name_and_says_why_it_cannot_write() -> None:
    assert run("init", "other.yaml").exit_code == 0
    assert Path("other.yaml").exists()
    result = run("init", "absent/other.yaml")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_key_is_printed_once_with_the_line_that_admits_it(home: Path) -> None:
    result = run("keys", "create", "--name", "app", "--models", "chat, team/*")
    assert result.exit_code == 0
    key, line = result.stdout.splitlines()
    assert check_key_format(key)
    (entry,) = yaml.safe_load(line)
    pepper = home / ".local/state/llm-edge-agent/pepper"
    assert entry["name"] == "app"
    assert entry["models"] == ["chat", "team/*"]
    assert entry["hash"] == hash_key(pepper.read_text().strip().encode(), key)
    assert key not in line
    assert key not in result.stderr
    assert str(pepper) in result.stderr
    assert stat.S_IMODE(pepper.stat().st_mode) == 0o600


def test_keys_of_one_installation_share_its_pepper() -> None:
    first = msgspec.json.decode(run("keys", "create", "--name", "a", "--json").stdout)
    second = msgspec.json.decode(run("keys", "create", "--name", "b", "--json").stdout)
    assert first["pepper"] == second["pepper"]
    assert first["key"] != second["key"]


def test_a_key_goes_with_the_state_folder_of_the_configuration(tmp_path: Path) -> None:
    state = tmp_path / "elsewhere"
    # Without keys this would not start; the first key must come from somewhere.
    write(f'listen: {{api: "0.0.0.0:8080"}}\nstate_dir: "{state}"\n{GOOD}')
    result = run("keys", "create", "--name", "app")
    assert result.exit_code == 0
    assert (state / "pepper").exists()


def test_a_key_is_not_made_when_the_pepper_cannot_be_kept() -> None:
    Path(".local").write_text("in the way")
    result = run("keys", "create", "--name", "app")
    assert result.exit_code == 1
    assert "state folder" in result.stderr
    assert "sk-edge-" not in result.output


@pytest.mark.parametrize("text", ["a: [", "state_dir: [1]\n"])
def test_a_key_whose_state_folder_is_not_known_is_refused(text: str) -> None:
    Path("bad.yaml").write_text(text)
    assert run("keys", "create", "--name", "app", "--config", "bad.yaml").exit_code == 78


@pytest.mark.parametrize("named", [[], ["--config", "llm-edge.yaml"]], ids=["found", "named"])
def test_a_key_is_made_without_the_secrets_of_providers(named: list[str], tmp_path: Path) -> None:
    state = tmp_path / "elsewhere"
    write(
        f'state_dir: "{state}"\nkeys: [{{name: a, key: "${{NOT_SET}}"}}]\n'
        'providers: {openai: {type: openai, api_key: "${NOT_SET}"}}\n'
    )
    result = run("keys", "create", "--name", "app", *named)
    assert result.exit_code == 0, result.stderr
    assert "warning" not in result.stderr
    assert (state / "pepper").exists()


def test_a_new_pepper_beside_stored_hashes_is_told_with_the_key() -> None:
    write(f'keys: [{{name: a, hash: "hmac-sha256:{"ab" * 32}"}}]\n')
    result = run("keys", "create", "--name", "app")
    assert "key hashes made with another pepper do not match" in result.stderr


def test_version_is_told_to_people_and_to_scripts() -> None:
    said = msgspec.json.decode(run("version", "--json").stdout)
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", said["version"])
    assert run("version").stdout.startswith(f"llm-edge-agent {said['version']} ")


def test_healthcheck_fails_where_nothing_listens(closed_port: int) -> None:
    write(f'listen: {{api: "127.0.0.1:{closed_port}"}}\n{GOOD}')
    result = run("healthcheck")
    assert result.exit_code == 1
    assert f"127.0.0.1:{closed_port}/readyz" in result.stderr


def test_healthcheck_needs_the_address_only_and_not_the_secrets(closed_port: int) -> None:
    at = f"127.0.0.1:{closed_port}"
    write(
        f'listen: {{api: "{at}"}}\nkeys: [{{name: a, key: "${{NOT_SET}}"}}]\n'
        'providers: {openai: {type: openai, api_key: "${file:/nonexistent}"}}\n'
    )
    result = run("healthcheck")
    assert result.stderr.startswith(f"error: {at}/readyz: ")


@pytest.mark.parametrize("address", ["${NOT_SET}", "nonsense", "[::1"])
def test_healthcheck_fails_on_an_address_it_cannot_read_with_1(address: str) -> None:
    write(f'listen: {{api: "{address}"}}\n')
    result = run("healthcheck")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: llm-edge.yaml:1: listen.api: ")


def test_tokens_are_counted_and_it_is_said_how() -> None:
    Path("prompt.txt").write_text("Hello, world")
    assert run("tokens", "prompt.txt").output == "3 (exact)\n"
    assert run("tokens", "--model", "claude-sonnet-4-5", "prompt.txt").output == "4 (estimate)\n"
    found = msgspec.json.decode(run("tokens", "--json", "prompt.txt").output)
    assert found == {"input": 3, "exact": True, "images": 0, "audio": 0, "files": 0}


def test_tokens_of_standard_input() -> None:
    assert CliRunner().invoke(main, ["tokens", "-"], input="Hello, world").output == "3 (exact)\n"
    result = CliRunner().invoke(main, ["tokens", "-"], input=b"a\xff")
    assert (result.exit_code, result.output) == (1, "error: the text is not UTF-8 at byte 1\n")


def test_tokens_of_a_request() -> None:
    picture = '{"inlineData": {"mimeType": "image/png", "data": "QUJD"}}'
    Path("gemini.json").write_text(
        f'{{"contents": [{{"parts": [{{"text": "Hello, world"}}, {picture}, {picture}]}}]}}'
    )
    result = run("tokens", "--request", "gemini", "--model", "gemini-3", "gemini.json")
    assert result.output == "520 (estimate, 2 images)\n"
    Path("chat.json").write_text(
        '{"model": "gpt-4", "messages": [{"role": "user", "content": "Hi"}]}'
    )
    assert run("tokens", "chat.json", "--request").output == "8 (estimate)\n"
    result = run("tokens", "--request", "openai", "chat.json")
    assert (result.exit_code, result.output) == (1, "error: no dialect is called `openai`\n")
