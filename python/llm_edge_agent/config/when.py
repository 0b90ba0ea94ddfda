"""Whether a rule's condition holds only where another's does, so that it never has its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from llm_edge_agent.config.schema.routing import Day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_edge_agent.config.schema import Hours, Tokens, When

__all__ = ["DAYS", "covers", "is_within", "minutes"]

DAYS: tuple[Day, ...] = get_args(Day)
"""Of the week, in order."""
_DAY = 24 * 60
_WEEK = (1 << 7 * _DAY) - 1


def covers(pattern: str, name: str) -> bool:
    """Whether a pattern, a name or one that ends in `*`, covers a name or all of such a pattern."""
    if pattern.endswith("*"):
        return name.removesuffix("*").startswith(pattern[:-1])
    return pattern == name


def minutes(time: str) -> int:
    """Minutes after midnight of a time such as `22:30`."""
    hour, minute = time.split(":")
    return 60 * int(hour) + int(minute)


def is_within(when: When, other: When) -> bool:
    """Whether every request for which `when` holds is one for which `other` does.

    Looks at one condition at a time: False where only several of them together would tell.
    """
    return (
        all(
            name in when.headers and _words(when.headers[name], patterns)
            for name, patterns in other.headers.items()
        )
        and _words(when.keys, other.keys)
        and _words(when.models, other.models)
        and _words(when.tags, other.tags)
        and _tokens(when.input_tokens, other.input_tokens)
        and set(other.needs) <= set(when.needs)
        and other.stream in (None, when.stream)
        and (other.hours is None or (when.hours is not None and _hours(when.hours, other.hours)))
    )


def _words(patterns: Sequence[str], others: Sequence[str]) -> bool:
    """Of a list one must fit; no list is no condition."""
    if not others:
        return True
    return bool(patterns) and all(
        any(covers(other, pattern) for other in others) for pattern in patterns
    )


def _tokens(tokens: Tokens | None, other: Tokens | None) -> bool:
    if other is None:
        return True
    least, most = (None, None) if tokens is None else (tokens.min, tokens.max)
    from_below = other.min is None or (least is not None and least >= other.min)
    return from_below and (other.max is None or (most is not None and most <= other.max))


def _hours(hours: Hours, other: Hours) -> bool:
    return _of_the_week(hours) & ~_of_the_week(other) == 0


def _of_the_week(hours: Hours) -> int:
    """A bit for every minute of the week; what ends before it begins ends on the next day."""
    begin, end = minutes(hours.from_), minutes(hours.to)
    once = (1 << (end - begin) % _DAY) - 1
    held = 0
    for day in hours.days:
        held |= once << (DAYS.index(day) * _DAY + begin)
    # What lies behind Sunday's midnight is Monday's.
    return held & _WEEK | held >> 7 * _DAY
