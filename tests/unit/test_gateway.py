"""The gateway inside a program: real engine, real mock, real sockets."""

import http.client
import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llm_edge_agent.config import hash_key
from llm_edge_agent.engine import (
    Address,
    Engine,
    EngineOptions,
    ListenOptions,
    capabilities,
    key_hash,
)
from llm_edge_agent.errors import ConfigError, EngineFailed
from llm_edge_agent.gateway import Gateway
from llm_edge_agent.providers import OPERATIONS, SPECS

KEY = "sk-test-0123456789-0123456789"
OPTIONS = EngineOptions(listen=ListenOptions(host="127.0.0.1", port=0), pepper="0" * 64)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def tree(**options: object) -> dict[str, Any]:
    return {"mock": True, "workers": 1, "listen": {"api": "127.0.0.1:0"}, **options}


def ask(address: Address, model: str, key: str = "none") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*address, timeout=10)
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    connection.request("POST", "/v1/chat/completions", msgspec.json.encode(body), headers)
    reply = connection.getresponse()
    found = (reply.status, reply.read())
    connection.close()
    return found


async def test_it_answers_inside_the_block_and_is_gone_after_it(env: dict[str, str]) -> None:
    async with Gateway(tree(), env=env, log_fd=2) as gateway:
        address = gateway.address
        assert gateway.url == f"http://{address}"
        status, body = ask(address, "mock/echo")
        assert (status, b"hello" in body) == (200, True)
    with pytest.raises(ConnectionRefusedError):
        ask(address, "mock/echo")
    with pytest.raises(RuntimeError, match="not started"):
        _ = gateway.address


def test_keys_let_their_holders_in_and_a_reload_brings_new_ones(
    tmp_path: Path, env: dict[str, str]
) -> None:
    file = tmp_path / "c.json"
    file.write_bytes(msgspec.json.encode(tree(keys=[{"name": "a", "key": KEY}])))
    gateway = Gateway(file, env=env, log_fd=2)
    address = gateway.start()
    try:
        assert [ask(address, "mock/echo", key)[0] for key in (KEY, "sk-other")] == [200, 401]
        hashed = hash_key(gateway.pepper.value, "sk-other")
        file.write_bytes(msgspec.json.encode(tree(keys=[{"name": "b", "hash": hashed}])))
        result = gateway.reload()
        assert (result.ok, result.epoch) == (True, 2)
        assert [ask(address, "mock/echo", key)[0] for key in (KEY, "sk-other")] == [401, 200]
        file.write_text("{")
        result = gateway.reload()
        assert (result.ok, result.epoch) == (False, 2)
        assert isinstance(result.error, ConfigError)
        assert ask(address, "mock/echo", "sk-other")[0] == 200
    finally:
        gateway.stop()


def test_a_start_that_fails_leaves_nothing_running(env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = Gateway(tree(listen={"api": f"127.0.0.1:{port}"}), env=env, log_fd=2)
        with pytest.raises(EngineFailed, match="is taken"):
            gateway.start()
        assert (gateway.engine, gateway.mock_address) == (None, None)
    gateway.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_engine_is_refused_in_a_forked_child() -> None:
    engine = Engine(OPTIONS)
    child = os.fork()
    if child == 0:
        try:
            engine.status()
        except EngineFailed as error:
            os._exit(0 if "before a fork" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_engine_refuses_a_broken_snapshot_in_our_words() -> None:
    engine = Engine(OPTIONS)
    with pytest.raises(EngineFailed, match="snapshot"):
        engine.apply(b"{}")


def test_both_sides_know_the_same_names_and_hash_keys_the_same() -> None:
    known = capabilities()
    assert [name for name in known.operations if "model" not in name] == list(OPERATIONS)
    assert set(known.mock_models) == set(SPECS["mock"].models)
    assert hash_key(b"p" * 32, KEY) == f"hmac-sha256:{key_hash(b'p' * 32, KEY).hex()}"
