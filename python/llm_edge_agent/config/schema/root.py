"""The whole configuration."""

from typing import Annotated, Literal

from msgspec import Meta, field

from llm_edge_agent.config.schema.base import Area, Name
from llm_edge_agent.config.schema.caches import CacheStore
from llm_edge_agent.config.schema.catalog import CatalogSettings
from llm_edge_agent.config.schema.keys import Key
from llm_edge_agent.config.schema.limits import Limits
from llm_edge_agent.config.schema.listen import Listen
from llm_edge_agent.config.schema.metrics import Metrics
from llm_edge_agent.config.schema.providers import Provider
from llm_edge_agent.config.schema.request_log import RequestLog
from llm_edge_agent.config.schema.routes import Route
from llm_edge_agent.config.schema.tls import Tls

__all__ = ["Config"]

_FolderName = Annotated[str, Meta(min_length=1)]


class Config(Area, frozen=True, kw_only=True):
    """Everything an operator can say."""

    version: Annotated[Literal[1], Meta(description="Shape of the configuration.")] = 1
    listen: Annotated[Listen, Meta(description="Addresses.")] = field(default_factory=Listen)
    tls: Annotated[Tls | None, Meta(description="TLS on the API listener.")] = None
    workers: Annotated[
        int, Meta(ge=0, le=1024, description="Data threads; 0: one per core this process may use.")
    ] = 0
    reuse_port: Annotated[
        bool, Meta(description="Share the API port with an instance that is going away.")
    ] = False
    insecure: Annotated[
        bool, Meta(description="Allow other machines in without keys, and on the admin port.")
    ] = False
    state_dir: Annotated[
        _FolderName | None, Meta(description="Folder of the key pepper and of a newer catalog.")
    ] = None
    drain_s: Annotated[
        float, Meta(ge=0, le=86400, description="How long running requests may take at the end.")
    ] = 30.0
    debug_headers: Annotated[
        bool,
        Meta(description="Tell a request with `x-llm-edge-debug: 1` how it was served."),
    ] = False
    mock: Annotated[bool, Meta(description="Have the mock provider, as `mock/echo` and so on.")] = (
        False
    )
    keys: Annotated[
        list[Key], Meta(description="Who may call; without any, everybody who can reach the port.")
    ] = field(default_factory=list)
    providers: Annotated[dict[Name, Provider], Meta(description="Upstream systems, by name.")] = (
        field(default_factory=dict)
    )
    routes: Annotated[
        dict[Name, Route], Meta(description="Where model names lead, by name of the route.")
    ] = field(default_factory=dict)
    cache: Annotated[CacheStore, Meta(description="What the caches of all routes share.")] = field(
        default_factory=CacheStore
    )
    catalog: Annotated[CatalogSettings, Meta(description="What models cost and can do.")] = field(
        default_factory=CatalogSettings
    )
    limits: Annotated[Limits, Meta(description="Bounds a client can meet.")] = field(
        default_factory=Limits
    )
    metrics: Annotated[Metrics, Meta(description="What is counted for Prometheus.")] = field(
        default_factory=Metrics
    )
    request_log: Annotated[RequestLog, Meta(description="One line per request.")] = field(
        default_factory=RequestLog
    )
