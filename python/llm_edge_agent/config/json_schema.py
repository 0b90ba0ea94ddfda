"""The JSON Schema of a configuration file, for editors and checks."""

from __future__ import annotations

from typing import Any

import msgspec

from llm_edge_agent.config.schema import Config
from llm_edge_agent.config.secret import Secret
from llm_edge_agent.config.usd import USD_PER_MILLION_MAX, UsdPerMillion

__all__ = ["config_schema"]


def config_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a configuration after its references are replaced."""
    schema = msgspec.json.schema(Config, schema_hook=_custom_schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "LLM-Edge-Agent configuration",
        **schema,
    }


def _custom_schema(kind: type) -> dict[str, Any]:
    if issubclass(kind, Secret):
        return {"type": "string", "minLength": 1}
    if issubclass(kind, UsdPerMillion):
        return {"type": ["number", "string"], "minimum": 0, "maximum": USD_PER_MILLION_MAX}
    raise NotImplementedError(kind)
