"""What models cost and can do: a catalog that comes with the program, and what is said over it.

`facts_for` and `all_facts` are the ways in for a configuration, `embedded` for everybody else.
Nothing is read before it is asked for.
"""

from __future__ import annotations

from llm_edge_agent.catalog.configured import (
    all_facts,
    catalog_of,
    facts_for,
    known_names,
    replacing_catalog,
)
from llm_edge_agent.catalog.document import CatalogFault
from llm_edge_agent.catalog.facts import CAPABILITIES, Capabilities, ModelFacts, Source
from llm_edge_agent.catalog.index import Catalog, embedded
from llm_edge_agent.catalog.price import RATES, Price, Rates, Tier, usd, usd_per_million

__all__ = [
    "CAPABILITIES",
    "RATES",
    "Capabilities",
    "Catalog",
    "CatalogFault",
    "ModelFacts",
    "Price",
    "Rates",
    "Source",
    "Tier",
    "all_facts",
    "catalog_of",
    "embedded",
    "facts_for",
    "known_names",
    "replacing_catalog",
    "usd",
    "usd_per_million",
]
