"""A provider that asks who the gateway is sees its certificate, and that of no other provider."""

import shutil
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from tests.behaviour.process.programs import wait_until
from tests.conftest import Serve
from tests.support.certificates import Authority, Issued
from tests.support.gateway import Running
from tests.support.hop import KEY, body, post
from tests.support.http2_upstream import Http2Upstream, ServerStream
from tests.support.upstream import Upstream
from tests.support.wire import Answer, Wire

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  up: {{type: openai_compatible, base_url: "{url}/v1", ca_file: "{ca}", {more}}}
"""


@dataclass
class Asking(Upstream):
    """An upstream that keeps the serial number of the certificate on each connection."""

    serials: list[int | None] = field(default_factory=list)
    resumed: list[bool] = field(default_factory=list)

    def _handshake(self, connection: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        wrapped = super()._handshake(connection, tls)
        assert isinstance(wrapped, ssl.SSLSocket)
        shown = wrapped.getpeercert(binary_form=True)
        serial = x509.load_der_x509_certificate(shown).serial_number if shown else None
        self.serials.append(serial)
        self.resumed.append(bool(wrapped.session_reused))
        return wrapped


def serial_of(issued: Issued) -> int:
    return x509.load_pem_x509_certificate(issued.cert_file.read_bytes()).serial_number


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def asking(authority: Authority, *, required: bool = True) -> ssl.SSLContext:
    context = authority.issue("127.0.0.1").server_context()
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    context.load_verify_locations(authority.ca_file)
    return context


@pytest.fixture
def strict(authority: Authority) -> Iterator[Asking]:
    with Asking(tls=asking(authority)) as upstream:
        yield upstream


def shows(issued: Issued) -> str:
    return f'cert_file: "{issued.cert_file}", key_file: "{issued.key_file}"'


def start(serve: Serve, url: str, authority: Authority, more: str = "") -> Running:
    text = CONFIG.format(key=KEY, url=url, ca=authority.ca_file, more=more)
    return serve(text.replace(", }", "}"))


def ask(running: Running, model: str = "up/m") -> Answer:
    with Wire(running.address) as wire:
        wire.send(post(data=body().replace(b"up/m", model.encode())))
        return wire.answer()


def test_it_is_shown_to_who_asks(serve: Serve, authority: Authority, strict: Asking) -> None:
    own = authority.issue("gateway.test")
    running = start(serve, strict.url, authority, shows(own))
    for _ in range(3):
        assert ask(running).body == b"{}"
    assert strict.serials == [serial_of(own)]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_without_one_the_caller_is_told_what_the_provider_said(
    serve: Serve, authority: Authority, strict: Asking, version: ssl.TLSVersion
) -> None:
    assert strict.tls
    strict.tls.minimum_version = strict.tls.maximum_version = version
    running = start(serve, strict.url, authority)
    answer = ask(running)
    error = msgspec.json.decode(answer.body)["error"]
    assert answer.status == 502
    # TLS 1.2 refuses before a byte of the request is written, 1.3 after it.
    code = "upstream_unreachable" if version == ssl.TLSVersion.TLSv1_2 else "upstream_closed"
    assert error["code"] == code
    assert strict.requests == []


def test_one_of_another_authority_is_refused(
    serve: Serve, authority: Authority, strict: Asking, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger").issue("gateway.test")
    running = start(serve, strict.url, authority, shows(stranger))
    assert ask(running).status == 502
    assert strict.requests == []


def test_it_is_shown_over_http2_too(serve: Serve, authority: Authority) -> None:
    tls = asking(authority)
    tls.set_alpn_protocols(["h2"])
    with Http2Upstream(tls=tls) as upstream:
        upstream.always(ServerStream.events)
        own = authority.issue("gateway.test")
        running = start(serve, upstream.url, authority, f"http2: always, {shows(own)}")
        with Wire(running.address) as wire:
            wire.send(post(data=body(stream=True)))
            assert wire.answer().status == 200


def test_a_renewed_one_is_shown_by_new_connections(
    serve: Serve, authority: Authority, strict: Asking, tmp_path: Path
) -> None:
    first, second = authority.issue("gateway.test"), authority.issue("gateway.test")
    own = Issued(tmp_path / "own.pem", tmp_path / "own.key")
    shutil.copyfile(first.cert_file, own.cert_file)
    shutil.copyfile(first.key_file, own.key_file)
    running = start(serve, strict.url, authority, shows(own))
    assert ask(running).status == 200
    # A certificate without its key changes nothing.
    shutil.copyfile(second.cert_file, own.cert_file)
    wait_until(lambda: "reload_refused" in running.log())
    assert f"is not the key of the certificate in `{own.cert_file}`" in running.log()
    assert ask(running).status == 200
    assert set(strict.serials) == {serial_of(first)}
    shutil.copyfile(second.key_file, own.key_file)
    wait_until(lambda: ask(running).status == 200 and strict.serials[-1] == serial_of(second))
    assert running.scrape()["llm_edge_config_reload_success"] == 1
    key = own.key_file.read_text().splitlines()[1]
    shown = msgspec.json.encode([running.ask_admin("config"), running.ask_admin("status")])
    assert key.encode() not in shown
    assert key not in running.stop()


def test_providers_at_one_address_do_not_show_each_others(
    serve: Serve, authority: Authority
) -> None:
    one, two = authority.issue("one.test"), authority.issue("two.test")
    with Asking(tls=asking(authority, required=False)) as upstream:
        common = f'type: openai_compatible, base_url: "{upstream.url}/v1"'
        common += f', ca_file: "{authority.ca_file}"'
        running = serve(
            f"""
version: 1
keys: [{{name: app, key: {KEY}}}]
limits: {{upstream_idle_max: 0}}
providers:
  one: {{{common}, {shows(one)}}}
  two: {{{common}, {shows(two)}}}
  none: {{{common}}}
"""
        )
        order = ["one/m", "two/m", "none/m"] * 3
        for model in order:
            assert ask(running, model).status == 200
    who: dict[str, int | None] = {"one/m": serial_of(one), "two/m": serial_of(two), "none/m": None}
    # On a session that is resumed the certificate is that of its first handshake.
    assert upstream.serials == [who[model] for model in order]
