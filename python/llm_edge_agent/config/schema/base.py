"""What all areas share: the kind of struct, and the types used by several."""

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["NAME_PATTERN", "U32_MAX", "Area", "Milliseconds", "ModelPattern", "Name"]

NAME_PATTERN = r"^[a-z0-9_-]{1,64}$"
U32_MAX = 2**32 - 1


class Area(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mapping of the configuration: immutable, unknown options refused."""


Name = Annotated[
    str,
    Meta(
        pattern=NAME_PATTERN,
        extra={"hint": "use 1 to 64 of `a-z`, `0-9`, `-` and `_`"},
    ),
]
"""Name of a provider or route: part of model names, logs and metrics."""

ModelPattern = Annotated[
    str,
    Meta(
        pattern=r"^([^*\s]+\*?|\*)$",
        extra={"hint": "a model pattern is a name, or ends in its only `*`"},
    ),
]
"""A model name, or a prefix followed by `*`."""

Milliseconds = Annotated[int, Meta(ge=0, le=U32_MAX)]
"""A time span; 0 stands for no limit."""
