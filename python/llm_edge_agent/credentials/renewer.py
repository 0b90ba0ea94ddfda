"""Renews what expires, in the background: no request ever waits for a credential.

A credential is looked for again a quarter of an hour before it expires, or at half the time left if
that is less; one without an end every five minutes, because files are rotated too. A look that
fails is tried again, and the last good one stays in use until its end. From then on its slot is
empty, and requests that need it are told why.
Invariant: what a look finds counts only if its slot is still to be filled from there.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from llm_edge_agent.credentials.found import Found, NotFound, fault_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llm_edge_agent.credentials.found import Source

__all__ = ["Renewal", "Renewer"]

_EARLY_S = 15 * 60.0
_WITHOUT_END_S = 5 * 60.0
_PAUSE_S, _PAUSE_MAX_S = 1.0, 60.0
# The clock may be set: nobody sleeps longer on what it said.
_SLEEP_MAX_S = 30.0

_log = logging.getLogger("llm_edge_agent.credentials")


class _EngineLike(Protocol):
    def set_credential(self, slot: str, value: str) -> None: ...
    def lose_credential(self, slot: str, reason: str) -> None: ...


@dataclass
class Renewal:
    """One slot that is filled from a source.

    Attributes:
        slot: Its name.
        source: Where its credential is found.
        found: The last good one.
        failure: Why the latest look failed, if it did.
        successes: Looks that found one.
        failures: Looks that failed.
    """

    slot: str
    source: Source
    found: Found | None = None
    failure: str | None = None
    successes: int = 0
    failures: int = 0
    due_s: float = 0.0
    pause_s: float = _PAUSE_S
    is_looking: bool = False
    is_lost: bool = False

    def is_over(self, now_s: float) -> bool:
        """Whether there is no good one."""
        expires_s = None if self.found is None else self.found.expires_s
        return self.found is None or (expires_s is not None and expires_s <= now_s)

    def wakes_s(self) -> float:
        """When there is something to do: a look, or an end."""
        due_s = math.inf if self.is_looking else self.due_s
        if self.found is not None and self.found.expires_s is not None and not self.is_lost:
            return min(due_s, self.found.expires_s)
        return due_s

    def succeeded(self, found: Found, now_s: float) -> None:
        """Keep what was found."""
        self.found, self.failure, self.pause_s, self.is_lost = found, None, _PAUSE_S, False
        self.successes += 1
        if found.expires_s is None:
            self.due_s = now_s + _WITHOUT_END_S
        else:
            left_s = found.expires_s - now_s
            self.due_s = now_s + max(left_s - min(_EARLY_S, left_s / 2), _PAUSE_S)

    def failed(self, failure: str, now_s: float) -> None:
        """Try again after a pause, twice as long each time."""
        self.failure = failure
        self.failures += 1
        self.due_s = now_s + self.pause_s
        self.pause_s = min(self.pause_s * 2, _PAUSE_MAX_S)

    def reason(self) -> str:
        """Why there is none, for callers."""
        expires_s = None if self.found is None else self.found.expires_s
        if expires_s is None:
            return f"its credential is not there: {self.failure}"
        at = datetime.fromtimestamp(expires_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        failure = self.failure or "nobody has answered yet"
        return f"its credential expired at {at} and was not renewed: {failure}"


class Renewer:
    """Fills an engine's slots from sources, again and again; safe to call from several threads."""

    def __init__(self, engine: _EngineLike) -> None:
        """Fill the slots of `engine`; nothing runs before there is something to renew."""
        self._engine = engine
        self._changed = threading.Condition()
        self._renewals: dict[str, Renewal] = {}
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def renewals(self) -> list[Renewal]:
        """What is renewed, for metrics."""
        with self._changed:
            return list(self._renewals.values())

    def look(self, sources: Mapping[str, Source]) -> dict[str, Renewal]:
        """Look for a credential for each slot; nothing is changed yet. Blocks.

        A slot that is filled from the same source already keeps its last good one if that fails.

        Raises:
            ConfigError: For a slot that is new there is none to be found.
        """
        looked = {}
        for slot, source in sources.items():
            with self._changed:
                old = self._renewals.get(slot)
                renewal = Renewal(slot, source)
                if old is not None and old.source == source:
                    renewal.found = old.found
                    renewal.successes, renewal.failures = old.successes, old.failures
            try:
                renewal.succeeded(source.find(), time.time())
            except NotFound as error:
                if error.absent and renewal.found is None:
                    raise fault_of(source, error) from None
                renewal.failed(error.reason, time.time())
                self._tell(renewal)
            looked[slot] = renewal
        return looked

    def fill(self, renewals: Iterable[Renewal]) -> None:
        """Bring what was found to the engine."""
        with self._changed:
            for renewal in renewals:
                self._fill(renewal)

    def refill(self) -> None:
        """Bring what is in force to the engine once more."""
        self.fill(self.renewals)

    def follow(self, renewals: Mapping[str, Renewal]) -> None:
        """Renew these from now on, and no others."""
        with self._changed:
            self._renewals = dict(renewals)
            if self._renewals and self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="renewer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Renew nothing any more. Idempotent."""
        with self._changed:
            self._is_closed = True
            self._renewals = {}
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while not self._is_closed:
                now_s = time.time()
                for renewal in self._renewals.values():
                    if not renewal.is_lost and renewal.is_over(now_s):
                        self._fill(renewal)
                    if not renewal.is_looking and renewal.due_s <= now_s:
                        renewal.is_looking = True
                        # A thread of its own: a look may take long, and others expire meanwhile.
                        threading.Thread(target=self._renew, args=(renewal,), daemon=True).start()
                wakes_s = min((r.wakes_s() for r in self._renewals.values()), default=math.inf)
                self._changed.wait(min(max(wakes_s - now_s, 0.01), _SLEEP_MAX_S))

    def _renew(self, renewal: Renewal) -> None:
        try:
            found, failure = renewal.source.find(), ""
        except NotFound as error:
            found, failure = None, error.reason
        with self._changed:
            renewal.is_looking = False
            if self._renewals.get(renewal.slot) is renewal:
                self._finish(renewal, found, failure)
            self._changed.notify_all()

    def _finish(self, renewal: Renewal, found: Found | None, failure: str) -> None:
        if found is None:
            renewal.failed(failure, time.time())
            self._tell(renewal)
            if renewal.is_over(time.time()):
                self._fill(renewal)
            return
        before = None if renewal.is_lost else renewal.found
        renewal.succeeded(found, time.time())
        # To set it again would end its rest, were it refused by the provider.
        if before is None or before.secret != found.secret:
            self._fill(renewal)

    def _fill(self, renewal: Renewal) -> None:
        if renewal.found is not None and not renewal.is_over(time.time()):
            renewal.is_lost = False
            self._engine.set_credential(renewal.slot, renewal.found.secret.reveal())
            return
        if not renewal.is_lost:
            _log.error("provider `%s`: %s", renewal.source.provider, renewal.reason())
        renewal.is_lost = True
        self._engine.lose_credential(renewal.slot, renewal.reason())

    @staticmethod
    def _tell(renewal: Renewal) -> None:
        name, failure = renewal.source.provider, renewal.failure
        _log.warning("provider `%s`: its credential was not renewed: %s", name, failure)
