"""Which proxy leads where, as the environment says: what curl and Go do, and where they differ."""

from typing import Any

import pytest

from llm_edge_agent.config import load_tree
from llm_edge_agent.config.address import parse_base_url
from llm_edge_agent.config.proxies import (
    ProxyUrl,
    is_bypassed,
    parse_proxy,
    proxy_from_environment,
)
from llm_edge_agent.config.show import resolved
from llm_edge_agent.errors import ConfigError


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "bypassed"),
    [
        ("", "a.test", 443, False),
        ("*", "a.test", 443, True),
        ("x.test,*", "a.test", 443, True),
        ("a.test", "a.test", 443, True),
        ("A.TEST", "a.test.", 443, True),
        ("a.test", "b.a.test", 443, True),
        ("a.test", "ba.test", 443, False),
        (".a.test", "b.a.test", 443, True),
        # As with curl, and not as with Go.
        (".a.test", "a.test", 443, True),
        ("*.a.test", "b.a.test", 443, True),
        ("b.test  a.test,", "a.test", 443, True),
        ("a.test:443", "a.test", 443, True),
        ("a.test:80", "a.test", 443, False),
        ("a.test:x", "a.test", 443, False),
        (".", "a.test", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.1.2.3/8", "10.200.0.1", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        # A name is not resolved for this.
        ("10.0.0.0/8", "a.test", 443, False),
        ("10.0.0.0/99", "10.1.2.3", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3:443", "10.1.2.3", 443, True),
        ("10.1.2.3:80", "10.1.2.3", 443, False),
        ("2.3", "10.1.2.3", 443, False),
        ("fd00::/8", "fd00::1", 443, True),
        ("fd00::1", "fd00:0::1", 443, True),
        ("[fd00::1]", "fd00::1", 443, True),
        ("[fd00::1]:443", "fd00::1", 443, True),
        ("[fd00::1]:80", "fd00::1", 443, False),
        ("fd00::/8", "10.1.2.3", 443, False),
    ],
)
def test_no_proxy_is_read_as_curl_reads_it(
    no_proxy: str, host: str, port: int, *, bypassed: bool
) -> None:
    assert is_bypassed(no_proxy, host, port) is bypassed


@pytest.mark.parametrize(
    ("url", "env", "variable"),
    [
        ("https://a.test", {"HTTPS_PROXY": "p"}, "HTTPS_PROXY"),
        ("https://a.test", {"HTTPS_PROXY": "p", "https_proxy": "q"}, "https_proxy"),
        ("https://a.test", {"HTTPS_PROXY": "p", "https_proxy": ""}, "HTTPS_PROXY"),
        ("https://a.test", {"HTTP_PROXY": "p", "ALL_PROXY": "q"}, None),
        ("http://a.test", {"HTTP_PROXY": "p"}, "HTTP_PROXY"),
        # What a client sent as `Proxy:` to a CGI program.
        ("http://a.test", {"HTTP_PROXY": "p", "REQUEST_METHOD": "GET"}, None),
        ("http://a.test", {"http_proxy": "p", "REQUEST_METHOD": "GET"}, "http_proxy"),
        ("https://a.test", {"HTTPS_PROXY": "p", "NO_PROXY": "a.test"}, None),
        (
            "https://a.test",
            {"HTTPS_PROXY": "p", "no_proxy": "b", "NO_PROXY": "a.test"},
            "HTTPS_PROXY",
        ),
        ("https://127.0.0.1", {"HTTPS_PROXY": "p"}, None),
        ("https://[::1]", {"HTTPS_PROXY": "p"}, None),
        ("https://LOCALHOST", {"HTTPS_PROXY": "p"}, None),
    ],
)
def test_a_variable_for_each_scheme(url: str, env: dict[str, str], variable: str | None) -> None:
    assert proxy_from_environment(parse_base_url(url), env) == variable


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://p.test:3128", ProxyUrl("p.test", 3128, None)),
        ("http://p.test/", ProxyUrl("p.test", 80, None)),
        ("HTTP://p.test", ProxyUrl("p.test", 80, None)),
        ("p.test:8080", ProxyUrl("p.test", 8080, None)),
        ("http://[fd00::1]:3128", ProxyUrl("fd00::1", 3128, None)),
        ("http://u:p%40@p.test", ProxyUrl("p.test", 80, "Basic dTpwQA==")),
        ("http://u@p.test", ProxyUrl("p.test", 80, "Basic dTo=")),
        ("u:p@p.test:1", ProxyUrl("p.test", 1, "Basic dTpw")),
    ],
)
def test_a_proxys_url_is_taken_apart(text: str, url: ProxyUrl) -> None:
    assert parse_proxy(text) == url
    assert "Basic" not in repr(parse_proxy(text))


@pytest.mark.parametrize(
    "text",
    [
        "https://u:secret@p.test:3128",
        "socks5://u:secret@p.test",
        "ftp://u:secret@p.test",
        "http://u:secret@p.test:99999",
        "http://u:secret@p.test:0",
        "http://u:secret@",
        "http://u:secret@p.test/path",
        "http://u:se?cret@p.test",
        "http://u:secret%0d%0a@p.test",
        "http://u%3A:secret@p.test",
        "http://u:secret@p test",
    ],
)
def test_what_is_no_proxy_is_refused_without_repeating_it(text: str) -> None:
    tree = {"providers": {"p": {"type": "openai", "api_key": "x", "proxy": text}}}
    with pytest.raises(ConfigError) as caught:
        load_tree(tree, env={})
    (fault,) = caught.value.errors
    assert fault.path == "providers.p.proxy"
    assert "http" in fault.hint
    assert "secret" not in str(fault)


def test_a_variable_that_is_no_proxy_is_named() -> None:
    tree = {"providers": {"p": {"type": "openai", "api_key": "x"}}}
    with pytest.raises(ConfigError, match=r"HTTPS_PROXY: providers\.p\.proxy: `socks5` is not"):
        load_tree(tree, env={"HTTPS_PROXY": "socks5://p.test"})


def test_the_configuration_comes_before_the_environment_and_shows_no_proxy() -> None:
    def proxy_of(options: dict[str, Any]) -> str | None:
        provider = {"type": "openai", "api_key": "x", **options}
        loaded = load_tree(
            {"providers": {"p": provider}}, env={"HTTPS_PROXY": "http://u:secret@env.test"}
        )
        assert "secret" not in str(resolved(loaded.config))
        found = loaded.config.providers["p"].proxy
        return found.reveal() if found else None

    assert proxy_of({}) == "http://u:secret@env.test"
    assert proxy_of({"proxy": "http://own.test"}) == "http://own.test"
    assert proxy_of({"proxy": None}) is None


def test_the_mock_is_behind_no_proxy() -> None:
    tree: dict[str, Any] = {"providers": {"m": {"type": "mock", "proxy": "http://p.test"}}}
    with pytest.raises(ConfigError, match="not reached through a proxy"):
        load_tree(tree, env={})
