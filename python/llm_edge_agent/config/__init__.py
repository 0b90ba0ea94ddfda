"""What operators want: read, checked, and shown back.

`load()` is the way in; `schema` says what can be said.
"""

from __future__ import annotations

from llm_edge_agent.config.admin_token import admin_token
from llm_edge_agent.config.catalogued import kept_catalog
from llm_edge_agent.config.json_schema import config_schema
from llm_edge_agent.config.keys import check_key_format, hash_key, new_key
from llm_edge_agent.config.load import (
    FILE_NAME,
    Loaded,
    Source,
    load,
    load_part,
    load_tree,
    search_path,
)
from llm_edge_agent.config.pepper import Pepper, given_pepper, load_pepper, state_dir
from llm_edge_agent.config.schema import Config
from llm_edge_agent.config.secret import Secret
from llm_edge_agent.config.show import resolved

__all__ = [
    "FILE_NAME",
    "Config",
    "Loaded",
    "Pepper",
    "Secret",
    "Source",
    "admin_token",
    "check_key_format",
    "config_schema",
    "given_pepper",
    "hash_key",
    "kept_catalog",
    "load",
    "load_part",
    "load_pepper",
    "load_tree",
    "new_key",
    "resolved",
    "search_path",
    "state_dir",
]
