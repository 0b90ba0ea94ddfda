"""Intentions → bytes: a checked configuration becomes what the engine runs on.

The same configuration gives the same bytes. Secrets come out beside the snapshot, never in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llm_edge_agent.catalog import replacing_catalog
from llm_edge_agent.compiler.directory import compile_principals
from llm_edge_agent.compiler.facts import compile_known
from llm_edge_agent.compiler.limits import compile_limits, compile_request_log
from llm_edge_agent.compiler.names import compile_models, compile_names
from llm_edge_agent.compiler.options import compile_options
from llm_edge_agent.compiler.providers import compile_provider, read_private_key
from llm_edge_agent.compiler.snapshot import ModelDoc, ProviderDoc, SnapshotDoc, encode
from llm_edge_agent.compiler.targets import is_claimed, targets_of
from llm_edge_agent.config.secret import Secret
from llm_edge_agent.engine import Address
from llm_edge_agent.routing import load_policy

if TYPE_CHECKING:
    from llm_edge_agent.config.schema import Config
    from llm_edge_agent.credentials import Source
    from llm_edge_agent.engine import EngineOptions
    from llm_edge_agent.routing import Policy

__all__ = [
    "Compiled",
    "ModelDoc",
    "compile_config",
    "compile_models",
    "compile_options",
    "is_claimed",
    "targets_of",
]


@dataclass(frozen=True)
class Compiled:
    """What a configuration comes to.

    Attributes:
        snapshot: JSON for `Engine.apply`.
        principals: JSON for `Engine.directory_replace`.
        credentials: Slot → secret, for `Engine.set_credential`.
        private_keys: Slot → PEM, for `Engine.set_private_key`.
        found: Slot → where its secret is to be found, now and again.
        policies: Name → what ranks targets, for `Engine.set_policy`.
        engine_options: What an engine for this configuration is made with.
    """

    snapshot: bytes
    principals: bytes = field(repr=False)
    credentials: dict[str, Secret]
    private_keys: dict[str, Secret]
    found: dict[str, Source]
    policies: dict[str, Policy]
    engine_options: EngineOptions


def compile_config(
    config: Config,
    *,
    pepper: bytes,
    mock_address: Address | tuple[str, int] | None = None,
    log_fd: int = 1,
) -> Compiled:
    """Compile a configuration that `config.load` has checked.

    Args:
        config: The configuration.
        pepper: Secret of the key hashes; hashes keys that are written out.
        mock_address: Where the built-in mock listens; needed when `config.mock`.
        log_fd: Where the request log goes, 1 or 2.

    Raises:
        ConfigError: A file it names cannot be read, the catalog in the state folder is none, or the
            mock is wanted and does not run.
    """
    # Whether anything needs it or not: a broken one would be found when prices are asked for.
    replacing_catalog(config)
    providers: list[ProviderDoc] = []
    credentials: dict[str, Secret] = {}
    found: dict[str, Source] = {}
    private_keys: dict[str, Secret] = {}
    mock = None if mock_address is None else Address(*mock_address)
    for name, provider in config.providers.items():
        doc, slots = compile_provider(name, provider, mock, compile_known(config, name))
        providers.append(doc)
        for slot, credential in slots.items():
            if isinstance(credential, Secret):
                credentials[slot] = credential
            else:
                found[slot] = credential
        if doc.origin.client_certificate is not None:
            private_keys[doc.origin.client_certificate.key] = read_private_key(name, provider)
    routes, names = compile_names(config, providers)
    snapshot = SnapshotDoc(
        keys_required=bool(config.keys),
        limits=compile_limits(config.limits),
        request_log=compile_request_log(config.request_log),
        debug_headers=config.debug_headers,
        metrics_by_key=config.metrics.by_key,
        cache_bytes_max=config.cache.bytes_max,
        providers=providers,
        routes=routes,
        names=names,
        models=compile_models(config),
    )
    return Compiled(
        snapshot=encode(snapshot),
        principals=compile_principals(config.keys, pepper),
        credentials=credentials,
        private_keys=private_keys,
        found=found,
        policies={
            route.policy.name: load_policy(route.policy.name, f"routes.{name}.policy.name")
            for name, route in config.routes.items()
            if route.policy is not None
        },
        engine_options=compile_options(config, pepper, log_fd=log_fd),
    )
