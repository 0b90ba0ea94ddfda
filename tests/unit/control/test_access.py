"""Which values of `Host` the admin port answers to."""

import pytest

from llm_edge_agent.control.access import AllowedHosts


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8081",
        "LocalHost:1",
        "127.0.0.1",
        "127.0.0.1:8081",
        "127.9.9.9:8081",
        "[::1]",
        "[::1]:8081",
    ],
)
def test_loopback_is_always_answered(host: str) -> None:
    assert host in AllowedHosts("127.0.0.1")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8081",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "[2001:db8::1]:8081",
        "127.0.0.1:x",
        "[::1",
        "[::1]x",
        "::1",
        "user@127.0.0.1",
        "2130706433",
    ],
)
def test_any_other_name_is_refused_on_loopback(host: str) -> None:
    assert host not in AllowedHosts("127.0.0.1")


def test_the_host_that_is_listened_on_is_answered() -> None:
    hosts = AllowedHosts("gateway.internal")
    assert "gateway.internal:8081" in hosts
    assert "GATEWAY.internal" in hosts
    assert "other.internal" not in hosts


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])
def test_listening_everywhere_answers_to_addresses_but_not_to_names(everywhere: str) -> None:
    hosts = AllowedHosts(everywhere)
    assert "10.0.0.1:8081" in hosts
    assert "[2001:db8::1]:8081" in hosts
    assert "evil.example:8081" not in hosts
