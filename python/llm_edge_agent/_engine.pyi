"""The Rust engine, as Python sees it: bytes and small values cross, no Python object lives in the engine."""

from collections.abc import Callable
from typing import final

__version__: str

class EngineError(Exception):
    """The engine refused: the message says what, where (dotted path or address) and how to mend it."""

@final
class Engine:
    """Listener, workers and upstream pools of the data path.

    Args:
        options: JSON object with `listen` (`{"host": str, "port": int, "unix": null | {"path": str, "mode":
            int}}`, port 0 takes a free one, a Unix socket stands instead of both), `workers` (0 = one per core this process may use), `reuse_port` (bool), `tls` (`null` or `{"cert_pem": str,
            "key_pem": str}`), `pepper` (hex, secret of the key hashes) and `log_fd` (1 or 2, where the request
            log goes).

    Raises:
        EngineError: The options do not parse.
    """

    def __init__(self, options: bytes) -> None: ...
    def start(self) -> tuple[str, int]:
        """Bind, start the workers, and return the address that is listened on (of a Unix socket `unix:/path` and
        0). Needs a snapshot.

        Raises:
            EngineError: The address is taken or not available, the certificate is not usable, no snapshot.
        """

    def apply(self, snapshot: bytes) -> int:
        """Swap in a new snapshot and return its epoch (1 for the first). A bad one changes nothing.

        Raises:
            EngineError: With the dotted path of the fault.
        """

    def directory_replace(self, principals: bytes) -> int:
        """Make the directory hold exactly these principals and return their number.

        Args:
            principals: JSON array of `{"hash": hex of HMAC-SHA-256(pepper, key), "name": str,
                "models": [pattern]}`; a pattern is a model name or ends in `*`.

        Raises:
            EngineError: The JSON does not parse; nothing is changed.
        """

    def set_credential(self, slot: str, value: str) -> None:
        """Put a provider credential into its slot (the one place secrets enter the engine).

        Raises:
            EngineError: The value holds characters that a header field cannot carry.
        """

    def explain(self, question: bytes) -> bytes:
        """Tell how a request would be routed now; see the function `explain`.

        Raises:
            EngineError: As `explain`, or there is no snapshot yet.
        """

    def set_policy(self, name: str, policy: Callable[[str], str | None]) -> None:
        """Have `policy` rank targets for the routes that name it, from the next snapshot on. It is called on a
        thread of its own with a question and returns the names of targets, both JSON; None: it failed.

        Raises:
            EngineError: There is no thread for it.
        """

    def set_private_key(self, slot: str, pem: str) -> None:
        """Put the private key of a client certificate into its slot.

        Raises:
            EngineError: It is none in PEM form.
        """

    def lose_credential(self, slot: str, reason: str) -> None:
        """Empty a slot whose value is good no more: requests that need it get a 502 with `reason`, until another
        value is set.

        Raises:
            EngineError: The engine failed inside.
        """

    def set_certificate(self, cert_pem: str, key_pem: str) -> None:
        """Replace the certificate of the API listener; handshakes from now on show it.

        Raises:
            EngineError: Certificate or key cannot be used (the one in force stays), the engine does not run, or
                was started without TLS.
        """

    def status(self) -> bytes:
        """JSON object: `epoch`, `fingerprint`, `address`, `workers`, `draining`, `in_flight`,
        `connections`, `worker_connections` (list), `targets` (list of `{"route", "provider", "model"}`), `principals`.

        Raises:
            EngineError: The engine failed inside.
        """

    def metrics(self) -> bytes:
        """The data path's metrics in Prometheus text format, ending without `# EOF`.

        Raises:
            EngineError: The engine failed inside.
        """

    def set_ready(self, ready: bool) -> None:
        """What `/readyz` on the API port answers (a started engine is ready until told otherwise)."""

    def drain(self, deadline_s: float) -> bool:
        """Stop accepting, let requests finish, and say whether all did before the deadline.

        Readiness goes off first. Blocks without the GIL. What is left after the deadline is cut,
        and its clients are told.

        Raises:
            EngineError: The engine failed inside.
        """

    def stop(self) -> None:
        """Stop the workers at once. Idempotent."""

@final
class Mock:
    """The mock provider on a listener of its own.

    Raises:
        EngineError: The address is taken.
    """

    def __init__(self, host: str, port: int) -> None: ...
    def start(self) -> tuple[str, int]:
        """Bind and serve on one background thread; returns the address."""

    def stop(self) -> None:
        """Stop serving. Idempotent."""

@final
class Oracle:
    """The oracle upstream on a listener of its own: replies that can be re-derived, faults on order.

    Raises:
        EngineError: The address is taken.
    """

    def __init__(self, host: str, port: int) -> None: ...
    def start(self) -> tuple[str, int]:
        """Bind and serve on one background thread; returns the address."""

    def stop(self) -> None:
        """Stop serving. Idempotent."""

def key_hash(pepper: bytes, key: str) -> bytes:
    """HMAC-SHA-256 of a virtual key, 32 bytes: what the directory holds instead of the key."""

def request_fingerprint(data: bytes) -> str:
    """xxh3-128 of `data`, 32 hex digits; equal to `xxhash.xxh3_128_hexdigest`."""

def model_spellings(name: str) -> list[str]:
    """The names under which a model may stand, the most exact first, all in lower case."""

def count_tokens(text: str, model: str) -> tuple[int, bool]:
    """Tokens of `text` for `model`, and whether the number is exact. Without the GIL."""

def estimate_request(body: bytes, dialect: str, model: str) -> tuple[int, bool, int, int, int]:
    """Tokens of a request, whether the number is exact, and how many images, recordings and files it has, each of
    which has a flat number. Without the GIL.

    Raises:
        EngineError: No dialect has that name.
    """

def explain(snapshot: bytes, question: bytes) -> bytes:
    """Tell how a snapshot routes a request: operation, needs, and for each route its targets' order.

    Args:
        snapshot: As for `Engine.apply`.
        question: JSON object with `path`, `headers` (lower-case names), `body` (JSON), `key` (a caller's name), `unix_s`,
            `random`, and `live`: for `provider/model` what is known of it at the moment (`is_open`, `is_resting`,
            `in_flight`, `first_token_us`, `cached_permille`). All but `path` and `body` may be left out.

    Raises:
        EngineError: Either does not parse, or the request would be refused before it is routed.
    """

def capabilities() -> bytes:
    """JSON object naming what this engine knows: `strategies`, `operations`, `dialects` and
    `mock_models` (names to list)."""
