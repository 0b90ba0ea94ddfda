"""The file that holds a catalog: JSON, one model a line, so that a diff says what has changed.

The file is what `scripts/catalog.py` writes and `models update` takes. `format` changes when an
older program could misread it; a field that is not known is refused.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from llm_edge_agent.catalog.facts import Capabilities, Source, Status
from llm_edge_agent.catalog.price import Data, Price

__all__ = [
    "BYTES_MAX",
    "FORMAT",
    "CatalogFault",
    "Document",
    "Record",
    "check",
    "decode",
    "encode",
    "records",
]

FORMAT = 1
BYTES_MAX = 16 * 1024 * 1024

_Tokens = Annotated[int, Meta(ge=1, le=1_000_000_000)]
_Date = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class CatalogFault(Exception):  # noqa: N818 -- says what is the matter
    """A file is no catalog that this program can use. The message says why, without its name."""


class Record(Data, frozen=True, kw_only=True):
    """One model of a provider; the words are those of `ModelFacts`.

    Attributes:
        aliases: Other names of it, in lower case.
        facts_from: Keys of `Document.sources`: who says all but the price.
        price_from: Who says the price.
    """

    model: Annotated[str, Meta(min_length=1)]
    aliases: tuple[str, ...] = ()
    context_window: _Tokens | None = None
    output_max: _Tokens | None = None
    capabilities: Capabilities = Capabilities()
    price: Price | None = None
    released: str | None = None
    status: Status | None = None
    outputs: tuple[str, ...] | None = None
    facts_from: tuple[str, ...] = ()
    price_from: tuple[str, ...] = ()


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole file.

    Attributes:
        format: `FORMAT`.
        version: The catalog's date: the day that its prices are of.
        sources: Key → who it is that says something.
        models: Provider → its records, sorted and no two alike; read when they are asked for.
    """

    format: int
    version: _Date
    sources: dict[str, Source]
    models: dict[str, msgspec.Raw]


class _Head(msgspec.Struct, frozen=True):
    format: int


_RECORDS = msgspec.json.Decoder(tuple[Record, ...])


def decode(data: bytes) -> Document:
    """The catalog that a file's bytes are; its records are not looked at yet.

    Raises:
        CatalogFault: They are none, or one that this program cannot use.
    """
    if len(data) > BYTES_MAX:
        raise CatalogFault(f"is larger than {BYTES_MAX // 1024 // 1024} MiB")
    try:
        found = msgspec.json.decode(data, type=_Head).format
        if found != FORMAT:
            message = f"has the format {found}; this program knows {FORMAT}"
            raise CatalogFault(message)
        return msgspec.json.decode(data, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CatalogFault(f"is no catalog: {error}") from None


def records(document: Document, provider: str) -> tuple[Record, ...]:
    """The models of a provider; none where the catalog does not have it.

    Raises:
        CatalogFault: What stands there are no records.
    """
    raw = document.models.get(provider)
    try:
        return () if raw is None else _RECORDS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CatalogFault(f"is no catalog: {error} of `{provider}`") from None


def encode(version: str, sources: dict[str, Source], models: dict[str, list[Record]]) -> bytes:
    """The bytes of a file; the same content gives the same bytes."""
    head = {
        "format": FORMAT,
        "version": version,
        "sources": {key: sources[key] for key in sorted(sources)},
    }
    parts = [msgspec.json.encode(head)[:-1], b',"models":{']
    for at, provider in enumerate(sorted(models)):
        lines = sorted(models[provider], key=lambda record: record.model)
        parts += [b",\n" if at else b"\n", msgspec.json.encode(provider), b":[\n"]
        parts += [b",\n".join(map(msgspec.json.encode, lines)), b"\n]"]
    return b"".join([*parts, b"\n}}\n"])


def check(document: Document) -> None:
    """Look at every record.

    Raises:
        CatalogFault: One cannot be used, or contradicts another.
    """
    for provider in document.models:
        seen: set[str] = set()
        for record in records(document, provider):
            name = f"`{provider}/{record.model}`"
            if record.model in seen:
                raise CatalogFault(f"is no catalog: {name} is in it twice")
            seen.add(record.model)
            for source in (*record.facts_from, *record.price_from):
                if source not in document.sources:
                    message = f"is no catalog: {name} names the unknown source `{source}`"
                    raise CatalogFault(message)
            tiers = record.price.tiers if record.price is not None else ()
            bounds = [tier.above_input_tokens for tier in tiers]
            if bounds != sorted(set(bounds)):
                raise CatalogFault(f"is no catalog: the tiers of {name} are in disorder")
