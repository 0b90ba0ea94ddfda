"""What stands at Amazon's end: a second opinion on signatures, and a place that hands out keys."""

import datetime
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.served import Served

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjE/session+token=="
REGION = "eu-central-1"
ROLES = "/latest/meta-data/iam/security-credentials/"
ROLE = "gateway"
Key = tuple[str, str, str]
"""Id, secret and session token."""


def signature(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    key: tuple[str, str, str | None] = (KEY_ID, SECRET, None),
) -> str:
    """The `authorization` that botocore's signer gives a request that was seen.

    Args:
        method: Of the request.
        url: Whole, its target as it was sent.
        body: Whole.
        headers: Lower-case names; of these, it takes what must be signed.
        key: Id, secret and session token.
    """
    signed = {
        name: value
        for name, value in headers.items()
        if name in {"host", "content-type"} or name.startswith("x-amz-")
    }
    request = AWSRequest(method, url, headers=signed, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(*key), "bedrock", REGION)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(to_sign, request))
    return str(request.headers["Authorization"])


@dataclass
class Vendor(Served):
    """Hands out temporary keys over HTTP on loopback: as the agent of a container does, as the
    metadata service of a machine, or for the token of a workload, as the token service does.

    Attributes:
        lives_s: How long the keys it gives are good.
        refuses: Whether it answers with an error instead.
        refuses_after: How many keys it gives before it refuses.
        before: Called before each answer.
        given: The keys it gave: id, secret, token.
        asked: How often it was asked for one.
        showed: The workload's tokens that it was shown.
    """

    lives_s: float = 3600.0
    refuses: bool = False
    refuses_after: int = 1 << 30
    before: Callable[[], object] = bool
    given: list[Key] = field(default_factory=list)
    asked: int = 0
    showed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                send(self, b"session-of-the-metadata-service")

            def do_GET(self) -> None:
                if self.path == ROLES:
                    send(self, ROLE.encode())
                elif key := vendor._key(self):
                    send(self, as_json(*key))

            def do_POST(self) -> None:
                asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                vendor.showed += asked["WebIdentityToken"]
                if key := vendor._key(self):
                    send(self, as_xml(*key))

            def log_message(self, *_: object) -> None:
                """Nothing: standard error is the tests'."""

        super().__init__(Handler)
        self._lock = threading.Lock()

    @property
    def env(self) -> dict[str, str]:
        """What leads a program in a container here, and nowhere else."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/key",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def machine_env(self) -> dict[str, str]:
        """What leads one on a machine of Amazon's here."""
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url}

    def workload_env(self, token_file: Path) -> dict[str, str]:
        """What leads one here that a cluster gives a token."""
        return {
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_ROLE_ARN": f"arn:aws:iam::123456789012:role/{ROLE}",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _key(self, handler: BaseHTTPRequestHandler) -> tuple[Key, str] | None:
        """A new key and when it ends; None where it was refused."""
        self.before()
        with self._lock:
            self.asked += 1
            number = self.asked
            if self.refuses or len(self.given) >= self.refuses_after:
                # What a refusal says is nobody's business: it may hold anything.
                handler.send_error(500, "refused-with-a-secret")
                return None
            key = (f"ASIA{number}", f"vended-secret-{number}", f"vended-token-{number}")
            self.given.append(key)
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.lives_s)
        return key, end.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def send(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """A reply that says yes."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    # A session of the metadata service says how long it lasts, in seconds.
    handler.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
    handler.end_headers()
    handler.wfile.write(data)


def as_json(key: Key, end: str) -> bytes:
    """As the agent of a container and the metadata service say it."""
    ident, secret, token = key
    return msgspec.json.encode(
        {
            "Code": "Success",
            "LastUpdated": "2026-01-01T00:00:00Z",
            "Type": "AWS-HMAC",
            "AccessKeyId": ident,
            "SecretAccessKey": secret,
            "Token": token,
            "Expiration": end,
        }
    )


def as_xml(key: Key, end: str) -> bytes:
    """As the token service says it."""
    ident, secret, token = key
    said = (
        f"<AccessKeyId>{ident}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
        f"<SessionToken>{token}</SessionToken><Expiration>{end}</Expiration>"
    )
    action = "AssumeRoleWithWebIdentity"
    return (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
        f"<Credentials>{said}</Credentials></{action}Result></{action}Response>"
    ).encode()
