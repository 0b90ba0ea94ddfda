"""What stands at Amazon's end: a second opinion on signatures, and a place that hands out keys."""

import datetime
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.served import Served

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjE/session+token=="
REGION = "eu-central-1"


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
    """Hands out temporary keys as the agent of a container does, over HTTP on loopback.

    Attributes:
        lives_s: How long the keys it gives are good.
        refuses: Whether it answers with an error instead.
        refuses_after: How many keys it gives before it refuses.
        before: Called before each answer.
        given: The keys it gave: id, secret, token.
        asked: How often it was asked.
    """

    lives_s: float = 3600.0
    refuses: bool = False
    refuses_after: int = 1 << 30
    before: Callable[[], object] = bool
    given: list[tuple[str, str, str]] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                vendor._answer(self)

            def log_message(self, *_: object) -> None:
                """Nothing: standard error is the tests'."""

        super().__init__(Handler)
        self._lock = threading.Lock()

    @property
    def env(self) -> dict[str, str]:
        """What leads a program here, and nowhere else."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/key",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.before()
        with self._lock:
            self.asked += 1
            number = self.asked
            if self.refuses or len(self.given) >= self.refuses_after:
                # What a refusal says is nobody's business: it may hold anything.
                handler.send_error(500, "refused-with-a-secret")
                return
            key = (f"ASIA{number}", f"vended-secret-{number}", f"vended-token-{number}")
            self.given.append(key)
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.lives_s)
        data = msgspec.json.encode(
            {
                "AccessKeyId": key[0],
                "SecretAccessKey": key[1],
                "Token": key[2],
                "Expiration": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            }
        )
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
