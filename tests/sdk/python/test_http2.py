"""TLS and HTTP/2 from the SDKs' own transport: over TLS by ALPN, in clear by prior knowledge."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING, TypeVar

import anthropic
import httpx2
import openai
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.mock.asks import TEXT, USER
from tests.sdk.python.access import CONFIGURED_KEY, Clients, all_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Serve

T = TypeVar("T")
MESSAGE = {"messages": USER, "max_tokens": 99}
CONFIG = """
version: 1
mock: true
keys: [{{name: sdk, key: {key}}}]
tls: {{cert_file: {cert}, key_file: {private}}}
"""


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "llm-edge-agent tests")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file


@pytest.fixture
def secure(serve: Serve, tmp_path: Path) -> Iterator[tuple[Clients, ssl.SSLContext]]:
    """A gateway with TLS, and what a client trusts."""
    cert, private = certificate(tmp_path)
    running = serve(CONFIG.format(key=CONFIGURED_KEY, cert=cert, private=private))
    return Clients(running, CONFIGURED_KEY), ssl.create_default_context(cafile=str(cert))


def everything_works(oai: openai.OpenAI, ant: anthropic.Anthropic, version: str) -> None:
    raw = oai.chat.completions.with_raw_response.create(model="mock/echo", messages=USER)
    assert raw.http_response.http_version == version
    assert raw.parse().choices[0].message.content == TEXT
    assert oai.models.retrieve("mock/echo").id == "mock/echo"
    with oai.responses.stream(model="mock/echo", input=TEXT) as stream:
        assert stream.get_final_response().output_text == TEXT
    with ant.messages.stream(
        model="mock/lorem?tokens=2000", **MESSAGE | {"max_tokens": 9999}
    ) as of:
        assert of.get_final_message().usage.output_tokens == 2000
    with pytest.raises(openai.RateLimitError):
        oai.chat.completions.create(model="mock/error?status=429", messages=USER)
    with pytest.raises(openai.APIError, match="before its reply was complete"):
        all_of(oai.chat.completions.create(model="mock/cut", messages=USER, stream=True))
    with pytest.raises(anthropic.APIError, match="before its reply was complete"):
        all_of(ant.messages.create(model="mock/cut", **MESSAGE, stream=True))
    with pytest.raises(openai.APITimeoutError):
        oai.chat.completions.create(model="mock/slow?total=30s", messages=USER, timeout=0.3)
    # None of that has cost the connection's other streams anything.
    assert oai.completions.create(model="mock/echo", prompt=TEXT).choices[0].text == TEXT


@pytest.mark.parametrize(("http2", "version"), [(True, "HTTP/2"), (False, "HTTP/1.1")])
def test_over_tls_the_client_chooses_the_version(
    secure: tuple[Clients, ssl.SSLContext], http2: bool, version: str
) -> None:
    clients, trusted = secure
    with (
        httpx2.Client(http2=http2, verify=trusted) as one,
        httpx2.Client(http2=http2, verify=trusted) as other,
        clients.oai(http_client=one) as oai,
        clients.ant(http_client=other) as ant,
    ):
        assert str(oai.base_url).startswith("https://")
        everything_works(oai, ant, version)


def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(
    secure: tuple[Clients, ssl.SSLContext],
) -> None:
    # One write, so that one read of the server's takes both: nothing more will come to wake it.
    clients, trusted = secure
    received, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusted.wrap_bio(received, out, server_hostname="127.0.0.1")
    request = f"GET /v1/models HTTP/1.1\r\nHost: x\r\nx-api-key: {clients.key}\r\n\r\n"
    with socket.create_connection(clients.running.address, timeout=5) as tcp:

        def until_done(step: Callable[[], T]) -> T:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    tcp.sendall(out.read())
                    received.write(tcp.recv(65536))

        until_done(tls.do_handshake)
        assert out.pending, "the client's last word of the handshake is already out"
        tls.write(request.encode())
        assert until_done(lambda: tls.read(15)) == b"HTTP/1.1 200 OK"


def test_in_clear_by_prior_knowledge(clients: Clients) -> None:
    with (
        httpx2.Client(http1=False, http2=True) as one,
        httpx2.Client(http1=False, http2=True) as other,
        clients.oai(http_client=one) as oai,
        clients.ant(http_client=other) as ant,
    ):
        everything_works(oai, ant, "HTTP/2")


async def test_many_streams_share_one_connection(clients: Clients) -> None:
    transport = httpx2.AsyncClient(http1=False, http2=True, limits=httpx2.Limits(max_connections=1))
    async with transport, clients.async_oai(http_client=transport) as client:

        async def ask(number: int) -> str:
            said = [{"role": "user", "content": f"number {number}"}]
            chunks = await client.chat.completions.create(
                model="mock/echo?ttft=30ms&itl=5ms", messages=said, stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

        answers = await asyncio.gather(*map(ask, range(40)))
    assert answers == [f"number {number}" for number in range(40)]
