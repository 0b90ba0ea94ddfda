"""Prices as people write them, USD per million tokens, and the whole number that is reckoned with.

The unit is the pico-USD per token, which is the micro-USD per million tokens: `0.0375` is 37,500.
The conversion is exact or refused; a binary fraction stands for the shortest decimal that YAML,
TOML or JSON can have meant by it.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

__all__ = ["USD_PER_MILLION_MAX", "UsdPerMillion", "pico_usd_per_token"]

USD_PER_MILLION_MAX = 10_000
"""Ten times what the dearest model has ever cost: above it, somebody took the wrong unit."""

_DECIMALS_MAX = 6
_CHARS_MAX = 40


class UsdPerMillion:
    """A price in a configuration.

    Attributes:
        pico_usd_per_token: The same, as it is reckoned with.
    """

    __slots__ = ("pico_usd_per_token",)

    def __init__(self, value: str | int | float) -> None:
        """Convert `value`, USD per million tokens.

        Raises:
            ValueError: It is no price; the message says why, without the value.
        """
        self.pico_usd_per_token = pico_usd_per_token(value)

    def __str__(self) -> str:
        """USD per million tokens, with no digit too many."""
        return f"{Decimal(self.pico_usd_per_token).scaleb(-_DECIMALS_MAX).normalize():f}"

    def __repr__(self) -> str:
        return f"UsdPerMillion({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UsdPerMillion):
            return NotImplemented
        return self.pico_usd_per_token == other.pico_usd_per_token

    def __hash__(self) -> int:
        return hash(self.pico_usd_per_token)


def pico_usd_per_token(value: Decimal | str | int | float) -> int:
    """The whole number of pico-USD per token that `value`, in USD per million tokens, is.

    >>> pico_usd_per_token("0.0375")
    37500

    Raises:
        ValueError: It is not a number, negative, not finite, finer than a pico-USD per token, or
            above `USD_PER_MILLION_MAX`.
    """
    number = _number(value)
    if not number.is_finite():
        raise ValueError("is not a finite number")
    if number < 0:
        raise ValueError("is negative")
    if number > USD_PER_MILLION_MAX:
        raise ValueError(f"is above {USD_PER_MILLION_MAX} USD per million tokens")
    if number and _decimals(number) > _DECIMALS_MAX:
        raise ValueError("is finer than 0.000001 USD per million tokens")
    return int(number.scaleb(_DECIMALS_MAX))


def _number(value: Decimal | str | int | float) -> Decimal:
    if isinstance(value, Decimal):
        return value
    text = str(value)
    if len(text) > _CHARS_MAX or not text.isascii() or "_" in text:
        raise ValueError("is not a decimal number")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("is not a decimal number") from None


def _decimals(number: Decimal) -> int:
    """Digits behind the point that say something."""
    digits, exponent = number.as_tuple().digits, number.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - finite, as was seen above
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return -(exponent + zeros)
