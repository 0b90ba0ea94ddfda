"""Where a started gateway says it is."""

from dataclasses import replace

import msgspec
import pytest
from click.testing import CliRunner

from llm_edge_agent import log
from llm_edge_agent.cli import main
from llm_edge_agent.cli.announce import announce, first_line, for_people
from llm_edge_agent.cli.options import Overrides
from llm_edge_agent.config import Loaded, load_tree
from llm_edge_agent.engine import Address
from llm_edge_agent.serve import Started

TREE = {"mock": True, "listen": {"admin": "[::1]:9001"}}


def started(api: Address, *, tls: bool = False) -> Started:
    return Started(
        version="1.2.3",
        api=api,
        tls=tls,
        admin=Address("::1", 8081),
        admin_token="t0ken",
        metrics=Address("127.0.0.1", 9464),
        loaded=load_tree(TREE),
    )


@pytest.mark.parametrize(
    ("api", "tls", "base"),
    [
        (Address("127.0.0.1", 8080), False, "http://127.0.0.1:8080"),
        (Address("0.0.0.0", 80), False, "http://127.0.0.1:80"),
        (Address("::", 8080), True, "https://[::1]:8080"),
        (Address("gateway.internal", 443), True, "https://gateway.internal:443"),
        (Address("unix:/run/api.sock", 0), False, "http://localhost"),
    ],
)
def test_scripts_get_addresses_that_they_can_connect_to(
    api: Address, base: str, *, tls: bool
) -> None:
    line = first_line(started(api, tls=tls), key="sk-edge-x")
    assert "\n" not in line
    assert msgspec.json.decode(line) == {
        "api": f"{base}/v1",
        "anthropic": base,
        "admin": "http://[::1]:8081",
        "admin_token": "t0ken",
        "metrics": "http://127.0.0.1:9464",
        "key": "sk-edge-x",
        "socket": api.unix_path,
    }


def test_people_are_told_addresses_token_providers_keys_and_source() -> None:
    text = for_people(started(Address("127.0.0.1", 8080)))
    for part in ("http://127.0.0.1:8080/v1", "t0ken", "9464/metrics", "mock", "whoever", "no file"):
        assert part in text


@pytest.mark.parametrize(
    ("made", "told", "said"), [(True, False, True), (False, False, False), (True, True, False)]
)
def test_a_token_that_nobody_knows_is_told_of_in_the_log(
    capfd: pytest.CaptureFixture[str], *, made: bool, told: bool, said: bool
) -> None:
    log.configure(log.STDERR)
    announce(replace(started(Address("127.0.0.1", 8080)), admin_token_made=made), token_told=told)
    text = capfd.readouterr().err
    assert ("LLM_EDGE_ADMIN_TOKEN" in text) is said
    assert '"event":"started"' in text
    assert "t0ken" not in text


def overrides(**given: object) -> Overrides:
    nothing = dict.fromkeys(("host", "port", "admin_port", "metrics_port", "workers"))
    return Overrides(**(nothing | {"insecure": False, "reuse_port": False} | given))  # type: ignore[arg-type]


def load(flags: dict[str, object]) -> Loaded:
    return load_tree(TREE, flags=flags)


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ({}, {}),
        ({"port": 0}, {"listen.api": "127.0.0.1:0"}),
        ({"host": "::1"}, {"listen.api": "[::1]:8080"}),
        ({"host": "[::1]", "port": 1}, {"listen.api": "[::1]:1"}),
        ({"admin_port": 0}, {"listen.admin": "[::1]:0"}),
        ({"metrics_port": 7, "workers": 0}, {"listen.metrics": "127.0.0.1:7", "workers": 0}),
        ({"insecure": True}, {"insecure": True}),
    ],
)
def test_a_flag_replaces_its_half_of_an_address(
    given: dict[str, object], flags: dict[str, object]
) -> None:
    assert overrides(**given).flags(load) == flags


def test_a_host_that_is_none_is_a_configuration_error() -> None:
    result = CliRunner().invoke(main, ["demo", "--once", "--host", "no host", "--port", "0"])
    assert result.exit_code == 78
    assert "listen.api" in result.stderr
