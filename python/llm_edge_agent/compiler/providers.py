"""Configuration and specification of a provider → what the engine calls.

A credential's slot carries the origin it belongs to. When a provider moves to another address with
another key, the new key is set into a new slot, and requests that still follow the old snapshot
cannot send it to the old address. Nor may a request that shows its credential find an access key in
the slot, which it would show: those for signing have slots of their own.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from llm_edge_agent.compiler.snapshot import (
    AuthDoc,
    ClientCertificateDoc,
    HealthDoc,
    OriginDoc,
    ProviderDoc,
    ProxyDoc,
    ScopeDoc,
)
from llm_edge_agent.config.address import BaseUrl, parse_base_url
from llm_edge_agent.config.google import CredentialFault, project_of
from llm_edge_agent.config.proxies import parse_proxy
from llm_edge_agent.config.secret import Secret
from llm_edge_agent.credentials import AwsChain, AzureTokens, GoogleTokens, access_key
from llm_edge_agent.engine import Address
from llm_edge_agent.errors import ConfigError
from llm_edge_agent.providers import spec_of
from llm_edge_agent.providers.spec import BEARER

if TYPE_CHECKING:
    from llm_edge_agent.compiler.snapshot import KnownModelsDoc
    from llm_edge_agent.config.schema import Aws, Provider
    from llm_edge_agent.credentials import Source
    from llm_edge_agent.providers.spec import AuthSpec, ProviderSpec

__all__ = ["compile_provider", "read_private_key"]


def compile_provider(
    name: str, provider: Provider, mock_address: Address | None, models: KnownModelsDoc
) -> tuple[ProviderDoc, dict[str, Secret | Source]]:
    """The provider, and its credentials, or where to find them, by slot.

    Raises:
        ConfigError: Its certificates or its credential cannot be read, or it is the built-in mock
        and that does not run.
    """
    spec = provider.specified(spec_of(provider.type))
    url = _base_url(name, provider, mock_address)
    operations = spec.versioned_operations if provider.api_version else spec.operations
    slot = f"{name}@{url.origin}"
    credentials: dict[str, Secret | Source] = {
        slot + (f"#{at}" if at else ""): secret for at, secret in enumerate(provider.credentials)
    }
    if provider.aws is not None:
        credentials = {f"{slot}#aws": _access_key(name, provider.aws)}
    elif provider.google is not None and spec.oauth_scope is not None and not credentials:
        tokens = GoogleTokens(name, spec.oauth_scope, provider.google)
        credentials = {f"{slot}#google": tokens}
    elif provider.azure is not None and spec.entra_scope is not None:
        credentials = {f"{slot}#azure": AzureTokens(name, spec.entra_scope, provider.azure)}
        # A token is shown otherwise than a key.
        spec = replace(spec, auth=BEARER, operation_auth={})
    words = _words(name, provider)
    slots = list(credentials)
    accounts = [_account(slot, credential) for slot, credential in credentials.items()]
    proxy, authorization = _proxy(name, provider)
    if proxy is not None and proxy.credential is not None and authorization is not None:
        credentials[proxy.credential] = authorization
    doc = ProviderDoc(
        name=name,
        origin=OriginDoc(
            scheme=url.scheme,
            host=url.host,
            port=url.port,
            ca_pem=_pem(name, "ca_file", provider.ca_file) if provider.ca_file else None,
            client_certificate=_client_certificate(name, provider, slot),
            proxy=proxy,
            http2=provider.http2,
            allow_addresses=list(provider.allow_addresses),
        ),
        host_header=url.host_header,
        chat_fields=spec.chat_fields,
        chat_members=spec.chat_members,
        replays_reasoning=spec.replays_reasoning,
        tool_id_length=spec.tool_id_length,
        takes_models=spec.takes_models,
        is_anthropic=spec.is_anthropic,
        takes_extra_content=spec.takes_extra_content,
        platform=spec.platform,
        operations={
            operation: url.path + _filled(path, words) for operation, path in operations.items()
        },
        auth=_auth(spec.auth) if spec.auth and provider.aws is None else None,
        operation_auth={
            operation: _auth(auth)
            for operation, auth in spec.operation_auth.items()
            if operation in operations
        },
        sigv4=_scope(provider.aws, spec),
        headers=[(field.lower(), value.reveal()) for field, value in provider.headers.items()],
        default_headers=list(spec.default_headers.items()),
        withheld_headers=list(spec.withheld_headers),
        credentials=slots,
        accounts=accounts,
        credential_weights=list(provider.api_key_weights or [1] * len(slots)),
        health=_health(provider, spec, url),
        models=models,
    )
    return doc, credentials


def _account(slot: str, credential: Secret | Source) -> str:
    """The word by which an account is known wherever it is used; it does not tell the secret."""
    if not isinstance(credential, Secret):
        return slot
    return hashlib.sha256(b"account of " + credential.reveal().encode()).hexdigest()[:16]


def _words(name: str, provider: Provider) -> dict[str, str]:
    """What stands for the placeholders of paths, but for the model."""
    words = {"{api_version}": provider.api_version or ""}
    if provider.google is not None:
        try:
            project = project_of(provider.google)
        except CredentialFault as error:
            raise ConfigError(str(error), path=f"providers.{name}.google") from None
        words["{project}"] = project or ""
        words["{location}"] = provider.google.location or ""
    return words


def _filled(path: str, words: dict[str, str]) -> str:
    for placeholder, word in words.items():
        path = path.replace(placeholder, word)
    return path


def _auth(auth: AuthSpec) -> AuthDoc:
    return AuthDoc(header=auth.header, prefix=auth.prefix)


def _scope(aws: Aws | None, spec: ProviderSpec) -> ScopeDoc | None:
    if aws is None or aws.region is None or spec.signing_name is None:
        return None
    return ScopeDoc(region=aws.region, service=spec.signing_name)


def _access_key(name: str, aws: Aws) -> Secret | Source:
    if aws.access_key_id is None or aws.secret_access_key is None:
        return AwsChain(provider=name, region=aws.region or "", profile=aws.profile)
    return access_key(
        aws.access_key_id.reveal(),
        aws.secret_access_key.reveal(),
        aws.session_token.reveal() if aws.session_token else None,
    )


def _health(provider: Provider, spec: ProviderSpec, url: BaseUrl) -> HealthDoc | None:
    health = provider.health
    if health is None:
        return None
    return HealthDoc(
        path=url.path + (health.path or spec.health_path),
        interval_ms=health.interval_ms,
        # Only the default can be the longer one.
        timeout_ms=min(health.timeout_ms, health.interval_ms),
        failures=health.failures,
    )


def _base_url(name: str, provider: Provider, mock_address: Address | None) -> BaseUrl:
    if provider.base_url is not None:
        return parse_base_url(provider.base_url)
    if mock_address is None:
        raise ConfigError(
            "the mock provider is not running",
            path=f"providers.{name}",
            hint="it is started with the gateway: restart to have it",
        )
    return BaseUrl("http", *mock_address, "")


def _proxy(name: str, provider: Provider) -> tuple[ProxyDoc | None, Secret | None]:
    """The proxy, and what it is shown, which has a slot of that proxy's."""
    if provider.proxy is None or provider.base_url is None:
        return None, None
    url = parse_proxy(provider.proxy.reveal())
    slot = f"{name}@proxy:{Address(url.host, url.port)}"
    if url.authorization is None:
        return ProxyDoc(host=url.host, port=url.port, credential=None), None
    return ProxyDoc(host=url.host, port=url.port, credential=slot), Secret(url.authorization)


def _client_certificate(name: str, provider: Provider, slot: str) -> ClientCertificateDoc | None:
    if provider.cert_file is None:
        return None
    cert_pem = _pem(name, "cert_file", provider.cert_file)
    return ClientCertificateDoc(cert_pem=cert_pem, key=f"{slot}#tls")


def read_private_key(name: str, provider: Provider) -> Secret:
    """The private key of the provider's client certificate, in PEM form.

    Raises:
        ConfigError: Its file cannot be read.
    """
    return Secret(_pem(name, "key_file", provider.key_file or ""))


def _pem(name: str, option: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not PEM text"
        message = f"the file `{file}` cannot be read: {reason}"
        raise ConfigError(message, path=f"providers.{name}.{option}") from None
