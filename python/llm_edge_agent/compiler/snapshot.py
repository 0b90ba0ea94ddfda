"""The snapshot as it crosses to the engine: the same words as `rust/core/src/snapshot`.

Every field is always written; the engine refuses one that it does not know and misses one that is
not there. Credentials are never in it, only the names of the slots they are put into.
"""

from __future__ import annotations

import msgspec
import xxhash

__all__ = [
    "AffinityDoc",
    "AuthDoc",
    "BreakerDoc",
    "CacheDoc",
    "ClientCertificateDoc",
    "DeadlinesDoc",
    "HealthDoc",
    "HedgeDoc",
    "HoursDoc",
    "KnownModelsDoc",
    "LimitsDoc",
    "ModelDoc",
    "ModelFactsDoc",
    "ModelNameDoc",
    "NamesDoc",
    "OriginDoc",
    "PriceDoc",
    "ProviderDoc",
    "ProxyDoc",
    "RatesDoc",
    "RequestLogDoc",
    "RetryDoc",
    "RouteDoc",
    "RoutePolicyDoc",
    "RuleDoc",
    "ScopeDoc",
    "SnapshotDoc",
    "TargetDoc",
    "TierDoc",
    "WhenDoc",
    "encode",
    "fingerprint",
]


class _Doc(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class LimitsDoc(_Doc, frozen=True, kw_only=True):
    """Named limits: bytes, counts, milliseconds."""

    body_bytes_max: int
    buffered_bytes_max: int
    head_bytes_max: int
    headers_max: int
    target_bytes_max: int
    connections_max: int
    connections_per_client_max: int
    in_flight_max: int
    queue_ms_max: int
    memory_bytes_max: int
    head_ms: int
    body_progress_ms: int
    body_bytes_per_s_min: int
    idle_ms: int
    write_stall_ms: int
    upstream_idle_max: int
    upstream_idle_ms: int
    upstream_head_bytes_max: int
    upstream_age_max_ms: int
    upstream_http2_connections_max: int
    upstream_ping_ms: int
    dns_ttl_ms: int
    event_bytes_max: int


class RequestLogDoc(_Doc, frozen=True, kw_only=True):
    """Which requests get a log line."""

    mode: str
    sample_every: int


class ClientCertificateDoc(_Doc, frozen=True, kw_only=True):
    """A certificate of ours; `key` is the slot of its private key."""

    cert_pem: str
    key: str


class ProxyDoc(_Doc, frozen=True, kw_only=True):
    """A proxy on the way; `credential` is the slot of what it is shown."""

    host: str
    port: int
    credential: str | None


class OriginDoc(_Doc, frozen=True, kw_only=True):
    """Where to connect."""

    scheme: str
    host: str
    port: int
    ca_pem: str | None
    client_certificate: ClientCertificateDoc | None
    proxy: ProxyDoc | None
    http2: str
    allow_addresses: list[str]


class AuthDoc(_Doc, frozen=True, kw_only=True):
    """How a credential is presented."""

    header: str
    prefix: str


class ScopeDoc(_Doc, frozen=True, kw_only=True):
    """What requests are signed for."""

    region: str
    service: str


class HealthDoc(_Doc, frozen=True, kw_only=True):
    """How a provider is probed."""

    path: str
    interval_ms: int
    timeout_ms: int
    failures: int


class ProviderDoc(_Doc, frozen=True, kw_only=True):
    """An upstream system."""

    name: str
    origin: OriginDoc
    host_header: str
    chat_fields: str
    chat_members: dict[str, str | None]
    replays_reasoning: str | None
    tool_id_length: int | None
    takes_models: bool
    is_anthropic: bool
    takes_extra_content: bool
    platform: str
    operations: dict[str, str]
    auth: AuthDoc | None
    operation_auth: dict[str, AuthDoc]
    sigv4: ScopeDoc | None
    headers: list[tuple[str, str]]
    default_headers: list[tuple[str, str]]
    withheld_headers: list[str]
    credentials: list[str]
    accounts: list[str]
    credential_weights: list[int]
    health: HealthDoc | None
    models: KnownModelsDoc


class CacheDoc(_Doc, frozen=True, kw_only=True):
    """The exact cache on a route."""

    ttl_ms: int
    reply_bytes_max: int


class DeadlinesDoc(_Doc, frozen=True, kw_only=True):
    """How long to wait; 0 stands for no limit."""

    connect_ms: int
    first_byte_ms: int
    progress_ms: int
    total_ms: int


class RetryDoc(_Doc, frozen=True, kw_only=True):
    """How a route tries again."""

    attempts_max: int
    backoff_ms: int
    backoff_max_ms: int
    retry_after_max_ms: int
    budget_percent: int
    cooldown_ms: int


class BreakerDoc(_Doc, frozen=True, kw_only=True):
    """When a target is left alone."""

    failures: int
    failure_percent: int
    window_ms: int
    open_ms: int
    probes: int


class HedgeDoc(_Doc, frozen=True, kw_only=True):
    """When a second attempt is started."""

    delay_ms: int
    spend_percent: int


ModelNameDoc = str | dict[str, str]
"""`same`, `rest`, or `{"fixed": name}`."""


class RatesDoc(_Doc, frozen=True, kw_only=True):
    """What tokens cost, in pico-USD per token."""

    input: int
    output: int
    cached_input: int | None
    cache_write: int | None
    cache_write_1h: int | None


class TierDoc(_Doc, frozen=True, kw_only=True):
    """What requests with longer prompts cost."""

    above_input_tokens: int
    rates: RatesDoc


class PriceDoc(_Doc, frozen=True, kw_only=True):
    """What a model costs."""

    base: RatesDoc
    tiers: list[TierDoc]


class ModelFactsDoc(_Doc, frozen=True, kw_only=True):
    """What is known of a target's model; `lacks` are capabilities."""

    lacks: list[str] = []
    context_window: int | None = None
    price: PriceDoc | None = None


class KnownModelsDoc(_Doc, frozen=True, kw_only=True):
    """What is known of a provider's models: the place among `facts` for each of their names."""

    names: dict[str, int]
    facts: list[ModelFactsDoc]


class TargetDoc(_Doc, frozen=True, kw_only=True):
    """One place a request may go; `provider` is an index."""

    provider: int
    model: ModelNameDoc
    weight: int
    facts: ModelFactsDoc = ModelFactsDoc()


AffinityDoc = str | dict[str, str]
"""`conversation`, `key`, or `{"header": name}`."""


class RoutePolicyDoc(_Doc, frozen=True, kw_only=True):
    """Who ranks a route's targets, and how long it is waited for."""

    name: str
    deadline_ms: int


class HoursDoc(_Doc, frozen=True, kw_only=True):
    """A time of some days: minutes after midnight, and a bit for each day, Monday being 1."""

    from_: int = msgspec.field(name="from")
    to: int
    days: int


class WhenDoc(_Doc, frozen=True, kw_only=True):
    """What must hold of a request."""

    headers: list[tuple[str, list[str]]]
    keys: list[str]
    models: list[str]
    tags: list[str]
    input_tokens_min: int | None
    input_tokens_max: int | None
    needs: list[str]
    stream: bool | None
    hours: HoursDoc | None


class RuleDoc(_Doc, frozen=True, kw_only=True):
    """Requests that take another route; `route` is an index."""

    route: int
    when: WhenDoc


class TranslationDoc(_Doc, frozen=True, kw_only=True):
    """How a route translates."""

    strict: bool
    cache_breakpoints: bool
    max_tokens: int


class RouteDoc(_Doc, frozen=True, kw_only=True):
    """Where a model name leads."""

    name: str
    models: list[str]
    pass_through: list[str]
    rules: list[RuleDoc]
    strategy: str
    affinity: AffinityDoc
    policy: RoutePolicyDoc | None
    targets: list[TargetDoc]
    cache: CacheDoc | None
    deadlines: DeadlinesDoc
    fallbacks: list[int]
    retry: RetryDoc
    breaker: BreakerDoc | None
    commit_point: bool
    ask_usage: bool
    translation: TranslationDoc
    hedge: HedgeDoc | None
    caller_credential: int | None
    policy_hash: str


class NamesDoc(_Doc, frozen=True, kw_only=True):
    """Model name → route index."""

    exact: dict[str, int]
    prefixes: list[tuple[str, int]]
    by_dialect: dict[str, int]


class ModelDoc(_Doc, frozen=True, kw_only=True):
    """A model to list."""

    id: str
    owned_by: str
    created: int


class SnapshotDoc(_Doc, frozen=True, kw_only=True):
    """Everything a request needs to know."""

    version: int = 1
    fingerprint: str = ""
    keys_required: bool
    limits: LimitsDoc
    request_log: RequestLogDoc
    debug_headers: bool
    metrics_by_key: bool
    cache_bytes_max: int
    providers: list[ProviderDoc]
    routes: list[RouteDoc]
    names: NamesDoc
    models: list[ModelDoc]


def fingerprint(value: object) -> str:
    """xxh3-128 of the JSON of `value`, 32 hex digits."""
    return xxhash.xxh3_128_hexdigest(msgspec.json.encode(value))


def encode(doc: SnapshotDoc) -> bytes:
    """The bytes for the engine, fingerprint filled in."""
    bare = msgspec.structs.replace(doc, fingerprint="")
    return msgspec.json.encode(msgspec.structs.replace(bare, fingerprint=fingerprint(bare)))
