"""What stands at Google's end: a place that gives tokens for a service account, or to a machine."""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from tests.support.served import Served

EMAIL = "gateway@p-of-the-file.iam.gserviceaccount.com"
PROJECT = "p-of-the-file"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_METADATA = {"Metadata-Flavor": "Google"}


@functools.cache
def key_pair() -> tuple[str, str]:
    """A private key and its public one, in PEM."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return (
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


@dataclass
class Tokens(Served):
    """Gives access tokens over HTTP on loopback.

    Attributes:
        lives_s: How long those it gives are good.
        refuses: Whether it answers with an error instead.
        before: Called before each answer.
        given: The tokens it gave.
        asked: How often it was asked for one.
        claims: What the assertions said that it was given for them, verified by google-auth.
        faults: What was wrong with requests.
    """

    lives_s: float = 3600.0
    refuses: bool = False
    before: Callable[[], object] = bool
    given: list[str] = field(default_factory=list)
    asked: int = 0
    claims: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tokens._metadata(self)

            def do_POST(self) -> None:
                tokens._exchange(self)

            def log_message(self, *_: object) -> None:
                """Nothing: standard error is the tests'."""

        super().__init__(Handler)
        self._lock = threading.Lock()

    @property
    def account(self) -> dict[str, str]:
        """A service account's key that leads here."""
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "key-1",
            "private_key": key_pair()[0],
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": f"http://{self.address}/token",
        }

    def write_account(self, folder: Path) -> Path:
        """The same, as the file that the console writes."""
        path = folder / "account.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self.account), indent=2))
        return path

    @property
    def machine(self) -> dict[str, str]:
        """What leads a program to this metadata server."""
        return {"GCE_METADATA_HOST": self.address, "GCE_METADATA_IP": self.address}

    def _exchange(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        fields = {name: values[-1] for name, values in parse_qs(body).items()}
        if handler.path == "/token":
            self._verify(fields)
        self._answer(handler)

    def _verify(self, fields: dict[str, str]) -> None:
        try:
            assert fields["grant_type"] == _BEARER_GRANT
            said = jwt.decode(
                fields["assertion"],
                certs=key_pair()[1],
                # Wherever it is sent.
                audience="https://oauth2.googleapis.com/token",
            )
            assert said["iss"] == EMAIL
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with it is wrong
            self.faults.append(repr(error))
        else:
            self.claims.append(dict(said))

    def _metadata(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        if path == "/":
            send(handler, b"")
        elif path.endswith("/project/project-id"):
            send(handler, b"p-of-the-machine")
        elif path.endswith("/token"):
            self._answer(handler)
        else:
            account = {"email": EMAIL, "scopes": [SCOPE], "aliases": ["default"]}
            send(handler, msgspec.json.encode(account))

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.before()
        with self._lock:
            self.asked += 1
            if self.refuses:
                # What a refusal says is nobody's business: it may hold anything.
                refusal = {"error": "invalid_grant", "error_description": "refused-with-a-secret"}
                send(handler, msgspec.json.encode(refusal), 400)
                return
            token = f"ya29.token-{self.asked}-{'x' * 40}"
            self.given.append(token)
        answer = {"access_token": token, "expires_in": self.lives_s, "token_type": "Bearer"}
        send(handler, msgspec.json.encode(answer))


def send(handler: BaseHTTPRequestHandler, data: bytes, status: int = 200) -> None:
    """Answer with JSON, or with text."""
    handler.send_response(status)
    kind = "application/json" if data.startswith(b"{") else "text/plain"
    for name, value in {**_METADATA, "Content-Type": kind}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)
