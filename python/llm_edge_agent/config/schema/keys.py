"""Virtual keys of the callers."""

from typing import Annotated

from msgspec import Meta, field

from llm_edge_agent.config.schema.base import Area, ModelPattern
from llm_edge_agent.config.secret import Secret

__all__ = ["Key"]


_Hash = Annotated[
    str,
    Meta(
        pattern=r"^hmac-sha256:[0-9a-f]{64}$",
        extra={"hint": "make a key and its hash with `llm-edge-agent keys create`"},
    ),
]


class Key(Area, frozen=True, kw_only=True):
    """One key: its hash (as `llm-edge-agent keys create` prints it) or the key itself."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            pattern=r"^[^\x00-\x1f\x7f]*$",
            description="Name in logs; unique.",
        ),
    ]
    hash: Annotated[
        _Hash | None, Meta(description="HMAC-SHA-256 of the key under the pepper, hex.")
    ] = None
    key: Annotated[Secret | None, Meta(description="The key itself; best as `${APP_KEY}`.")] = None
    models: Annotated[
        list[ModelPattern], Meta(min_length=1, description="Models this key may use.")
    ] = field(default_factory=lambda: ["*"])
