"""A provider behind a proxy: CONNECT, TLS with the provider itself, a clear word when it fails."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.process.programs import wait_until
from tests.conftest import Serve
from tests.support.certificates import Authority
from tests.support.dns import NameServer
from tests.support.gateway import Running, start
from tests.support.hop import KEY, UPSTREAM_KEY, body, post
from tests.support.http2_upstream import Http2Upstream, ServerStream
from tests.support.proxy import ConnectProxy
from tests.support.streams import whole
from tests.support.upstream import Close, Read, Send, Upstream, reply
from tests.support.wire import Answer, Wire

NAME = "upstream.test"
USER, PASSWORD = "gate way", "p@ss:w/rd"
SHOWN = "gate%20way:p%40ss%3Aw%2Frd"

Configure = Callable[..., str]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with ConnectProxy() as server:
        yield server


@pytest.fixture
def secure(authority: Authority) -> Iterator[Upstream]:
    with Upstream(tls=authority.issue(NAME).server_context()) as upstream:
        yield upstream


def config(url: str, more: str = "", *, areas: str = "") -> str:
    """One provider with these further options."""
    return f"""
version: 1
keys: [{{name: app, key: {KEY}}}]
request_log: {{mode: all}}
providers:
  up:
    type: openai_compatible
    base_url: "{url}/v1"
    api_key: {UPSTREAM_KEY}
{more}
{areas}
"""


def options(**given: object) -> str:
    return "\n".join(f"    {name}: {msgspec.json.encode(v).decode()}" for name, v in given.items())


def ask(running: Running, data: bytes | None = None) -> Answer:
    with Wire(running.address) as wire:
        wire.send(post() if data is None else data)
        return wire.answer()


def named(upstream: Upstream, scheme: str) -> str:
    """The upstream by a name that only the proxy knows."""
    return f"{scheme}://{NAME}:{upstream.address[1]}"


def lead(proxy: ConnectProxy, upstream: Upstream) -> None:
    proxy.names[f"{NAME}:{upstream.address[1]}"] = upstream.address


def fault(answer: Answer) -> tuple[str, str]:
    error = msgspec.json.decode(answer.body)["error"]
    return error["code"], error["message"]


def test_tls_is_spoken_with_the_provider_through_one_tunnel(
    serve: Serve, authority: Authority, secure: Upstream, proxy: ConnectProxy
) -> None:
    lead(proxy, secure)
    more = options(proxy=proxy.url, ca_file=str(authority.ca_file))
    running = serve(config(named(secure, "https"), more))
    with Wire(running.address) as wire:
        for _ in range(3):
            wire.send(post())
            assert wire.answer().body == b"{}"
    (asked,) = proxy.asked
    target = f"{NAME}:{secure.address[1]}"
    assert (asked.method, asked.target, asked.headers["host"]) == ("CONNECT", target, target)
    assert "proxy-authorization" not in asked.headers
    # Nothing of the request is the proxy's to see.
    assert set(asked.headers) == {"host"}
    assert [got.request_line for got in secure.requests] == [
        "POST /v1/chat/completions HTTP/1.1"
    ] * 3
    assert secure.requests[0].headers["host"] == target


def test_the_certificate_is_still_the_providers(
    serve: Serve, authority: Authority, secure: Upstream, proxy: ConnectProxy
) -> None:
    port = secure.address[1]
    proxy.names[f"other.test:{port}"] = secure.address
    more = options(proxy=proxy.url, ca_file=str(authority.ca_file))
    answer = ask(serve(config(f"https://other.test:{port}", more)))
    assert answer.status == 502
    assert "TLS handshake" in fault(answer)[1]
    assert secure.requests == []


def test_a_provider_without_tls_is_reached_by_connect_too(
    serve: Serve, upstream: Upstream, proxy: ConnectProxy
) -> None:
    lead(proxy, upstream)
    running = serve(config(named(upstream, "http"), options(proxy=proxy.url)))
    assert ask(running).body == b"{}"
    assert proxy.asked[0].method == "CONNECT"
    assert upstream.requests[0].request_line == "POST /v1/chat/completions HTTP/1.1"
    assert "proxy-authorization" not in upstream.requests[0].headers


def test_a_user_and_a_password_are_shown_and_never_told(
    serve: Serve, upstream: Upstream, proxy: ConnectProxy
) -> None:
    lead(proxy, upstream)
    proxy.user = f"{USER}:{PASSWORD}"
    # Each request needs a tunnel of its own.
    upstream.always(Read(), Send(reply(b"{}", "200 OK", "Connection: close")), Close())
    url = f"http://{SHOWN}@{proxy.host}:{proxy.port}"
    running = serve(config(named(upstream, "http"), options(proxy=url)))
    answer = ask(running)
    assert answer.status == 200
    proxy.user = "somebody:else"
    refused = ask(running)
    assert (refused.status, refused.values("x-should-retry")) == (502, ["true"])
    code, message = fault(refused)
    assert code == "upstream_unreachable"
    assert f"its proxy `{proxy.host}:{proxy.port}`" in message
    assert "does not accept our user and password (407)" in message
    shown = answer.body + refused.body + "".join(running.scrape()).encode()
    shown += msgspec.json.encode([running.ask_admin("config"), running.ask_admin("status")])
    shown += running.stop().encode()
    secrets = (PASSWORD, SHOWN, "p%40ss", proxy.asked[0].headers["proxy-authorization"][6:])
    for secret in secrets:
        assert secret.encode() not in shown


def test_a_proxy_that_asks_who_it_is_says_so(
    serve: Serve, upstream: Upstream, proxy: ConnectProxy
) -> None:
    proxy.user = "a:b"
    running = serve(config(named(upstream, "http"), options(proxy=proxy.url)))
    assert "asks for a user and a password (407)" in fault(ask(running))[1]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "refuses to connect (status 403)"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", "refuses to connect (status 503)"),
        (b"HTTP/1.0 302 Found\r\nLocation: /login\r\n\r\n", "refuses to connect (status 302)"),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "does not answer as an HTTP proxy does"),
        (b"\x05\x00", "does not answer as an HTTP proxy does"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000, "does not answer as an HTTP proxy does"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3, "closed the connection before it answered"),
        (b"HTTP/1.1 200 O", "closed the connection before it answered"),
        (b"", "closed the connection before it answered"),
    ],
)
def test_what_a_proxy_answers_instead_is_told(
    serve: Serve, upstream: Upstream, proxy: ConnectProxy, answer: bytes, says: str
) -> None:
    proxy.answer = answer
    running = serve(config(named(upstream, "http"), options(proxy=proxy.url)))
    got = ask(running)
    code, message = fault(got)
    assert (got.status, code) == (502, "upstream_unreachable")
    assert f"its proxy `{proxy.host}:{proxy.port}` is of no use: it" in message
    assert says in message
    assert got.values("x-should-retry") == ["true"]
    assert upstream.connections == 0


def test_a_proxy_that_nobody_runs_is_told(
    serve: Serve, upstream: Upstream, closed_port: int
) -> None:
    url = f"http://me:secret@127.0.0.1:{closed_port}"
    running = serve(config(named(upstream, "http"), options(proxy=url)))
    code, message = fault(ask(running))
    assert code == "upstream_unreachable"
    assert (
        f"its proxy `127.0.0.1:{closed_port}` is of no use: it does not accept connections"
        in message
    )
    assert "secret" not in message


def test_the_connect_deadline_holds_for_the_tunnel(
    serve: Serve, upstream: Upstream, proxy: ConnectProxy
) -> None:
    proxy.silent = True
    route = (
        "routes: {chat: {models: [chat], targets: [{provider: up, model: m}], "
        "deadlines: {connect_ms: 300}}}"
    )
    running = serve(config(named(upstream, "http"), options(proxy=proxy.url), areas=route))
    started = time.monotonic()
    answer = ask(running, post(data=body().replace(b"up/m", b"chat")))
    assert 0.25 < time.monotonic() - started < 3
    code, message = fault(answer)
    assert (answer.status, code) == (504, "upstream_timeout")
    assert f"through its proxy `{proxy.host}:{proxy.port}`" in message


@pytest.mark.parametrize("setting", [{"interim": b"HTTP/1.1 102 Wait\r\n\r\n"}, {"piece": 1}])
def test_an_answer_may_come_slowly_and_after_interim_ones(
    serve: Serve, upstream: Upstream, setting: dict[str, object]
) -> None:
    with ConnectProxy(**setting) as proxy:  # type: ignore[arg-type]
        lead(proxy, upstream)
        running = serve(config(named(upstream, "http"), options(proxy=proxy.url)))
        assert ask(running).status == 200


def test_http2_is_found_inside_the_tunnel(
    serve: Serve, authority: Authority, proxy: ConnectProxy
) -> None:
    tls = authority.issue(NAME).server_context()
    tls.set_alpn_protocols(["h2", "http/1.1"])
    with Http2Upstream(tls=tls) as upstream:
        upstream.always(ServerStream.events)
        port = int(upstream.url.rpartition(":")[2])
        proxy.names[f"{NAME}:{port}"] = ("127.0.0.1", port)
        more = options(proxy=proxy.url, ca_file=str(authority.ca_file), http2="auto")
        running = serve(config(f"https://{NAME}:{port}", more))
        for _ in range(3):
            assert ask(running, post(data=body(stream=True))).body == whole("chat")
        assert len(upstream.connections) == 1
        assert upstream.requests[0].headers[":authority"] == f"{NAME}:{port}"
    assert len(proxy.asked) == 1


def test_what_the_upstream_says_first_is_not_lost(serve: Serve) -> None:
    # HTTP/2 by prior knowledge: the server's settings come right behind the proxy's answer.
    with ConnectProxy(eager=True) as proxy, Http2Upstream() as upstream:
        upstream.always(ServerStream.events)
        port = int(upstream.url.rpartition(":")[2])
        proxy.names[f"{NAME}:{port}"] = ("127.0.0.1", port)
        more = options(proxy=proxy.url, http2="always")
        running = serve(config(f"http://{NAME}:{port}", more))
        assert ask(running, post(data=body(stream=True))).body == whole("chat")


def test_the_environment_names_the_proxy(
    serve: Serve, authority: Authority, secure: Upstream, upstream: Upstream, proxy: ConnectProxy
) -> None:
    lead(proxy, secure)
    lead(proxy, upstream)
    more = options(ca_file=str(authority.ca_file))
    running = serve(
        config(named(secure, "https"), more),
        env={"HTTPS_PROXY": proxy.url, "HTTP_PROXY": "http://127.0.0.1:1"},
    )
    assert ask(running).status == 200
    # The lower case comes first, and a proxy may be written without its scheme.
    running = serve(
        config(named(upstream, "http")),
        env={"http_proxy": proxy.url.removeprefix("http://"), "HTTP_PROXY": "http://127.0.0.1:1"},
    )
    assert ask(running).status == 200
    assert len(proxy.asked) == 2


def test_loopback_is_never_behind_the_environments_proxy(
    serve: Serve, upstream: Upstream, proxy: ConnectProxy
) -> None:
    port = upstream.address[1]
    for host in ("127.0.0.1", "localhost"):
        running = serve(config(f"http://{host}:{port}"), env={"HTTP_PROXY": proxy.url})
        assert ask(running).status == 200
    assert proxy.asked == []


def test_no_proxy_and_null_lead_past_it(
    tmp_path: Path, upstream: Upstream, proxy: ConnectProxy
) -> None:
    environments = [
        ("", {"HTTP_PROXY": proxy.url, "NO_PROXY": "other.test, .test"}),
        (options(proxy=None), {"HTTP_PROXY": proxy.url}),
    ]
    with NameServer() as names:
        names.names[NAME] = ["127.0.0.1"]
        for at, (more, env) in enumerate(environments):
            folder = tmp_path / str(at)
            folder.mkdir()
            path = folder / "llm-edge.yaml"
            allowed = options(allow_addresses=["127.0.0.1"])
            path.write_text(config(named(upstream, "http"), f"{allowed}\n{more}"))
            running = start(
                ["serve", "--config", str(path), "--workers", "1"],
                folder / "home",
                env,
                launcher=names.launcher(folder),
            )
            assert ask(running).status == 200
            running.stop()
    assert proxy.asked == []


def test_a_proxys_name_leads_no_further_than_a_providers(
    tmp_path: Path, upstream: Upstream, proxy: ConnectProxy
) -> None:
    lead(proxy, upstream)
    with NameServer() as names:
        names.names["proxy.test"] = ["127.0.0.1"]
        path = tmp_path / "llm-edge.yaml"
        text = config(named(upstream, "http"), options(proxy=f"http://proxy.test:{proxy.port}"))
        path.write_text(text)
        running = start(
            ["serve", "--config", str(path), "--workers", "1"],
            tmp_path / "home",
            launcher=names.launcher(tmp_path),
        )
        code, message = fault(ask(running))
        assert code == "upstream_unreachable"
        assert f"its proxy `proxy.test:{proxy.port}`" in message
        assert "loopback" in message
        assert proxy.asked == []
        path.write_text(
            text.replace("    api_key", '    allow_addresses: ["127.0.0.1"]\n    api_key')
        )
        wait_until(lambda: ask(running).status == 200)
        # The provider's own name was the proxy's to resolve.
        assert NAME not in names.names
        running.stop()


def test_a_reload_takes_another_proxy(
    serve: Serve, upstream: Upstream, proxy: ConnectProxy
) -> None:
    lead(proxy, upstream)
    with ConnectProxy(user="a:b") as second:
        lead(second, upstream)
        running = serve(config(named(upstream, "http"), options(proxy=proxy.url)))
        assert ask(running).status == 200
        path = running.log_path.with_name("llm-edge.yaml")
        url = f"http://a:b@{second.host}:{second.port}"
        path.write_text(config(named(upstream, "http"), options(proxy=url)))
        wait_until(lambda: ask(running).status == 200 and len(second.asked) == 1)
        assert len(proxy.asked) == 1


def test_another_target_is_asked_where_the_proxy_fails(
    serve: Serve, upstream: Upstream, proxy: ConnectProxy
) -> None:
    proxy.answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    routes = f"""
  other: {{type: openai_compatible, base_url: "{upstream.url}/v1"}}
routes:
  chat:
    models: [chat]
    strategy: ordered
    targets: [{{provider: up, model: m}}, {{provider: other, model: m}}]
"""
    running = serve(config("http://upstream.test:9", options(proxy=proxy.url) + routes))
    answer = ask(running, post(data=body().replace(b"up/m", b"chat")))
    assert (answer.status, answer.headers["x-llm-edge-provider"]) == (200, "other")


def test_a_probe_goes_through_it_too(serve: Serve, upstream: Upstream, proxy: ConnectProxy) -> None:
    lead(proxy, upstream)
    more = options(proxy=proxy.url, health={"interval_ms": 100})
    serve(config(named(upstream, "http"), more))
    wait_until(lambda: len(upstream.requests) >= 1)
    assert upstream.requests[0].request_line == "GET /v1/models HTTP/1.1"
    assert proxy.asked[0].method == "CONNECT"
