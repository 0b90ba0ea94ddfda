"""A newer catalog: fetched, judged, and put where the next start or reload finds it.

A catalog decides what is charged and where requests go, so that a wrong one is worse than an old
one. It is refused whole when it is older, has lost a third of its models, or has a price that rose
or fell tenfold; who has looked at what is named may insist.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from llm_edge_agent.catalog.document import BYTES_MAX, CatalogFault, check, decode
from llm_edge_agent.catalog.price import RATES, usd_per_million
from llm_edge_agent.errors import LlmEdgeError, StateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_edge_agent.catalog.index import Catalog
    from llm_edge_agent.catalog.price import Price

__all__ = ["UpdateRefused", "doubts", "fetch", "install", "verify"]

_TOTAL_S = 60.0
_SOCKET_S = 15.0
_CHUNK_BYTES = 64 * 1024
_FACTOR = 10
_GONE_SHARE = 3


class UpdateRefused(LlmEdgeError):  # noqa: N818 -- says what happened
    """A catalog could not be fetched, or is not what was expected. The message says which."""


def fetch(source: str) -> bytes:
    """The bytes of a file, or of what an `http` or `https` address leads to.

    `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are minded.

    Raises:
        UpdateRefused: It cannot be had, takes longer than a minute, or is larger than 16 MiB.
    """
    scheme, separator, _ = source.partition("://")
    try:
        if not separator:
            with Path(source).open("rb") as file:
                data = file.read(BYTES_MAX + 1)
        elif scheme.lower() in {"http", "https"}:
            data = _download(source)
        else:
            message = f"`{scheme}://` is not fetched. hint: `http://`, `https://`, or a file's name"
            raise UpdateRefused(message)
    except (OSError, ValueError) as error:  # ValueError: no address, a NUL in a name
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        raise UpdateRefused(f"`{source}` cannot be read: {reason}") from None
    if len(data) > BYTES_MAX:
        raise UpdateRefused(f"`{source}` is larger than {BYTES_MAX // 1024 // 1024} MiB")
    return data


def verify(data: bytes, sha256: str) -> None:
    """See that the bytes are those that were meant.

    Raises:
        UpdateRefused: They have another SHA-256.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != sha256.lower():
        raise UpdateRefused(f"the SHA-256 is `{found}`, not `{sha256.lower()}`")


def doubts(old: Catalog, new: Catalog) -> list[str]:
    """Why a catalog should not take another's place, one line each; empty when it may."""
    found = []
    if new.version < old.version:
        found.append(f"it is of {new.version}, and the one in use of {old.version}")
    before = {(facts.provider, facts.model): facts.price for facts in old}
    after = {(facts.provider, facts.model): facts.price for facts in new}
    # A price that is gone is as bad for whoever counts on it as a model that is.
    gone = [
        key
        for key, price in before.items()
        if key not in after or (price is not None and after[key] is None)
    ]
    if len(gone) * _GONE_SHARE > len(before):
        some = ", ".join(f"`{'/'.join(key)}`" for key in gone[:3])
        found.append(f"of {len(before)} models {len(gone)} are gone or lost their price: {some} …")
    for key, price in before.items():
        now = after.get(key)
        if price is not None and now is not None:
            found += (f"`{'/'.join(key)}`: {leap}" for leap in _leaps(price, now))
    return found


def _leaps(old: Price, new: Price) -> Iterator[str]:
    for bound in sorted({0, *(tier.above_input_tokens for tier in (*old.tiers, *new.tiers))}):
        place = f" above {bound:,} input tokens" if bound else ""
        for name in RATES:
            before, now = (getattr(price.rates(bound + 1), name) for price in (old, new))
            if before is None or now is None or before == now:
                continue
            if max(before, now) >= _FACTOR * min(before, now):
                yield (
                    f"`{name}`{place} was {usd_per_million(before)} and would be "
                    f"{usd_per_million(now)} USD per million tokens"
                )


def install(data: bytes, path: Path) -> None:
    """Put a catalog in the place of the one that is kept, which becomes `.previous` if it is one.

    Whoever reads the file meanwhile finds the old or the new one, whole.

    Raises:
        StateError: The state folder cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    previous = path.with_name(f"{path.name}.previous")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write(draft, data)
            _keep(path, previous)
            draft.replace(path)
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()
    except OSError as error:
        message = (
            f"the state folder `{path.parent}` cannot be written: {error.strerror}. hint: make it "
            "writable, or name another one with `state_dir`"
        )
        raise StateError(message) from None


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _keep(path: Path, previous: Path) -> None:
    """Give the file its second name; the first stays until it is replaced."""
    with suppress(FileNotFoundError, CatalogFault):
        check(decode(path.read_bytes()))
        link = previous.with_name(f".{previous.name}.{secrets.token_hex(8)}")
        os.link(path, link)
        link.replace(previous)


def _download(url: str) -> bytes:
    deadline = time.monotonic() + _TOTAL_S
    opener = urllib.request.OpenerDirector()
    # No handler of `file:` or `ftp:`, which a redirect could lead to.
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    data = bytearray()
    try:
        with opener.open(url, timeout=_SOCKET_S) as reply:
            while chunk := reply.read1(_CHUNK_BYTES):
                data += chunk
                if len(data) > BYTES_MAX:
                    break
                if time.monotonic() > deadline:
                    raise UpdateRefused(f"`{url}` took longer than {_TOTAL_S:.0f} s")
    except urllib.error.HTTPError as error:
        raise UpdateRefused(f"`{url}` was answered with {error.code} {error.reason}") from None
    return bytes(data)
