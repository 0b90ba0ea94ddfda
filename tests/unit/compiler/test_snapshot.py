"""A configuration compiles to exactly the bytes of its golden file, and to what it must mean."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import xxhash

from llm_edge_agent.compiler import Compiled, compile_config
from llm_edge_agent.compiler.snapshot import SnapshotDoc
from llm_edge_agent.config import hash_key, load_tree
from llm_edge_agent.errors import ConfigError
from tests.golden.snapshot_cases import ENV, FOLDER, PEPPER, cases, compiled, text

LOCAL = {"type": "openai_compatible", "base_url": "http://127.0.0.1:8000/v1"}


def compile_tree(tree: dict[str, Any]) -> Compiled:
    return compile_config(
        load_tree(tree, env={}).config, pepper=PEPPER, mock_address=("127.0.0.1", 9)
    )


def snapshot(tree: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(compile_tree(tree).snapshot)
    return found


def local(**options: object) -> dict[str, Any]:
    return {"providers": {"local": LOCAL}, **options}


@pytest.mark.parametrize(
    ("kind", "said", "compiled"),
    [
        ("openai_compatible", None, None),
        ("openai_compatible", "reasoning", "reasoning"),
        ("deepseek", None, "reasoning_content"),
        ("mistral", "none", None),
    ],
)
def test_where_reasoning_goes_back_is_said_by_the_type_and_by_the_configuration_before_it(
    kind: str, said: str | None, compiled: str | None
) -> None:
    provider = {"type": kind, "base_url": "http://127.0.0.1:8000", "api_key": "k"}
    if said is not None:
        provider["replays_reasoning"] = said
    [found] = snapshot({"providers": {"local": provider}})["providers"]
    assert found["replays_reasoning"] == compiled


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.stem)
def test_a_golden_configuration_compiles_to_its_golden_snapshot(case: Path) -> None:
    golden = case.with_suffix(".json").read_bytes()
    assert text(case) == golden, "python -m tests.golden.regenerate, then read the diff"


def test_every_golden_snapshot_has_its_input() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {case.stem for case in cases()}
    assert len(cases()) >= 12


GOLDEN = sorted(FOLDER.glob("*.json"))


def each(tree: dict[str, Any], place: str) -> list[dict[str, Any]]:
    """The mappings of one kind."""
    routes = tree["routes"]
    match place:
        case "top":
            return [tree]
        case "target":
            return [target for route in routes for target in route["targets"]]
        case "provider" | "route":
            found: list[dict[str, Any]] = tree[f"{place}s"]
            return found
        case _:
            raise ValueError(place)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.stem)
def test_a_golden_snapshot_has_every_member_that_its_type_demands(golden: Path) -> None:
    found = msgspec.json.decode(golden.read_bytes(), type=SnapshotDoc)
    assert found.providers
    assert all(route.targets for route in found.routes)


@pytest.mark.parametrize("place", ["top", "provider", "route", "target"])
@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.stem)
def test_a_member_that_a_snapshot_does_not_have_is_refused_wherever_it_stands(
    golden: Path, place: str
) -> None:
    tree = msgspec.json.decode(golden.read_bytes())
    assert each(tree, place)
    for mapping in each(tree, place):
        mapping["a_newer_member"] = 1
        with pytest.raises(msgspec.ValidationError, match="unknown field `a_newer_member`"):
            msgspec.json.decode(msgspec.json.encode(tree), type=SnapshotDoc)
        del mapping["a_newer_member"]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.stem)
def test_no_credential_is_in_a_snapshot(case: Path) -> None:
    result = compiled(case)
    secrets = [value for value in ENV.values() if value.startswith("sk-")]
    assert result.credentials or case.stem == "mock"
    for secret in [*secrets, *(s.reveal() for s in result.credentials.values())]:
        assert secret.encode() not in result.snapshot
        assert secret not in repr(result)


def test_the_fingerprint_is_that_of_the_snapshot_without_it() -> None:
    raw = compile_tree(local()).snapshot
    found = msgspec.json.decode(raw, type=SnapshotDoc)
    bare = raw.replace(found.fingerprint.encode(), b"")
    assert found.fingerprint == xxhash.xxh3_128_hexdigest(bare)


@pytest.mark.parametrize(
    ("option", "same"),
    [
        ({"strategy": "ordered"}, True),
        ({"deadlines": {"total_ms": 1}}, True),
        ({"cache": {"ttl_s": 9}}, True),
        ({"models": ["other"]}, True),
        ({"targets": [{"provider": "local", "weight": 9}]}, True),
        ({"targets": [{"provider": "local", "model": "other"}]}, False),
        ({"targets": [{"provider": "local"}, {"provider": "local"}]}, False),
    ],
)
def test_the_policy_hash_changes_with_what_shapes_a_reply(
    option: dict[str, Any], *, same: bool
) -> None:
    route = {"models": ["m"], "targets": [{"provider": "local"}]}
    before = snapshot(local(routes={"r": route}))["routes"][0]["policy_hash"]
    after = snapshot(local(routes={"r": route | option}))["routes"][0]["policy_hash"]
    assert (before == after) is same


def test_the_policy_hash_changes_with_the_address_and_headers_of_a_provider() -> None:
    hashes = {
        snapshot({"providers": {"local": LOCAL | change}})["routes"][0]["policy_hash"]
        for change in ({}, {"base_url": "http://127.0.0.1:8001/v1"}, {"headers": {"x-a": "b"}})
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("health", "timeout_ms"),
    [
        ({}, 2000),
        ({"interval_ms": 500}, 500),
        ({"interval_ms": 500, "timeout_ms": 100}, 100),
        ({"interval_ms": 500, "timeout_ms": 500}, 500),
    ],
)
def test_a_probe_is_over_before_the_next_is_due(health: dict[str, int], timeout_ms: int) -> None:
    found = snapshot({"providers": {"local": LOCAL | {"health": health}}})
    assert found["providers"][0]["health"]["timeout_ms"] == timeout_ms


def names(tree: dict[str, Any]) -> tuple[list[str], dict[str, str], dict[str, str]]:
    found = snapshot(tree)
    routes = [route["name"] for route in found["routes"]]
    by = found["names"]
    return (
        [f"{prefix}* -> {routes[at]}" for prefix, at in by["prefixes"]],
        {dialect: routes[at] for dialect, at in by["by_dialect"].items()},
        {name: routes[at] for name, at in by["exact"].items()},
    )


def test_longer_prefixes_win_and_written_ones_before_implied_ones() -> None:
    target = {"targets": [{"provider": "local"}]}
    routes = {
        "all": {"models": ["*"], **target},
        "mine": {"models": ["local/*", "one"], **target},
        "long": {"models": ["local/x*"], **target},
    }
    prefixes, _, exact = names(local(routes=routes))
    assert prefixes == ["local/x* -> long", "local/* -> mine", "local/* -> local/*", "* -> all"]
    assert exact == {"one": "mine"}


def test_bare_names_go_to_the_first_provider_of_the_dialect_and_never_to_the_mock() -> None:
    providers = {
        "m": {"type": "mock"},
        "one": {"type": "anthropic", "api_key": "a"},
        "two": LOCAL,
        "three": {"type": "openai", "api_key": "b"},
    }
    _, by_dialect, _ = names({"providers": providers})
    assert by_dialect == {
        "openai_chat": "provider:two",
        "openai_completions": "provider:two",
        "openai_responses": "provider:two",
        "openai_embeddings": "provider:two",
        "anthropic_messages": "provider:one",
        "rerank": "provider:two",
    }
    assert names({"mock": True})[1] == {}


def test_models_are_listed_by_the_name_to_ask_for() -> None:
    tree = local(
        routes={"r": {"models": ["a", "b*"], "targets": [{"provider": "local"}]}}, mock=True
    )
    tree["providers"] = {"local": LOCAL | {"models": ["org/q"]}}
    listed = [(m["id"], m["owned_by"]) for m in snapshot(tree)["models"]]
    assert listed[:3] == [("a", "r"), ("local/org/q", "local"), ("mock/echo", "mock")]
    assert {("mock/embed", "mock"), ("mock/rerank", "mock")} <= set(listed)
    assert all("*" not in name for name, _ in listed)


@pytest.mark.parametrize(
    ("url", "origin", "host"),
    [
        ("https://h.example/v1", ("https", "h.example", 443), "h.example"),
        ("https://h.example:443/v1", ("https", "h.example", 443), "h.example"),
        ("http://h.example:443/v1", ("http", "h.example", 443), "h.example:443"),
        ("http://[::1]:80/v1/", ("http", "::1", 80), "[::1]"),
        ("http://[fe80::1]:8000/v1", ("http", "fe80::1", 8000), "[fe80::1]:8000"),
    ],
)
def test_host_and_port_are_written_as_http_wants_them(
    url: str, origin: tuple[str, str, int], host: str
) -> None:
    provider = snapshot({"providers": {"p": LOCAL | {"base_url": url}}})["providers"][0]
    assert tuple(provider["origin"].values())[:3] == origin
    assert provider["host_header"] == host
    assert provider["operations"]["embeddings"] == "/v1/embeddings"


def test_a_certificate_bundle_is_read_into_the_snapshot(tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\n")
    provider = snapshot({"providers": {"p": LOCAL | {"ca_file": str(pem)}}})["providers"][0]
    assert provider["origin"]["ca_pem"] == "-----BEGIN CERTIFICATE-----\n"


def test_each_of_several_keys_has_its_slot() -> None:
    result = compile_tree({"providers": {"p": LOCAL | {"api_keys": ["one", "two"]}}})
    slots = msgspec.json.decode(result.snapshot)["providers"][0]["credentials"]
    assert slots == ["p@http://127.0.0.1:8000", "p@http://127.0.0.1:8000#1"]
    assert [result.credentials[slot].reveal() for slot in slots] == ["one", "two"]


def test_keys_become_principals_whether_hashed_or_not() -> None:
    plain = "sk-0123456789012345678"
    hashed = hash_key(PEPPER, "other")
    keys = [{"name": "a", "key": plain}, {"name": "b", "hash": hashed, "models": ["m*"]}]
    result = compile_tree(local(keys=keys))
    assert msgspec.json.decode(result.principals) == [
        {
            "hash": hash_key(PEPPER, plain).removeprefix("hmac-sha256:"),
            "name": "a",
            "models": ["*"],
        },
        {"hash": hashed.removeprefix("hmac-sha256:"), "name": "b", "models": ["m*"]},
    ]
    assert msgspec.json.decode(result.snapshot)["keys_required"] is True
    assert snapshot(local())["keys_required"] is False


def test_a_wanted_mock_that_does_not_run_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"providers\.mock: the mock provider is not running"):
        compile_config(load_tree({"mock": True}, env={}).config, pepper=PEPPER)


def test_engine_options_hold_what_a_start_needs(tmp_path: Path) -> None:
    cert, key = tmp_path / "c.pem", tmp_path / "k.pem"
    cert.write_text("-----BEGIN CERTIFICATE-----\n")
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    tree = local(
        listen={"api": "[::1]:0"},
        workers=2,
        reuse_port=True,
        tls={"cert_file": str(cert), "key_file": str(key)},
    )
    options = compile_config(
        load_tree(tree, env={}).config, pepper=b"\x01\xff", log_fd=2
    ).engine_options
    assert msgspec.to_builtins(options) == {
        "listen": {"host": "::1", "port": 0, "unix": None},
        "workers": 2,
        "reuse_port": True,
        "tls": {"cert_pem": cert.read_text(), "key_pem": key.read_text()},
        "pepper": "01ff",
        "log_fd": 2,
    }
    assert "PRIVATE" not in repr(options)
