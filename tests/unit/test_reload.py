"""A reload is whole or it is nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llm_edge_agent.config import Loaded, Pepper, load, load_tree
from llm_edge_agent.engine import TlsOptions
from llm_edge_agent.errors import ConfigError, EngineFailed
from llm_edge_agent.reload import Reloader
from tests.unit.config.broken import HASH

PEPPER = Pepper(b"p" * 32, "test")


class Recorder:
    """Stands where an engine stands, and keeps what reaches it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.slots: dict[str, str] = {}
        self.principals: list[dict[str, Any]] = []
        self.epoch = 0
        self.refuses = False

    def apply(self, snapshot: bytes) -> int:
        self.calls.append(("apply", msgspec.json.decode(snapshot)))
        if self.refuses:
            raise EngineFailed("snapshot: routes[0]: no")
        self.epoch += 1
        return self.epoch

    def directory_replace(self, principals: bytes) -> int:
        self.principals = msgspec.json.decode(principals)
        self.calls.append(("directory", self.principals))
        return len(self.principals)

    def set_credential(self, slot: str, value: str) -> None:
        self.slots[slot] = value
        self.calls.append(("credential", slot))

    def set_private_key(self, slot: str, pem: str) -> None:
        self.slots[slot] = pem
        self.calls.append(("private_key", slot))

    def lose_credential(self, slot: str, reason: str) -> None:
        self.slots.pop(slot, None)
        self.calls.append(("lost", reason))

    def set_certificate(self, tls: TlsOptions) -> None:
        self.calls.append(("certificate", tls.cert_pem))


def config(key: str = "sk-1", url: str = "https://a.example/v1", **options: object) -> Loaded:
    provider = {"type": "openai", "base_url": url, "api_key": key}
    return load_tree({"providers": {"p": provider}, **options}, env={})


def never() -> Loaded:
    raise AssertionError


def reloader(
    engine: Recorder,
    load: Callable[[], Loaded] = never,
    pepper: Pepper = PEPPER,
    mock_address: tuple[str, int] | None = None,
) -> Reloader:
    return Reloader(engine, load, pepper=pepper, mock_address=mock_address)


def test_the_snapshot_comes_after_what_it_needs() -> None:
    engine = Recorder()
    assert reloader(engine).apply(config(keys=[{"name": "a", "hash": HASH}])) == 1
    assert [name for name, _ in engine.calls] == ["credential", "directory", "apply"]
    assert engine.principals == [{"hash": "0" * 64, "name": "a", "models": ["*"]}]


def test_a_new_address_never_shares_a_slot_with_the_old_one() -> None:
    engine = Recorder()
    reload = reloader(engine)
    reload.apply(config("old", "https://old.example/v1"))
    reload.apply(config("new", "https://new.example/v1"))
    old_slot = engine.calls[0][1]
    assert engine.slots[old_slot] == "old"
    assert sorted(engine.slots.values()) == ["new", "old"]


def test_a_new_key_for_the_same_address_takes_the_slot() -> None:
    engine = Recorder()
    reload = reloader(engine)
    reload.apply(config("old"))
    reload.apply(config("new"))
    assert list(engine.slots.values()) == ["new"]


def test_a_refused_snapshot_puts_callers_and_credentials_back() -> None:
    engine = Recorder()
    reload = reloader(engine)
    reload.apply(config("old", keys=[{"name": "a", "hash": HASH}]))
    engine.refuses = True
    with pytest.raises(EngineFailed):
        reload.apply(config("new"))
    assert list(engine.slots.values()) == ["old"]
    assert [caller["name"] for caller in engine.principals] == ["a"]
    assert (reload.epoch, reload.loaded) == (1, config("old", keys=[{"name": "a", "hash": HASH}]))


def test_a_bad_configuration_reaches_nothing_and_is_counted() -> None:
    engine = Recorder()

    def bad() -> Loaded:
        return load_tree({"providers": {}}, env={})

    reload = reloader(engine, bad)
    reload.apply(config())
    engine.calls.clear()
    result = reload.reload()
    assert (result.ok, result.epoch, engine.calls) == (False, 1, [])
    assert isinstance(result.error, ConfigError)
    counters = reload.counters
    assert (counters.last_ok, counters.successes, counters.failures) == (False, 1, 1)
    assert counters.last_success_s > 0


class OddError(Exception):
    """Nothing of ours."""


def test_a_fault_of_the_program_keeps_the_old_snapshot_and_is_counted() -> None:
    engine = Recorder()

    def faulty() -> Loaded:
        raise OddError("sk-very-secret")

    reload = reloader(engine, faulty)
    reload.apply(config())
    engine.calls.clear()
    result = reload.reload()
    assert (result.ok, result.epoch, engine.calls) == (False, 1, [])
    assert "an unexpected OddError in test_reload.py:" in str(result.error)
    assert "secret" not in str(result.error)
    assert (reload.counters.last_ok, reload.counters.failures) == (False, 1)
    assert reload.loaded == config()


def test_a_fault_between_secrets_and_snapshot_puts_the_secrets_back() -> None:
    class Breaking(Recorder):
        def apply(self, snapshot: bytes) -> int:
            if self.epoch:
                raise OddError
            return super().apply(snapshot)

    engine = Breaking()
    reload = reloader(engine, lambda: config("new"))
    reload.apply(config("old", keys=[{"name": "a", "hash": HASH}]))
    result = reload.reload()
    assert (result.ok, reload.counters.failures) == (False, 1)
    assert list(engine.slots.values()) == ["old"]
    assert [caller["name"] for caller in engine.principals] == ["a"]


def test_a_result_names_the_files_that_were_offered(tmp_path: Path) -> None:
    file, secret = tmp_path / "c.yaml", tmp_path / "secret"
    provider = f'providers: {{p: {{type: openai, api_key: "${{file:{secret}}}"}}}}\n'
    file.write_text(provider)
    engine = Recorder()
    reload = reloader(engine, lambda: load(file, env={}))
    reload.apply(config())
    refused = reload.reload()
    assert (refused.ok, refused.files) == (False, (str(file), str(secret)))
    secret.write_text("sk-x")
    engine.refuses = True
    assert {str(file), str(secret)} <= set(reload.reload().files)
    engine.refuses = False
    accepted = reload.reload()
    assert {str(file), str(secret)} <= set(accepted.files)
    assert accepted == replace(refused, ok=True, epoch=2, error=None, files=accepted.files)


def test_what_needs_a_restart_is_said() -> None:
    engine = Recorder()
    reload = reloader(engine, lambda: config(workers=3, listen={"api": "127.0.0.1:1"}))
    reload.apply(config())
    result = reload.reload()
    assert (result.ok, result.epoch) == (True, 2)
    assert [warning.split(":")[0] for warning in result.warnings] == ["listen", "workers"]


def test_an_unchanged_configuration_gives_the_same_snapshot() -> None:
    engine = Recorder()
    reload = reloader(engine, config)
    reload.apply(config())
    assert reload.reload().warnings == ()
    first, second = (snapshot for name, snapshot in engine.calls if name == "apply")
    assert first == second


def test_a_mock_that_does_not_run_needs_a_restart() -> None:
    engine = Recorder()
    reload = reloader(engine, lambda: config(mock=True))
    reload.apply(config())
    assert "not running. hint: it is started with the gateway" in str(reload.reload().error)
    assert reloader(engine, mock_address=("127.0.0.1", 9)).apply(config(mock=True)) == 2


def test_stored_hashes_need_a_pepper_that_is_kept() -> None:
    reload = reloader(Recorder(), pepper=Pepper(b"p" * 32, None))
    with pytest.raises(ConfigError, match="keys: hashed keys need a pepper that is kept"):
        reload.apply(config(keys=[{"name": "a", "hash": HASH}]))


def test_a_certificate_that_vanished_is_named_with_its_place(tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\n")
    file = tmp_path / "c.yaml"
    file.write_text(f"providers:\n  p:\n    type: openai\n    api_key: x\n    ca_file: {pem}\n")
    loaded = load(file, env={})
    pem.unlink()
    with pytest.raises(ConfigError, match=r"c.yaml:5: providers.p.ca_file: the file"):
        reloader(Recorder()).apply(loaded)


def test_a_reload_that_is_refused_puts_the_found_credential_back(tmp_path: Path) -> None:
    file = tmp_path / "keys"

    def aws(profile: str) -> Loaded:
        options = {"region": "eu-central-1", "profile": profile}
        return load_tree({"providers": {"b": {"type": "bedrock", "aws": options}}}, env={})

    keys = "aws_access_key_id = I{0}\naws_secret_access_key = s\n"
    file.write_text("".join(f"[{name}]\n{keys.format(name)}" for name in ("one", "two")))
    engine = Recorder()
    reload = reloader(engine, lambda: aws("two"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        reload.apply(aws("one"))
        engine.refuses = True
        assert not reload.reload().ok
        assert list(engine.slots.values()) == ["Ione s"]
        engine.refuses = False
        assert reload.reload().ok
    assert list(engine.slots.values()) == ["Itwo s"]
    reload.close()
