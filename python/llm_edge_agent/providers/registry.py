"""The kinds of provider there are: those built in, and those that other distributions bring.

A distribution brings one by an entry point of the group `llm_edge_agent.providers`: its name is the
word for the configuration, its value a `ProviderSpec`. Nobody's code is imported before its kind is
named, and what is wrong with it is told, never raised as it came. A name that is built in stays so:
a distribution that claims it is refused, so that nobody gets another kind than the one he named.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from llm_edge_agent.providers.check import fault_of
from llm_edge_agent.providers.spec import ProviderSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "Registry", "Unusable"]

GROUP = "llm_edge_agent.providers"


class Unusable(Exception):  # noqa: N818 -- says what is the matter
    """A kind that a distribution brings cannot be used.

    Attributes:
        message: What is wrong, and with which distribution.
        hint: How to mend it.
    """

    def __init__(self, message: str, hint: str) -> None:
        """Keep the parts."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class Registry:
    """What is installed at this moment."""

    def __init__(self, built_in: Mapping[str, ProviderSpec]) -> None:
        """See what is installed beside `built_in`; nothing is imported yet."""
        self._built_in = built_in
        self._brought: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=GROUP):
            self._brought.setdefault(point.name, []).append(point)

    @property
    def names(self) -> list[str]:
        """Every kind, those built in first."""
        return [*self._built_in, *sorted(self._brought.keys() - self._built_in.keys())]

    @property
    def shadows(self) -> list[str]:
        """The built-in kinds that a distribution claims as well."""
        return sorted(self._brought.keys() & self._built_in.keys())

    def origin(self, kind: str) -> str | None:
        """Name and version of the distribution that brings a kind; None where it is built in."""
        return None if kind in self._built_in else _origin(self._brought[kind][0])

    def find(self, kind: str) -> ProviderSpec | None:
        """The kind of that name, if there is one.

        Raises:
            Unusable: There is, but not so that it can be used.
        """
        points = self._brought.get(kind, [])
        own = self._built_in.get(kind)
        if own is not None and points:
            message = f"`{kind}` is built in, and {_origins(points)} brings a kind of that name too"
            raise Unusable(message, "uninstall it, or have it use another name")
        if own is not None or not points:
            return own
        if len(points) > 1:
            message = f"`{kind}` is brought by more than one distribution: {_origins(points)}"
            raise Unusable(message, "uninstall all but one of them")
        return _load(points[0])


def _load(point: EntryPoint) -> ProviderSpec:
    hint = f"mend, update or uninstall {_origin(point)}"
    brought = f"{_origin(point)}, which brings `{point.name}`, cannot be used"
    try:
        spec = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever its code does
        cause = f"{type(error).__name__}: {error}".strip(": \n").replace("\n", " ")
        message = f"{brought}: importing `{point.value}` failed ({cause})"
        raise Unusable(message, hint) from None
    if not isinstance(spec, ProviderSpec):
        message = f"{brought}: `{point.value}` is a `{type(spec).__name__}`, not a `ProviderSpec`"
        raise Unusable(message, hint)
    fault = fault_of(spec)
    if fault is None and spec.type != point.name:
        fault = f"its `type` is `{spec.type}`, and the entry point is called `{point.name}`"
    if fault is not None:
        message = f"{brought}: {fault}"
        raise Unusable(message, hint)
    return spec


def _origins(points: list[EntryPoint]) -> str:
    return ", ".join(_origin(point) for point in points)


def _origin(point: EntryPoint) -> str:
    dist = point.dist
    return "an unknown distribution" if dist is None else f"`{dist.name} {dist.version}`"
