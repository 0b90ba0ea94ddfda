"""A base URL may name anything, a caller can name nothing, and a name leads nowhere odd."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.process.programs import wait_until
from tests.support.dns import NameServer
from tests.support.gateway import Running, start
from tests.support.hop import CHAT, KEY, UPSTREAM_KEY, Hop, body, config, post
from tests.support.upstream import Read, Send, Upstream, reply
from tests.support.wire import Wire, request

pytestmark = pytest.mark.behaviour("B21")

# One address in twelve spellings, each with the canary's port.
SPELLINGS = [
    "127.0.0.1:{port}",
    "2130706433:{port}",
    "0x7f000001:{port}",
    "0x7f.0.0.1:{port}",
    "0177.0.0.1:{port}",
    "127.1:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "[::1]:{port}",
    "localhost:{port}",
    "localhost.:{port}",
    "user:secret@127.0.0.1:{port}",
    "up.test@127.0.0.1:{port}",
]

# Where a caller may write a model's name: each is tried with each spelling.
MODELS = [
    "http://{host}/v1",
    "//{host}/v1",
    "@{host}/",
    "../../../../{host}/x",
    "..%2f..%2f{host}",
    "%2f%2f{host}%2fv1",
    "m?x=http://{host}",
    "m#@{host}",
    "m\r\nHost: {host}\r\n\r\n",
    "m HTTP/1.1\r\nHost: {host}\r\nx: y",
    "\\\\{host}\\share",
    "m;url=http://{host}",
]


@dataclass
class Site:
    """A gateway, the upstream it was told of, and one that nobody may lead it to."""

    running: Running
    upstream: Upstream
    canary: Upstream

    def spellings(self) -> list[str]:
        """The canary's address, in every way there is."""
        port = self.canary.address[1]
        return [spelling.format(port=port) for spelling in SPELLINGS]

    def check(self) -> None:
        """Nothing reached the canary, and what went upstream went where it was configured to go."""
        host, port = self.upstream.address
        for seen in self.upstream.requests:
            assert seen.headers["host"] == f"{host}:{port}"
            path = seen.request_line.split(" ")[1].partition("?")[0]
            assert path == CHAT or path.startswith("/openai/deployments/"), path
            if path != CHAT:
                # One segment, whatever it holds.
                parts = path.split("/")
                assert parts[4:] == ["chat", "completions"], path
                assert parts[3] not in {"", ".", ".."}
            assert seen.request_line.endswith(" HTTP/1.1")
        assert self.canary.connections == 0


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Upstream() as upstream, Upstream() as canary:
        folder = tmp_path_factory.mktemp("ssrf")
        path = folder / "llm-edge.yaml"
        azure = {
            "type": "azure_openai",
            "base_url": upstream.url,
            "api_key": UPSTREAM_KEY,
            "api_version": "2024-10-21",
        }
        text = config(upstream.url).replace(
            "providers: {", f'providers: {{"azure":{msgspec.json.encode(azure).decode()},'
        )
        path.write_text(text)
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        yield Site(running, upstream, canary)
        running.stop()


@pytest.fixture
def site(shared_site: Site) -> Site:
    shared_site.upstream.reset()
    return shared_site


def send(site: Site, data: bytes) -> int:
    """The status of the answer; 0 when the connection just ended."""
    with Wire(site.running.address) as wire:
        wire.send(data)
        try:
            return wire.answer().status
        except (AssertionError, ConnectionError):
            return 0


def named(provider: str, model: str) -> bytes:
    said = [{"role": "user", "content": "x"}]
    return msgspec.json.encode({"model": f"{provider}/{model}", "messages": said})


@pytest.mark.parametrize("provider", ["up", "azure"])
@pytest.mark.parametrize("model", MODELS)
def test_no_name_of_a_model_leads_elsewhere(site: Site, provider: str, model: str) -> None:
    for host in site.spellings():
        data = named(provider, model.format(host=host))
        assert send(site, post(data=data)) in {200, 400, 404}
    assert site.upstream.requests
    site.check()


def test_no_path_or_query_leads_elsewhere(site: Site) -> None:
    answers = set()
    for host, (before, after) in itertools.product(
        site.spellings(),
        [
            ("http://{host}", ""),
            ("//{host}", ""),
            ("/{host}", ""),
            ("/http://{host}", ""),
            ("/..//{host}", ""),
            ("", "?base_url=http://{host}&api_base={host}"),
            ("", "?@{host}/"),
            ("", "#@{host}"),
        ],
    ):
        target = before.format(host=host) + CHAT + after.format(host=host)
        fields = (f"Authorization: Bearer {KEY}", "Content-Type: application/json")
        answers.add(send(site, request(target, body(), *fields)))
    assert answers <= {200, 400, 404}
    site.check()


HEADERS = [
    "Host: {host}",
    "X-Forwarded-Host: {host}",
    "X-Forwarded-For: {host}",
    "Forwarded: host={host};proto=https",
    "X-Original-URL: http://{host}/",
    "X-Rewrite-URL: //{host}/",
    "X-Base-URL: http://{host}/v1",
    "X-Portkey-Custom-Host: http://{host}/v1",
    "Openai-Base-Url: http://{host}/v1",
    "Proxy: http://{host}",
    "Location: http://{host}/",
    "Connection: host",
]


@pytest.mark.parametrize("header", HEADERS)
def test_no_header_leads_elsewhere(site: Site, header: str) -> None:
    for host in site.spellings():
        send(site, post(CHAT, body(), header.format(host=host)))
    site.check()


def test_no_field_of_the_body_leads_elsewhere(site: Site) -> None:
    for host in site.spellings():
        data = msgspec.json.decode(body())
        for name in ("base_url", "api_base", "endpoint", "url", "proxy", "custom_llm_provider"):
            data[name] = f"http://{host}/v1"
        assert send(site, post(data=msgspec.json.encode(data))) == 200
    site.check()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_passed_on_and_not_followed(site: Site, status: int) -> None:
    for host in site.spellings():
        location = f"Location: http://{host}/v1/chat/completions"
        site.upstream.once(Read(), Send(reply(b"{}", f"{status} Moved", location)))
        assert send(site, post()) == status
    site.check()


# What a name may lead to.

NUMBERS = [
    "2130706433",
    "0x7f000001",
    "0x7F.1",
    "0177.0.0.1",
    "017700000001",
    "127.1",
    "127.0.1",
    "0x7f.0x0.0x0.0x1",
    "0",
    "0x0",
    "00000000000",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_that_is_no_address_as_written_is_a_name_and_leads_to_none_of_ours(
    tmp_path: Path, number: str
) -> None:
    with Upstream(host="0.0.0.0") as canary:
        port = canary.address[1]
        path = tmp_path / "llm-edge.yaml"
        path.write_text(config(f"http://{number}:{port}"))
        running = start(["serve", "--config", str(path), "--workers", "1"], tmp_path / "home")
        hop = Hop(running, canary)
        answer = hop.ask(post())
        assert answer.status == 502
        assert canary.connections == 0
        # Where it leads is the operator's business alone.
        assert b"127.0.0.1" not in answer.body
        running.stop()


@dataclass
class Named:
    """A gateway whose upstream is a name, and what listens on every address of this machine."""

    hop: Hop
    names: NameServer
    canary: Upstream


@pytest.fixture
def named_site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Named]:
    options = getattr(request, "param", {})
    with NameServer() as names, Upstream(host="0.0.0.0") as canary:
        path = tmp_path / "llm-edge.yaml"
        url = f"http://up.test:{canary.address[1]}"
        path.write_text(config(url, "limits: {dns_ttl_ms: 300}", options=options))
        running = start(
            ["serve", "--config", str(path), "--workers", "1"],
            tmp_path / "home",
            launcher=names.launcher(tmp_path),
        )
        yield Named(Hop(running, canary), names, canary)
        running.stop()


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.9.10", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fd00:ec2::254", "metadata"),
        ("100.100.100.200", "metadata"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
    ],
)
def test_a_name_that_leads_to_a_special_address_is_refused(
    named_site: Named, address: str, kind: str
) -> None:
    named_site.names.names["up.test"] = [address]
    answer = named_site.hop.ask(post())
    assert answer.status == 502
    message = msgspec.json.decode(answer.body)["error"]["message"]
    assert kind in message
    assert "allow_addresses" in message
    assert named_site.canary.connections == 0


@pytest.mark.parametrize("named_site", [{"allow_addresses": ["127.0.0.1"]}], indirect=True)
def test_a_name_that_is_bound_anew_is_looked_at_anew(named_site: Named) -> None:
    hop, names, canary = named_site.hop, named_site.names, named_site.canary
    names.names["up.test"] = ["127.0.0.1"]
    assert hop.ask(post()).status == 200
    assert canary.connections == 1
    names.names["up.test"] = ["127.0.0.2"]
    # The pooled connection goes with the answer that it was made by.
    wait_until(lambda: canary.open_connections == 0)
    assert hop.ask(post()).status == 502
    assert canary.connections == 1
    # Of several addresses only those that are allowed are tried.
    names.names["up.test"] = ["127.0.0.2", "127.0.0.1", "169.254.169.254"]
    wait_until(lambda: hop.ask(post()).status == 200)


@pytest.mark.parametrize("named_site", [{"allow_addresses": ["127.0.0.0/8"]}], indirect=True)
def test_what_is_allowed_is_used(named_site: Named) -> None:
    named_site.names.names["up.test"] = ["127.3.2.1"]
    assert named_site.hop.ask(post()).status == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_what_is_this_machine_by_definition_needs_no_word(tmp_path: Path, host: str) -> None:
    with Upstream(host="::1" if "::" in host else "127.0.0.1") as upstream:
        path = tmp_path / "llm-edge.yaml"
        path.write_text(config(f"http://{host}:{upstream.address[1]}"))
        running = start(["serve", "--config", str(path), "--workers", "1"], tmp_path / "home")
        assert Hop(running, upstream).ask(post()).status == 200
        running.stop()
