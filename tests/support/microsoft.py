"""What stands at Microsoft's end: a place that gives tokens, to a machine or for an application."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.support.certificates import Authority
from tests.support.served import Served

TENANT = "72f988bf-0000-4000-8000-2d7cd011db47"
CLIENT = "0e3b2a8c-0000-4000-8000-5f2d8a4c9e11"
SECRET = "an~entra.client-secret"
SCOPE = "https://cognitiveservices.azure.com/.default"
RESOURCE = "https://cognitiveservices.azure.com"
_WORD = "word-of-the-identity-endpoint"


@dataclass
class Entra(Served):
    """Gives access tokens on loopback: as a machine's endpoint, or over TLS as the authority.

    Attributes:
        folder: For its certificates.
        is_authority: Over TLS.
        lives_s: How long those it gives are good.
        refuses: Whether it answers with an error instead.
        given: The tokens it gave.
        asked: What it was asked with, each time.
    """

    folder: Path
    is_authority: bool = False
    lives_s: float = 3600.0
    refuses: bool = False
    given: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        entra = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, query = urlsplit(self.path).path, urlsplit(self.path).query
                if path.endswith("/.well-known/openid-configuration"):
                    entra._send(self, 200, entra._endpoints(path.split("/")[1]))
                elif self.headers.get("X-IDENTITY-HEADER") == _WORD:
                    entra._answer(self, query)
                else:
                    entra._send(self, 404, {"error": "not here"})

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                entra._answer(self, self.rfile.read(length).decode())

            def log_message(self, *_: object) -> None:
                """Nothing: standard error is the tests'."""

        super().__init__(Handler)
        self._lock = threading.Lock()
        if self.is_authority:
            self._signer = Authority(self.folder)
            context = self._signer.issue("127.0.0.1").server_context()
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def machine(self) -> dict[str, str]:
        """What leads a program to the identity of the machine that it runs on."""
        return {"IDENTITY_ENDPOINT": f"{self.url}/identity", "IDENTITY_HEADER": _WORD}

    @property
    def authority(self) -> dict[str, str]:
        """What leads one to this authority, and lets it believe its certificate."""
        return {
            "AZURE_AUTHORITY_HOST": f"https://{self.address}",
            "REQUESTS_CA_BUNDLE": str(self._signer.ca_file),
        }

    def workload(self, token_file: Path) -> dict[str, str]:
        """The same, for one that a cluster gives a token."""
        return self.authority | {
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_FEDERATED_TOKEN_FILE": str(token_file),
        }

    def _endpoints(self, tenant: str) -> dict[str, str]:
        root = f"https://{self.address}/{tenant}"
        return {
            "issuer": f"{root}/v2.0",
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "token_endpoint": f"{root}/oauth2/v2.0/token",
        }

    def _answer(self, handler: BaseHTTPRequestHandler, fields: str) -> None:
        with self._lock:
            self.asked.append({name: values[-1] for name, values in parse_qs(fields).items()})
            if self.refuses:
                # What stands beside the code is nobody's business.
                says = f"AADSTS7000215: Invalid client secret for app '{CLIENT}' ('an-app')."
                self._send(handler, 401, {"error": "invalid_client", "error_description": says})
                return
            token = f"entra-token-{len(self.asked)}"
            self.given.append(token)
        end = int(time.time() + self.lives_s)
        reply = {"access_token": token, "token_type": "Bearer", "resource": RESOURCE}
        self._send(handler, 200, reply | {"expires_on": str(end), "expires_in": int(self.lives_s)})

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, said: Mapping[str, object]) -> None:
        data = msgspec.json.encode(said)
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
