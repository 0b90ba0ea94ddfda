"""TLS towards an upstream: verified against what was configured, or not spoken at all."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.certificates import Authority, Issued
from tests.support.hop import Hop, body, post, start_hop
from tests.support.streams import EVENTS, chunked, whole
from tests.support.upstream import AwaitClose, Read, Send, Upstream


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secured(tmp_path: Path, authority: Authority) -> Iterator[Hop]:
    """A hop whose upstream is verified by `ca_file`."""
    issued = authority.issue("127.0.0.1")
    with Upstream(tls=issued.server_context()) as upstream:
        hop = start_hop(tmp_path / "tls", upstream, ca_file=authority.ca_file)
        yield hop
        hop.running.stop()


def test_an_upstream_that_the_ca_file_vouches_for_is_spoken_to(secured: Hop) -> None:
    assert secured.upstream.url.startswith("https://")
    with secured.connect() as wire:
        for _ in range(5):
            wire.send(post())
            assert wire.answer().body == b"{}"
        secured.upstream.always(Read(), Send(chunked(EVENTS["chat"]), piece=20))
        wire.send(post(data=body(stream=True, text="x" * 500_000)))
        assert wire.answer().body == whole("chat")
    # Kept alive: one handshake for all of them.
    assert secured.upstream.connections == 1


@pytest.mark.behaviour("B01")
def test_a_client_that_leaves_is_passed_on_through_tls(secured: Hop) -> None:
    secured.upstream.always(Read(), AwaitClose())
    with secured.connect() as wire:
        wire.send(post())
        secured.upstream.wait_for(requests=1)
    secured.upstream.wait_for(cancelled=1, timeout_s=2)


def refused(folder: Path, issued: Issued, ca_file: Path | None, hint: str) -> None:
    with Upstream(tls=issued.server_context()) as upstream:
        hop = start_hop(folder, upstream, ca_file=ca_file)
        answer = hop.ask(post())
        assert answer.status == 502
        # No byte of the request was written.
        assert answer.values("x-should-retry") == ["true"]
        error = msgspec.json.decode(answer.body)["error"]
        assert error["code"] == "upstream_unreachable"
        assert hint in error["message"].partition("hint: ")[2]
        assert upstream.begun == 0
        hop.running.stop()


@pytest.mark.parametrize(
    ("what", "host", "days", "hint"),
    [
        ("another name", "other.test", 30, "for another name than the one in `base_url`"),
        ("expired", "127.0.0.1", -1, "has run out"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused(
    tmp_path: Path, authority: Authority, *, what: str, host: str, days: int, hint: str
) -> None:
    refused(tmp_path / what, authority.issue(host, days=days), authority.ca_file, hint)


def test_an_authority_that_was_not_configured_is_not_trusted(
    tmp_path: Path, authority: Authority
) -> None:
    stranger = Authority(tmp_path / "stranger")
    for name, ca_file in {"platform": None, "configured": stranger.ca_file}.items():
        refused(tmp_path / name, authority.issue("127.0.0.1"), ca_file, "`ca_file`")


def test_what_the_platform_trusts_is_spoken_to(tmp_path: Path, authority: Authority) -> None:
    # Where OpenSSL's programs look, too: a company's own authority needs no line of configuration.
    env = {"SSL_CERT_FILE": str(authority.ca_file)}
    with Upstream(tls=authority.issue("127.0.0.1").server_context()) as upstream:
        hop = start_hop(tmp_path / "platform", upstream, env=env)
        assert hop.ask(post()).body == b"{}"
        hop.running.stop()


def test_an_upstream_that_does_not_speak_tls_is_a_502(tmp_path: Path) -> None:
    with Upstream() as upstream:
        host, port = upstream.address
        upstream.always(Send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
        secure = {"secure": f"https://{host}:{port}"}
        hop = start_hop(tmp_path / "plain", upstream, others=secure)
        answer = hop.ask(post(data=body().replace(b"up/m", b"secure/m")))
        assert answer.status == 502
        assert answer.values("x-should-retry") == ["true"]
        assert (
            "does it speak TLS on this port" in msgspec.json.decode(answer.body)["error"]["message"]
        )
        assert upstream.requests == []
        hop.running.stop()
