"""TLS on the API listener."""

from typing import Annotated

from msgspec import Meta

from llm_edge_agent.config.schema.base import Area

__all__ = ["Tls"]


class Tls(Area, frozen=True, kw_only=True):
    """PEM files; both are read again when one changes, and with every reload."""

    cert_file: Annotated[str, Meta(min_length=1, description="Certificate chain, PEM.")]
    key_file: Annotated[str, Meta(min_length=1, description="Private key, PEM.")]
