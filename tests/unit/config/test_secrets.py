"""Secrets stay secret, keys are told from typing errors, the pepper outlives the process."""

import copy
import pickle
import stat
from pathlib import Path

import msgspec
import pytest

from llm_edge_agent.config import (
    Config,
    Secret,
    check_key_format,
    config_schema,
    hash_key,
    load_pepper,
    load_tree,
    new_key,
    resolved,
    state_dir,
)
from llm_edge_agent.errors import StateError
from tests.unit.config.broken import HASH


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret("s3cret")),
        str(Secret("s3cret")),
        f"{Secret('s3cret'):>10}",
        "%s" % Secret("s3cret"),  # noqa: UP031
        repr([Secret("s3cret")]),
        repr(load_tree({"providers": {"a": {"type": "openai", "api_key": "s3cret"}}}, env={})),
    ],
)
def test_no_way_of_printing_shows_a_secret(shown: str) -> None:
    assert "s3cret" not in shown


def test_a_secret_is_neither_encoded_nor_pickled() -> None:
    for write in (msgspec.json.encode, pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            write(Secret("s3cret"))


def test_secrets_are_equal_by_value() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_the_resolved_configuration_shows_everything_but_secrets() -> None:
    tree = {
        "providers": {
            "a": {"type": "openai", "api_keys": ["s3cret"], "headers": {"x-t": "s3cret"}},
        },
        "keys": [{"name": "k", "key": "s3cret-s3cret-s3cret-s3cret"}],
    }
    shown = resolved(load_tree(tree, env={}).config)
    assert "s3cret" not in str(shown)
    assert shown["providers"]["a"]["api_keys"] == ["***"]
    assert shown["limits"]["body_bytes_max"] == 33554432


def test_the_schema_knows_every_option_and_refuses_others() -> None:
    schema = config_schema()
    config = schema["$defs"]["Config"]
    assert set(config["properties"]) == set(Config.__struct_fields__)
    assert config["additionalProperties"] is False
    assert schema["$defs"]["Provider"]["properties"]["api_key"]["anyOf"][0]["type"] == "string"


def test_new_keys_differ_and_carry_their_checksum() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(check_key_format(key) and len(key) == 46 for key in keys)


def test_a_mistyped_key_is_known_as_such() -> None:
    key = new_key()
    for at in range(len("sk-edge-"), len(key)):
        wrong = key[:at] + ("a" if key[at] != "a" else "b") + key[at + 1 :]
        assert not check_key_format(wrong)
    assert not check_key_format(key[:-1])
    assert not check_key_format(key + "\n")


def test_the_checksum_of_a_known_key_stays_what_it_is() -> None:
    assert check_key_format("sk-edge-" + "0" * 32 + "4Zu2pt")


def test_hashes_are_hmac_sha256() -> None:
    # RFC 4231, test case 2.
    assert hash_key(b"Jefe", "what do ya want for nothing?") == (
        "hmac-sha256:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def env_for(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path)}


def test_the_pepper_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = load_pepper(env=env_for(tmp_path))
    path = tmp_path / "llm-edge-agent" / "pepper"
    assert first.source == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_pepper(env=env_for(tmp_path)) == first
    assert list(path.parent.iterdir()) == [path]
    assert first.value.decode() not in repr(first)


def test_the_pepper_of_the_environment_needs_no_folder(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("x" * 32 + "\n")
    assert load_pepper(env={"LLM_EDGE_KEY_PEPPER": "x" * 32}).value == b"x" * 32
    assert load_pepper(env={"LLM_EDGE_KEY_PEPPER_FILE": str(tmp_path / "p")}).value == b"x" * 32


@pytest.mark.parametrize("text", ["", "short", " " * 40])
def test_a_pepper_that_can_be_guessed_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="fewer than 32"):
        load_pepper(env={"LLM_EDGE_KEY_PEPPER": text})
    (tmp_path / "llm-edge-agent").mkdir()
    (tmp_path / "llm-edge-agent" / "pepper").write_text(text)
    with pytest.raises(StateError, match="fewer than 32"):
        load_pepper(env=env_for(tmp_path))


def test_a_pepper_others_may_read_is_a_warning(tmp_path: Path) -> None:
    path = Path(load_pepper(env=env_for(tmp_path)).source or "")
    path.chmod(0o644)
    assert "chmod 600" in load_pepper(env=env_for(tmp_path)).warnings[0]


def mock_config(**options: object) -> Config:
    return load_tree({"mock": True, **options}, env={}).config


def test_a_folder_that_cannot_be_used_matters_only_where_hashes_depend_on_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    env = {"XDG_STATE_HOME": str(tmp_path / "file")}
    assert load_pepper(mock_config(), env).source is None
    plain = mock_config(keys=[{"name": "a", "key": "sk-0123456789012345"}])
    assert load_pepper(plain, env).source is None
    hashed = mock_config(keys=[{"name": "a", "hash": HASH}])
    for config, keep in ((hashed, False), (mock_config(), True)):
        with pytest.raises(StateError, match=r"cannot be used: Not a directory\. hint: make"):
            load_pepper(config, env, keep=keep)
    with pytest.raises(StateError, match="cannot be used"):
        load_pepper(mock_config(state_dir=str(tmp_path / "file" / "x")), {})
    with pytest.raises(StateError, match="cannot be used"):
        load_pepper(mock_config(), {"STATE_DIRECTORY": str(tmp_path / "file" / "x")})


def test_hashes_that_meet_a_new_pepper_are_a_warning(tmp_path: Path) -> None:
    hashed = mock_config(keys=[{"name": "a", "hash": HASH}])
    assert "made now" in load_pepper(hashed, env_for(tmp_path)).warnings[0]
    assert load_pepper(hashed, env_for(tmp_path)).warnings == ()


def test_the_state_folder_is_where_the_platform_says() -> None:
    assert state_dir(env={"HOME": "/h"}) == Path("/h/.local/state/llm-edge-agent")
    assert state_dir(env={"HOME": "/h", "XDG_STATE_HOME": "/x"}) == Path("/x/llm-edge-agent")
    assert state_dir(env={"XDG_STATE_HOME": "/x", "STATE_DIRECTORY": "/s:/t"}) == Path("/s")
    assert state_dir(mock_config(state_dir="/c"), {"STATE_DIRECTORY": "/s"}) == Path("/c")
