"""A string that is never shown by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn

__all__ = ["MASK", "Secret", "SecretText"]

MASK = "***"


class Secret:
    """Holds a secret; every way to print it gives `***`, and only `reveal()` gives the value.

    >>> f"{Secret('sk-1')} {Secret('sk-1')!r}"
    '*** ***'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Keep `value`."""
        self._value = value

    def reveal(self) -> str:
        """The value itself: for the engine, and for nothing that is printed."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """In constant time for a given length."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        """Refuse pickling, which would write the value down."""
        message = "a Secret cannot be pickled"
        raise TypeError(message)


class SecretText(Secret):
    """A secret that no header field carries: of any characters, and of several lines."""

    __slots__ = ()
