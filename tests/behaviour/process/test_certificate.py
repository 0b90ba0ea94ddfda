"""The listener's certificate follows its files: new handshakes see it, what stands goes on."""

import shutil
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from tests.behaviour.process.programs import wait_until
from tests.behaviour.process.test_reload import epoch, metric
from tests.support.certificates import Authority, Issued
from tests.support.gateway import Running
from tests.support.hop import body, post, start_hop
from tests.support.http2 import Http2
from tests.support.streams import EVENTS
from tests.support.upstream import Read, Send, Upstream, Wait, chunk, stream_head
from tests.support.wire import Wire

pytestmark = pytest.mark.behaviour("B29")


@dataclass
class Site:
    """A gateway with TLS, and the files its certificate is in."""

    running: Running
    upstream: Upstream
    authority: Authority
    cert_file: Path
    key_file: Path

    def install(self, issued: Issued) -> None:
        """Replace both files, one after the other, each in one step."""
        for new, place in ((issued.key_file, self.key_file), (issued.cert_file, self.cert_file)):
            draft = place.with_suffix(".new")
            shutil.copyfile(new, draft)
            draft.rename(place)

    def handshake(
        self, tls: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> tuple[int, ssl.SSLSocket]:
        """The serial number of the certificate that is shown, and the connection."""
        bare = socket.create_connection(self.running.address, timeout=5)
        made = tls.wrap_socket(bare, server_hostname="127.0.0.1", session=session)
        shown = made.getpeercert(binary_form=True)
        assert shown
        return x509.load_der_x509_certificate(shown).serial_number, made

    @property
    def shown(self) -> int:
        """The serial number that a new handshake shows now."""
        number, connection = self.handshake(self.authority.client_context())
        connection.close()
        return number


def serial_of(issued: Issued) -> int:
    return x509.load_pem_x509_certificate(issued.cert_file.read_bytes()).serial_number


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    authority = Authority(tmp_path / "authority")
    files = tmp_path / "files"
    files.mkdir()
    with Upstream() as upstream:
        first = authority.issue("127.0.0.1")
        cert_file, key_file = files / "tls.crt", files / "tls.key"
        shutil.copyfile(first.cert_file, cert_file)
        shutil.copyfile(first.key_file, key_file)
        more = f'tls: {{cert_file: "{cert_file}", key_file: "{key_file}"}}'
        hop = start_hop(tmp_path / "gateway", upstream, more, "--workers", "2")
        yield Site(hop.running, upstream, authority, cert_file, key_file)
        hop.running.stop()


def test_a_new_certificate_is_shown_without_a_signal_and_connections_go_on(site: Site) -> None:
    before = site.shown
    rest = [b"".join(map(chunk, EVENTS["chat"][2:])), chunk(b"")]
    go_on = threading.Event()
    site.upstream.once(
        Read(),
        Send(stream_head() + b"".join(map(chunk, EVENTS["chat"][:2]))),
        Wait(go_on),
        Send(b"".join(rest)),
    )
    with (
        Wire(site.running.address, site.authority.client_context()) as wire,
        Http2(site.running.address, site.authority.client_context("h2")) as http2,
    ):
        wire.send(post(data=body(stream=True)))
        wire.read_until(b"data: ")
        new = site.authority.issue("127.0.0.1")
        site.install(new)
        wait_until(lambda: site.shown == serial_of(new))
        assert site.shown != before
        go_on.set()
        assert b"[DONE]" in wire.read_until(b"[DONE]")
        # The streams of a connection from before are served as well.
        number = http2.request("/livez", b"", method="GET")
        assert http2.answer(number).status == 200
    assert metric(site.running, "llm_edge_config_reload_success") == 1


def test_sighup_is_enough(site: Site) -> None:
    new = site.authority.issue("127.0.0.1")
    site.install(new)
    site.running.signal(signal.SIGHUP)
    wait_until(lambda: site.shown == serial_of(new))


@pytest.mark.parametrize("fault", ["another key", "not PEM", "empty", "missing"])
def test_a_bad_file_keeps_the_certificate_and_says_why(site: Site, fault: str) -> None:
    before = site.shown
    match fault:
        case "another key":
            shutil.copyfile(site.authority.issue("127.0.0.1").key_file, site.key_file)
        case "not PEM":
            site.cert_file.write_text("-----BEGIN CERTIFICATE-----\n!!\n")
        case "empty":
            site.cert_file.write_text("")
        case _:
            site.key_file.unlink()
    wait_until(lambda: metric(site.running, "llm_edge_config_reload_success") == 0)
    assert site.shown == before
    assert epoch(site.running) == 1
    refusals = [x for x in site.running.log().splitlines() if '"event":"reload_refused"' in x]
    assert any("tls." in line for line in refusals)
    # Mending it is enough.
    new = site.authority.issue("127.0.0.1")
    site.install(new)
    wait_until(lambda: site.shown == serial_of(new))
    wait_until(lambda: metric(site.running, "llm_edge_config_reload_success") == 1)


def test_a_refused_configuration_does_not_bring_its_certificate(site: Site) -> None:
    before = site.shown
    path = site.running.log_path.with_name("llm-edge.yaml")
    good = path.read_text()
    path.write_text(good + "\nnonsense: 1\n")
    site.install(site.authority.issue("127.0.0.1"))
    wait_until(lambda: metric(site.running, "llm_edge_config_reload_success") == 0)
    assert site.shown == before
    path.write_text(good)
    wait_until(lambda: site.shown != before)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_across_the_change(site: Site, version: ssl.TLSVersion) -> None:
    tls = site.authority.client_context()
    tls.minimum_version = tls.maximum_version = version
    _, first = site.handshake(tls)
    assert not first.session_reused
    first.sendall(post())
    assert b"200 OK" in first.recv(65_536)
    session = first.session
    first.close()
    new = site.authority.issue("127.0.0.1")
    site.install(new)
    wait_until(lambda: site.shown == serial_of(new))
    _, second = site.handshake(tls, session)
    assert second.session_reused
    second.sendall(post())
    assert b"200 OK" in second.recv(65_536)
    second.close()


def test_an_upstreams_authority_follows_its_file(tmp_path: Path) -> None:
    first, second = Authority(tmp_path / "first"), Authority(tmp_path / "second")
    ca_file = tmp_path / "ca.pem"
    shutil.copyfile(first.ca_file, ca_file)
    with Upstream(tls=second.issue("127.0.0.1").server_context()) as upstream:
        folder = tmp_path / "gateway"
        hop = start_hop(folder, upstream, ca_file=ca_file)
        assert hop.ask(post()).status == 502
        shutil.copyfile(second.ca_file, ca_file)
        wait_until(lambda: hop.ask(post()).status == 200)
        # And away again: connections that trusted the old one are not used for new requests.
        shutil.copyfile(first.ca_file, ca_file)
        wait_until(lambda: hop.ask(post()).status == 502)
        hop.running.stop()
