"""Keys → the directory's principals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_edge_agent.config.keys import HASH_PREFIX, hash_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_edge_agent.config.schema import Key

__all__ = ["PrincipalDoc", "compile_principals"]


class PrincipalDoc(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A caller: hash of its key (hex), its name, and the models it may use."""

    hash: str
    name: str
    models: list[str]


def compile_principals(keys: Sequence[Key], pepper: bytes) -> bytes:
    """JSON array of the callers; keys that are written out are hashed here."""
    principals = []
    for key in keys:
        written = key.hash if key.key is None else hash_key(pepper, key.key.reveal())
        digest = (written or "").removeprefix(HASH_PREFIX)
        principals.append(PrincipalDoc(hash=digest, name=key.name, models=key.models))
    return msgspec.json.encode(principals)
