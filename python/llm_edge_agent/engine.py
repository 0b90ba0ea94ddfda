"""The typed wrapper around the Rust engine, and the only importer of `_engine`.

The native module is loaded when the first engine is made, not at import: configuration and compiler
work without it, and importing the package costs nothing. An engine belongs to the process that made
it; its threads do not survive a fork, so using it in a child is refused instead of hanging.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from llm_edge_agent.errors import EngineFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

__all__ = [
    "UNIX",
    "Address",
    "Capabilities",
    "Engine",
    "EngineOptions",
    "Explanation",
    "ListenOptions",
    "Live",
    "Mock",
    "Oracle",
    "Question",
    "Redirect",
    "RouteTable",
    "Row",
    "Status",
    "StatusTarget",
    "TlsOptions",
    "TokenEstimate",
    "UnixOptions",
    "capabilities",
    "count_tokens",
    "engine_version",
    "estimate_request",
    "explain",
    "key_hash",
    "model_spellings",
    "request_fingerprint",
]


UNIX = "unix:"
"""What an address begins with that is a Unix socket's file."""


class Address(NamedTuple):
    """Host (name or address, without brackets) and port; or `unix:/path` and 0."""

    host: str
    port: int

    @property
    def unix_path(self) -> str | None:
        """The file of a Unix socket, if it is one."""
        return self.host.removeprefix(UNIX) if self.host.startswith(UNIX) else None

    def __str__(self) -> str:
        """`host:port`, IPv6 addresses in brackets; or `unix:/path`."""
        if self.unix_path is not None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class UnixOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Unix socket: its file and the file's permissions."""

    path: str
    mode: int


class ListenOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the API listens; port 0 takes a free one, a Unix socket stands instead of both."""

    host: str
    port: int
    unix: UnixOptions | None = None


class TlsOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Certificate chain and private key, PEM."""

    cert_pem: str
    key_pem: str

    def __repr__(self) -> str:
        """Without the key."""
        return "TlsOptions(***)"


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an engine is made with; a change takes effect with the next start.

    Attributes:
        listen: API address.
        workers: Data threads; 0 stands for one per core this process may use.
        reuse_port: Whether to share the port with an engine that is going away.
        tls: Certificate of the API listener, if it speaks TLS.
        pepper: Secret of the key hashes, at least 32 hex digits.
        log_fd: 1 or 2, where the request log goes.
    """

    listen: ListenOptions
    workers: int = 0
    reuse_port: bool = False
    tls: TlsOptions | None = None
    pepper: str
    log_fd: int = 1

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"EngineOptions(listen={self.listen!r}, workers={self.workers})"


class StatusTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A place that requests may go."""

    route: str
    provider: str
    model: str | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine says of itself; see `_engine.pyi`."""

    epoch: int
    fingerprint: str
    address: str | None
    workers: int
    draining: bool
    in_flight: int
    connections: int
    worker_connections: list[int] = []
    targets: list[StatusTarget]
    principals: int


class TokenEstimate(NamedTuple):
    """What a request has for a model to read.

    Attributes:
        input: Tokens of all of it.
        exact: Whether that is the provider's own number; with messages it never is.
        images: Pictures; each counts as a flat number of tokens that the provider's pages give.
        audio: Recordings; the same.
        files: Other files; the same.
    """

    input: int
    exact: bool
    images: int
    audio: int
    files: int


class Live(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a target at a moment.

    Attributes:
        is_resting: Every credential rests, or its probes fail.
        is_open: Its breaker lets nothing through.
        in_flight: Requests that it is busy with.
        first_token_us: How long it takes to its first token, in microseconds; 0: nobody knows.
        cached_permille: Of the prompts' tokens, how many of 1,000 its prompt cache had.
    """

    is_resting: bool = False
    is_open: bool = False
    in_flight: int = 0
    first_token_us: int = 0
    cached_permille: int = 0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A request about which it is asked how it is routed.

    Attributes:
        path: Path of the request, without query.
        body: Its body, JSON.
        headers: Header fields by their lower-case names.
        key: Name of the caller's key.
        unix_s: When, in seconds since 1970.
        random: What chance says.
        live: What is known of a target, by `provider/model`.
    """

    path: str
    body: msgspec.Raw
    headers: dict[str, str] = {}
    key: str = ""
    unix_s: int = 0
    random: int = 0
    live: dict[str, Live] = {}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """How a target stands in a decision.

    Attributes:
        target: `provider/model`, with `*` where the client names the model.
        asked: As which it is asked, counted from 1 over all routes; None where it is not.
        standing: `ready`, `resting`, `open`, `too_long` or `excluded`.
        excluded: Why not, if not: `operation`, a capability, `context_window`.
        rank: What the strategy goes by, the lower the better.
        cost_nano_usd: What the request is expected to cost there; None where no price is known.
        live: What is known of it at the moment.
    """

    target: str
    asked: int | None
    standing: str
    excluded: str | None
    rank: int | None
    cost_nano_usd: int | None
    live: Live


class RouteTable(msgspec.Struct, frozen=True, kw_only=True):
    """One route's part in a decision.

    Attributes:
        route: Its name.
        model: The model by which it is asked, as the client calls it.
        strategy: How it picks a target.
        policy: The policy that may rank the targets otherwise; it is not asked here.
        targets: How each stands.
    """

    route: str
    model: str
    strategy: str
    policy: str | None
    targets: list[Row]


class Redirect(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that leads a request to another route: whose it is, and its place there from 0."""

    from_: str = msgspec.field(name="from")
    rule: int


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """How a request is routed, and why: the route and then its fallbacks, as they are tried."""

    operation: str
    model: str
    redirect: Redirect | None
    needs: list[str]
    input_tokens: int
    output_tokens: int
    routes: list[RouteTable]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """Names this engine knows."""

    strategies: list[str]
    operations: list[str]
    dialects: list[str]
    mock_models: list[str]


def _native() -> ModuleType:
    try:
        from llm_edge_agent import _engine  # noqa: PLC0415 - see the essay
    except ImportError as error:
        message = f"the native module `llm_edge_agent._engine` cannot be loaded: {error}"
        raise EngineFailed(message) from error
    return _engine


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn the native exception into ours."""
    refused: type[Exception] = _native().EngineError
    try:
        yield
    except refused as error:
        raise EngineFailed(str(error)) from error


class _OwnProcess:
    """Refuses use in a forked child, where the native threads are gone."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    def check(self) -> None:
        if os.getpid() != self._pid:
            message = (
                "this engine was made before a fork. hint: make it in the process that uses it"
            )
            raise EngineFailed(message)


class Engine:
    """Listener, workers and upstream pools of the data path.

    A snapshot, key or credential reaches an engine through `reload.Reloader` only.
    """

    def __init__(self, options: EngineOptions) -> None:
        """Make an engine that does nothing yet.

        Raises:
            EngineFailed: The options do not parse.
        """
        self.options = options
        self._process = _OwnProcess()
        with _refusals():
            self._native = _native().Engine(msgspec.json.encode(options))

    def start(self) -> Address:
        """Bind, start the workers, and return the address that is listened on. Needs a snapshot.

        Raises:
            EngineFailed: The address is taken or not available, the certificate is not usable, no
            snapshot.
        """
        self._process.check()
        with _refusals():
            return Address(*self._native.start())

    def apply(self, snapshot: bytes) -> int:
        """Swap in a new snapshot and return its epoch (1 for the first). A bad one changes nothing.

        Raises:
            EngineFailed: With the dotted path of the fault.
        """
        self._process.check()
        with _refusals():
            return int(self._native.apply(snapshot))

    def directory_replace(self, principals: bytes) -> int:
        """Make the directory hold exactly these principals (JSON array) and return their number.

        Raises:
            EngineFailed: The JSON does not parse; nothing is changed.
        """
        self._process.check()
        with _refusals():
            return int(self._native.directory_replace(principals))

    def set_credential(self, slot: str, value: str) -> None:
        """Put a provider credential into its slot, the one place where secrets enter the engine.

        Raises:
            EngineFailed: The value holds characters that a header field cannot carry.
        """
        self._process.check()
        with _refusals():
            self._native.set_credential(slot, value)

    def explain(self, question: Question) -> Explanation:
        """How a request would be routed now, by what is known of the targets; see `explain`.

        Raises:
            EngineFailed: As `explain`, or there is no snapshot yet.
        """
        self._process.check()
        with _refusals():
            answer = self._native.explain(msgspec.json.encode(question))
        return msgspec.json.decode(answer, type=Explanation)

    def set_policy(self, name: str, answering: Callable[[str], str | None]) -> None:
        """Have a policy rank targets for the routes that name it, from the next snapshot on.

        Args:
            name: The name that routes have.
            answering: Gets a question and gives an answer, both JSON, on a thread of its own; None
                or an exception says that it failed.

        Raises:
            EngineFailed: There is no thread for it.
        """
        self._process.check()
        with _refusals():
            self._native.set_policy(name, answering)

    def set_private_key(self, slot: str, pem: str) -> None:
        """Put the private key of a client certificate into its slot.

        Raises:
            EngineFailed: It is none in PEM form.
        """
        self._process.check()
        with _refusals():
            self._native.set_private_key(slot, pem)

    def lose_credential(self, slot: str, reason: str) -> None:
        """Empty a slot whose value is good no more; requests that need it get a 502 with `reason`.

        A value that is set afterwards counts again.
        """
        self._process.check()
        with _refusals():
            self._native.lose_credential(slot, reason)

    def set_certificate(self, tls: TlsOptions) -> None:
        """Replace the API listener's certificate; connections that stand keep theirs.

        Raises:
            EngineFailed: Certificate or key cannot be used and the one in force stays, or the
            engine was started without TLS.
        """
        self._process.check()
        with _refusals():
            self._native.set_certificate(tls.cert_pem, tls.key_pem)

    def status(self) -> Status:
        """What the engine is doing now.

        Raises:
            EngineFailed: It failed inside.
        """
        self._process.check()
        with _refusals():
            return msgspec.json.decode(self._native.status(), type=Status)

    def metrics(self) -> bytes:
        """The data path's metrics in Prometheus text format, ending without `# EOF`.

        Raises:
            EngineFailed: It failed inside.
        """
        self._process.check()
        with _refusals():
            return bytes(self._native.metrics())

    def set_ready(self, *, ready: bool) -> None:
        """Choose what `/readyz` on the API port answers; a started engine is ready."""
        self._process.check()
        self._native.set_ready(ready)

    def drain(self, deadline_s: float) -> bool:
        """Stop accepting, let running requests finish; says whether all did before the deadline.

        Blocks without the GIL: call it in a thread when a loop must go on.
        """
        self._process.check()
        with _refusals():
            return bool(self._native.drain(deadline_s))

    def stop(self) -> None:
        """Stop the workers at once. Idempotent."""
        self._process.check()
        self._native.stop()


class Mock:
    """The mock provider on a listener of its own."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Make a mock that will listen on `host:port`; port 0 takes a free one."""
        self._process = _OwnProcess()
        with _refusals():
            self._native = _native().Mock(host, port)

    def start(self) -> Address:
        """Bind and serve on one background thread; returns the address.

        Raises:
            EngineFailed: The address is taken.
        """
        self._process.check()
        with _refusals():
            return Address(*self._native.start())

    def stop(self) -> None:
        """Stop serving. Idempotent."""
        self._process.check()
        self._native.stop()


class Oracle:
    """The oracle on a listener of its own: replies that can be re-derived, faults on order."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Make an oracle that will listen on `host:port`; port 0 takes a free one."""
        self._process = _OwnProcess()
        with _refusals():
            self._native = _native().Oracle(host, port)

    def start(self) -> Address:
        """Bind and serve on one background thread; returns the address.

        Raises:
            EngineFailed: The address is taken.
        """
        self._process.check()
        with _refusals():
            return Address(*self._native.start())

    def stop(self) -> None:
        """Stop serving. Idempotent."""
        self._process.check()
        self._native.stop()


def engine_version() -> str:
    """The version the native module was built as."""
    return str(_native().__version__)


def key_hash(pepper: bytes, key: str) -> bytes:
    """HMAC-SHA-256 of a virtual key, 32 bytes: what the directory holds instead of the key."""
    return bytes(_native().key_hash(pepper, key))


def request_fingerprint(data: bytes) -> str:
    """xxh3-128 of `data`, 32 hex digits."""
    return str(_native().request_fingerprint(data))


def model_spellings(name: str) -> list[str]:
    """The names under which a model may stand, the most exact first, all in lower case.

    A name as a provider takes it says more than which model it is: a place, a folder, a release.
    What is known of the model without them holds for it with them.

    >>> model_spellings("us.anthropic.claude-x-20260101-v1:0")[-1]
    'anthropic.claude-x'
    """
    return list(_native().model_spellings(name))


def count_tokens(text: str, model: str) -> tuple[int, bool]:
    """Tokens of a text for a model, and whether the number is exact; without the GIL.

    It is exact where the model's vendor publishes its vocabulary (OpenAI, DeepSeek, Qwen, Mistral's
    newer ones, GLM), but for long text that is no language, of which a part is extrapolated. Others
    are estimated, Claude and Gemini with a margin.

    The first count by a vocabulary unpacks it: tens of milliseconds, once.

    Args:
        text: What is counted; special tokens in it are text.
        model: Its name, with or without a provider or a platform in front (`openai/gpt-5.1`).

    Returns:
        The number, and whether it is the vendor's own.
    """
    tokens, exact = _native().count_tokens(text, model)
    return int(tokens), bool(exact)


def estimate_request(body: bytes, dialect: str, model: str) -> TokenEstimate:
    """Tokens of a request's messages, instructions and tools; without the GIL.

    Nothing in `body` fails: what is not understood counts as text. Base64 does not count as text.

    Args:
        body: The request as it is sent.
        dialect: Its wire format, one of `capabilities().dialects` (`openai_chat`).
        model: As for `count_tokens`.

    Raises:
        EngineFailed: No dialect has that name.
    """
    with _refusals():
        return TokenEstimate(*_native().estimate_request(body, dialect, model))


def explain(snapshot: bytes, question: Question) -> Explanation:
    """How a snapshot routes a request that comes first to a fresh instance.

    Raises:
        EngineFailed: The snapshot does not parse, or the request would be refused before it is
            routed.
    """
    with _refusals():
        answer = _native().explain(snapshot, msgspec.json.encode(question))
    return msgspec.json.decode(answer, type=Explanation)


def capabilities() -> Capabilities:
    """What this engine knows: strategies, operations, dialects, mock models."""
    return msgspec.json.decode(_native().capabilities(), type=Capabilities)
