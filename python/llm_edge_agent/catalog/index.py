"""A catalog: what is known of models, found by provider and name.

Invariant: what is found is of the model that was named, or nothing is found; who is asked for a
price gets None before he gets another model's.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from msgspec.structs import replace

from llm_edge_agent.catalog.document import check, decode, records
from llm_edge_agent.catalog.facts import CAPABILITIES, ModelFacts
from llm_edge_agent.engine import model_spellings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_edge_agent.catalog.document import Document, Record

__all__ = ["Catalog", "embedded"]

_FILLED = ("context_window", "output_max", "outputs")


class Catalog:
    """What one file knows.

    >>> embedded().find(["openai"], "gpt-4o").price.input
    2500000
    """

    def __init__(self, document: Document) -> None:
        """Know what `document` says."""
        self._document = document
        self._names: dict[str, dict[str, Record]] = {}

    @classmethod
    def parse(cls, data: bytes) -> Catalog:
        """The catalog in a file's bytes, every record of it looked at.

        Raises:
            CatalogFault: There is none that this program can use.
        """
        document = decode(data)
        check(document)
        return cls(document)

    @property
    def version(self) -> str:
        """Its date, `YYYY-MM-DD`: the day that its prices are of."""
        return self._document.version

    def __iter__(self) -> Iterator[ModelFacts]:
        """What is known of each model, by provider and name."""
        for provider in self._document.models:
            for record in records(self._document, provider):
                yield self._facts(provider, record)

    def find(self, provider_ids: Sequence[str], model: str) -> ModelFacts | None:
        """What is known of a model.

        Args:
            provider_ids: Providers of the catalog to look at, as `ProviderSpec.catalog` has them.
                What the first that has the model does not say, the next says.
            model: Its name as that provider takes it: with a date, a region, `-latest`.

        Returns:
            None where no provider has a model of that name.
        """
        found: ModelFacts | None = None
        for provider in provider_ids:
            record = self._record(provider, model)
            if record is not None:
                facts = self._facts(provider, record)
                found = facts if found is None else _filled(found, facts)
        return found

    def names(self, provider_ids: Sequence[str]) -> Iterator[str]:
        """Every name that these providers' models have here, in lower case, each once."""
        return iter(dict.fromkeys(name for at in provider_ids for name in self._index(at)))

    def _record(self, provider: str, model: str) -> Record | None:
        names = self._index(provider)
        return next((names[name] for name in model_spellings(model) if name in names), None)

    def _index(self, provider: str) -> dict[str, Record]:
        if provider not in self._names:
            found = records(self._document, provider)
            names = {record.model.lower(): record for record in found}
            for record in found:
                for alias in record.aliases:
                    names.setdefault(alias, record)
            self._names[provider] = names
        return self._names[provider]

    def _facts(self, provider: str, record: Record) -> ModelFacts:
        sources = self._document.sources
        return ModelFacts(
            provider=provider,
            model=record.model,
            context_window=record.context_window,
            output_max=record.output_max,
            capabilities=record.capabilities,
            price=record.price,
            released=record.released,
            status=record.status,
            outputs=record.outputs,
            capabilities_sources=tuple(sources[key] for key in record.facts_from),
            price_sources=tuple(sources[key] for key in record.price_from),
        )


def _filled(first: ModelFacts, second: ModelFacts) -> ModelFacts:
    """What the first says, and where it says nothing, the second; a price is one whole."""
    known = {name: getattr(first, name) or getattr(second, name) for name in _FILLED}
    said = {
        name: getattr(second.capabilities, name)
        for name in CAPABILITIES
        if getattr(first.capabilities, name) is None
    }
    filled = replace(first, **known, capabilities=replace(first.capabilities, **said))
    if any(known[name] != getattr(first, name) for name in _FILLED) or (
        filled.capabilities != first.capabilities
    ):
        sources = dict.fromkeys((*first.capabilities_sources, *second.capabilities_sources))
        filled = replace(filled, capabilities_sources=tuple(sources))
    if first.price is None and second.price is not None:
        filled = replace(filled, price=second.price, price_sources=second.price_sources)
    return filled


@cache
def embedded() -> Catalog:
    """The catalog that comes with the program; read at the first call."""
    data = resources.files(__package__).joinpath("data", "catalog.json").read_bytes()
    # Its records were looked at when it was built.
    return Catalog(decode(data))
