"""The only way a snapshot, a key or a credential reaches the engine.

SIGHUP, the file watch and the admin API all end here. A configuration that is not usable changes
nothing: the engine goes on with the one it has, and the result says why.

Credentials that are not written down are looked for first, and then renewed in the background.

Order: credentials (in slots that no older snapshot uses for another address), policies and callers,
then the listener's certificate, then the snapshot, which is what makes the rest count. When one is
refused, the callers, credentials and certificate of before are put back.
"""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from llm_edge_agent.compiler import Compiled, compile_config
from llm_edge_agent.credentials import Renewer
from llm_edge_agent.errors import ConfigError, LlmEdgeError
from llm_edge_agent.routing import Answering

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_edge_agent.config import Config, Loaded, Pepper
    from llm_edge_agent.credentials import Renewal
    from llm_edge_agent.engine import Address, TlsOptions
    from llm_edge_agent.routing import Policy

__all__ = ["EngineLike", "ReloadCounters", "ReloadResult", "Reloader"]


class EngineLike(Protocol):
    """What a reload asks of an engine."""

    def apply(self, snapshot: bytes) -> int:
        """Swap in a snapshot; returns its epoch."""

    def directory_replace(self, principals: bytes) -> int:
        """Replace the callers; returns their number."""

    def set_credential(self, slot: str, value: str) -> None:
        """Set a credential."""

    def set_policy(self, name: str, answering: Answering) -> None:
        """Have a policy rank targets for the routes that name it."""

    def set_private_key(self, slot: str, pem: str) -> None:
        """Set the private key of a client certificate."""

    def lose_credential(self, slot: str, reason: str) -> None:
        """Take a credential away; who needs it is told why."""

    def set_certificate(self, tls: TlsOptions) -> None:
        """Replace the listener's certificate; raises when it cannot be used."""


@dataclass(frozen=True)
class ReloadResult:
    """What came of a reload.

    Attributes:
        ok: Whether the new configuration is in force.
        epoch: Epoch that is in force now; 0 before the first.
        error: Why not, when it is not.
        warnings: What is likely not meant, and what takes effect with the next start only.
        files: Files of the configuration that was offered, refused or not: a change of one of them
            is worth another attempt.
    """

    ok: bool
    epoch: int
    error: LlmEdgeError | None = None
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass
class ReloadCounters:
    """For metrics.

    Attributes:
        last_ok: Whether the last attempt succeeded.
        last_success_s: Unix time of the last success, 0 before the first.
        successes: Configurations applied.
        failures: Attempts that changed nothing.
    """

    last_ok: bool = False
    last_success_s: float = 0.0
    successes: int = 0
    failures: int = 0


class Reloader:
    """Brings configurations to one engine, one at a time; safe to call from several threads."""

    def __init__(
        self,
        engine: EngineLike,
        load: Callable[[], Loaded],
        *,
        pepper: Pepper,
        mock_address: Address | tuple[str, int] | None = None,
    ) -> None:
        """Work on `engine`.

        Args:
            engine: Where configurations go.
            load: Reads the configuration again; raises `ConfigError`.
            pepper: Secret of the key hashes, the one the engine was made with.
            mock_address: Where the built-in mock listens, if it runs.
        """
        self._engine = engine
        self._load = load
        self._pepper = pepper
        self._mock_address = mock_address
        self._lock = threading.Lock()
        self._compiled: Compiled | None = None
        self._started_with: Config | None = None
        self._certificate: TlsOptions | None = None
        self._loaded: Loaded | None = None
        self._renewer = Renewer(engine)
        self._policies: dict[str, Policy] = {}
        self.counters = ReloadCounters()
        self.epoch = 0

    @property
    def loaded(self) -> Loaded | None:
        """The configuration in force."""
        return self._loaded

    @property
    def renewals(self) -> list[Renewal]:
        """The credentials that are renewed in the background."""
        return self._renewer.renewals

    def close(self) -> None:
        """Renew no credential any more. Idempotent."""
        self._renewer.close()

    def apply(self, loaded: Loaded) -> int:
        """Put a configuration in force and return its epoch.

        Raises:
            ConfigError: It cannot be compiled, or needs a restart.
            EngineFailed: The engine refused it.
        """
        with self._lock:
            try:
                return self._apply(loaded)
            except Exception:
                self._count_failure()
                raise

    def reload(self) -> ReloadResult:
        """Read the configuration again and put it in force; what is wrong is in the result."""
        files: tuple[str, ...] = ()
        with self._lock:
            try:
                loaded = self._load()
                files = loaded.source.files
                epoch = self._apply(loaded)
            except Exception as error:  # noqa: BLE001 -- nothing offered may end what serves
                self._count_failure()
                files = files or getattr(error, "files", ())
                return ReloadResult(ok=False, epoch=self.epoch, error=_ours(error), files=files)
            warnings = (*loaded.warnings, *self._waiting(loaded.config))
            return ReloadResult(ok=True, epoch=epoch, warnings=warnings, files=files)

    def _apply(self, loaded: Loaded) -> int:
        config = loaded.config
        if self._pepper.source is None and any(key.hash for key in config.keys):
            message = "hashed keys need a pepper that is kept, and this process started without one"
            raise ConfigError(message, path="keys", hint="restart with a writable state folder")
        try:
            new = compile_config(config, pepper=self._pepper.value, mock_address=self._mock_address)
            found = self._renewer.look(new.found)
        except ConfigError as error:
            raise loaded.locate(error) from None
        try:
            self._send_parts(new)
            self._renewer.fill(found.values())
            self._send_certificate(new)
            self.epoch = self._engine.apply(new.snapshot)
        except Exception:
            if self._compiled is not None:
                self._send_parts(self._compiled)
                self._renewer.refill()
                self._send_certificate(self._compiled)
            raise
        self._renewer.follow(found)
        self._compiled = new
        self._loaded = loaded
        if self._started_with is None:
            self._started_with = config
        self.counters.last_ok = True
        self.counters.last_success_s = time.time()
        self.counters.successes += 1
        return self.epoch

    def _send_parts(self, compiled: Compiled) -> None:
        for slot, secret in compiled.credentials.items():
            self._engine.set_credential(slot, secret.reveal())
        for slot, key in compiled.private_keys.items():
            self._engine.set_private_key(slot, key.reveal())
        for name, policy in compiled.policies.items():
            # Each has a thread, and one that hangs keeps it: none anew for what is there already.
            if self._policies.get(name) is not policy:
                self._engine.set_policy(name, Answering(name, policy))
                self._policies[name] = policy
        self._engine.directory_replace(compiled.principals)

    def _send_certificate(self, compiled: Compiled) -> None:
        """Bring the certificate to a listener that has another one.

        An engine is made with its first; whether it speaks TLS at all is settled then.
        """
        new = compiled.engine_options.tls
        if self._started_with is None:
            self._certificate = new
        elif self._started_with.tls and new and new != self._certificate:
            self._engine.set_certificate(new)
            self._certificate = new

    def _count_failure(self) -> None:
        self.counters.last_ok = False
        self.counters.failures += 1

    def _waiting(self, config: Config) -> list[str]:
        """Changes that take effect with the next start only."""
        if self._started_with is None:
            return []
        before, now = (
            [_START_OPTIONS[option](c) for option in _START_OPTIONS]
            for c in (self._started_with, config)
        )
        return [
            f"{option}: the change takes effect with the next start"
            for option, old, new in zip(_START_OPTIONS, before, now, strict=True)
            if old != new
        ]


def _ours(error: Exception) -> LlmEdgeError:
    """The error itself, or one that tells where something else went wrong.

    Not what the other says: it may repeat a value, and a value may be a secret.
    """
    if isinstance(error, LlmEdgeError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return LlmEdgeError(
        f"the configuration cannot be used: an unexpected {type(error).__name__}{place}."
        " hint: this is a fault of the program; `llm-edge-agent check` may tell more"
    )


_START_OPTIONS: dict[str, Callable[[Config], object]] = {
    "listen": lambda config: config.listen,
    # Files and what they hold may change; whether TLS is spoken may not.
    "tls": lambda config: config.tls is None,
    "workers": lambda config: config.workers,
    "reuse_port": lambda config: config.reuse_port,
    "state_dir": lambda config: config.state_dir,
}
