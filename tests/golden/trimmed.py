"""Snapshots without what the catalog knows of models that no case is about."""

from typing import Any

import msgspec

from llm_edge_agent.config import Config

__all__ = ["trimmed"]


def trimmed(snapshot: bytes, config: Config) -> bytes:
    """The snapshot with only those known models that the configuration itself describes.

    All the others change with the catalog, and would be most of every file.
    """
    tree: dict[str, Any] = msgspec.json.decode(snapshot)
    for provider in tree["providers"]:
        known = provider["models"]
        own = {
            name: known["facts"][at]
            for name, at in known["names"].items()
            if f"{provider['name']}/{name}" in config.catalog.models
        }
        names = {name: at for at, name in enumerate(own)}
        provider["models"] = {"names": names, "facts": list(own.values())}
    return msgspec.json.encode(tree)
