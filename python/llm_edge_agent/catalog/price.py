"""What a model's tokens cost: whole numbers of pico-USD per token, never floats.

A pico-USD per token is a micro-USD per million tokens, so that `$0.0375` per million is 37,500 and
what a request costs is a whole number of pico-USD. None stands for what is not known; nothing is
free because nobody knows its price. Fees that are not for tokens (searches, requests, storage) and
prices of sound, pictures and video are not in it.

Where a provider charges by the hour of the day or from some day on, the price is the one in force
at noon UTC of the catalog's date.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["RATES", "Data", "Price", "Rates", "Tier", "usd", "usd_per_million"]

_PICO_USD_MAX = 10**10
"""10,000 USD per million tokens, as in configurations."""

_Pico = Annotated[int, Meta(ge=0, le=_PICO_USD_MAX)]

RATES = (
    "input",
    "output",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "batch_input",
    "batch_output",
)
"""The kinds of token that have a price."""


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What a catalog holds thousands of: written without what is not known."""


class Rates(Data, frozen=True, kw_only=True):
    """Prices in pico-USD per token.

    Attributes:
        input: Input that no cache had.
        output: Output, reasoning included.
        cached_input: Input read from the provider's cache.
        cache_write: Input written to the provider's cache.
        cache_write_1h: The same, to be kept for an hour.
        batch_input: Input of a batch.
        batch_output: Output of a batch.
    """

    input: _Pico | None = None
    output: _Pico | None = None
    cached_input: _Pico | None = None
    cache_write: _Pico | None = None
    cache_write_1h: _Pico | None = None
    batch_input: _Pico | None = None
    batch_output: _Pico | None = None


class Tier(Rates, frozen=True, kw_only=True):
    """Prices of requests with more than so many input tokens, for all of their tokens."""

    above_input_tokens: Annotated[int, Meta(ge=0)]


class Price(Rates, frozen=True, kw_only=True):
    """Prices of a model, and of its long requests where those differ, the shortest first."""

    tiers: tuple[Tier, ...] = ()

    def rates(self, input_tokens: int) -> Rates:
        """The prices of a request with so many input tokens, those from the cache included."""
        tiers = [tier for tier in self.tiers if input_tokens > tier.above_input_tokens]
        return tiers[-1] if tiers else self

    def cost(self, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> int | None:
        """What a request costs, in pico-USD; None where a price that it takes is not known.

        >>> Price(input=2_500_000, output=10_000_000).cost(input_tokens=1000, output_tokens=100)
        3500000000

        Args:
            input_tokens: All of the input, those from the cache included.
            output_tokens: The output, reasoning included.
            cached_tokens: How many of the input tokens were read from the cache; they cost what
                other input does where they have no price of their own, as the gateway counts them.
        """
        rates = self.rates(input_tokens)
        parts = (
            (input_tokens - cached_tokens, rates.input),
            (cached_tokens, rates.input if rates.cached_input is None else rates.cached_input),
            (output_tokens, rates.output),
        )
        cost = 0
        for tokens, rate in parts:
            if tokens and rate is None:
                return None
            cost += tokens * (rate or 0)
        return cost


def usd_per_million(pico_usd_per_token: int) -> str:
    """For people: USD per million tokens, exact.

    >>> usd_per_million(37_500)
    '0.0375'
    """
    return _decimal(pico_usd_per_token, 6)


def usd(pico_usd: int) -> str:
    """For people: USD, exact.

    >>> usd(3_500_000_000)
    '0.0035'
    """
    return _decimal(pico_usd, 12)


def _decimal(value: int, digits: int) -> str:
    # An addition or `normalize` would round to the context's 28 digits.
    text = f"{Decimal(value).scaleb(-digits):f}" if value < 10**27 else f"{value}e-{digits}"
    return text.rstrip("0").rstrip(".") if "." in text else text
