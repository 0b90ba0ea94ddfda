"""The shape of a configuration, one file per area.

Each class is one mapping of the file; its attributes are the options, with their defaults, bounds
and meaning. What can be said of one value alone is said here, as a bound or pattern that also goes
into the published JSON Schema; what takes two values to say is in `config.rules`. Unknown options
are refused.
"""

from llm_edge_agent.config.schema.base import NAME_PATTERN, Area
from llm_edge_agent.config.schema.caches import CacheStore, RouteCache
from llm_edge_agent.config.schema.catalog import (
    CatalogCapabilities,
    CatalogModel,
    CatalogPrice,
    CatalogRates,
    CatalogSettings,
    CatalogTier,
)
from llm_edge_agent.config.schema.failures import Breaker, Hedge, Retry
from llm_edge_agent.config.schema.keys import Key
from llm_edge_agent.config.schema.limits import Limits
from llm_edge_agent.config.schema.listen import Listen
from llm_edge_agent.config.schema.metrics import Metrics
from llm_edge_agent.config.schema.providers import Auth, Aws, Azure, Google, Health, Provider
from llm_edge_agent.config.schema.request_log import RequestLog
from llm_edge_agent.config.schema.root import Config
from llm_edge_agent.config.schema.routes import Deadlines, Route, Target, Translation
from llm_edge_agent.config.schema.routing import (
    Affinity,
    Capability,
    Hours,
    RoutePolicy,
    RouteRule,
    Tokens,
    When,
)
from llm_edge_agent.config.schema.tls import Tls

__all__ = [
    "NAME_PATTERN",
    "Affinity",
    "Area",
    "Auth",
    "Aws",
    "Azure",
    "Breaker",
    "CacheStore",
    "Capability",
    "CatalogCapabilities",
    "CatalogModel",
    "CatalogPrice",
    "CatalogRates",
    "CatalogSettings",
    "CatalogTier",
    "Config",
    "Deadlines",
    "Google",
    "Health",
    "Hedge",
    "Hours",
    "Key",
    "Limits",
    "Listen",
    "Metrics",
    "Provider",
    "RequestLog",
    "Retry",
    "Route",
    "RouteCache",
    "RoutePolicy",
    "RouteRule",
    "Target",
    "Tls",
    "Tokens",
    "Translation",
    "When",
]
