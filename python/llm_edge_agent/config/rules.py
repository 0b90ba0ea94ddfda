"""What takes more than one value to say: the rules between the options.

Each rule is a method that adds faults (nothing starts) or warnings (something is likely not meant).
The provider kinds are an argument: this module knows none by name but the mock.
"""

from __future__ import annotations

import ssl
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from llm_edge_agent.config.address import (
    is_loopback,
    parse_address,
    parse_base_url,
    parse_range,
)
from llm_edge_agent.config.azure import check_azure
from llm_edge_agent.config.catalogued import check_catalog
from llm_edge_agent.config.described import check_description
from llm_edge_agent.config.discover import MOCK_NAME
from llm_edge_agent.config.files import unreadable
from llm_edge_agent.config.google import check_google
from llm_edge_agent.config.library import are_installed
from llm_edge_agent.config.proxies import parse_proxy
from llm_edge_agent.config.routing import check_routing, leads_to
from llm_edge_agent.config.shape import nearest
from llm_edge_agent.config.waits import check_probe, check_waits
from llm_edge_agent.engine import UNIX
from llm_edge_agent.providers.spec import BEARER

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from llm_edge_agent.config.marks import Marks, Path
    from llm_edge_agent.config.schema import Aws, Config, Provider, Route
    from llm_edge_agent.config.secret import Secret
    from llm_edge_agent.engine import Address
    from llm_edge_agent.errors import ConfigError
    from llm_edge_agent.providers.spec import ProviderSpec

__all__ = ["Rules"]

_KEY_CHARS_MIN = 20
# Fields that belong to one connection, or that the gateway itself must decide.
_OWN_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_CREDENTIAL_HEADERS = frozenset({"api-key", "authorization", "x-api-key", "x-goog-api-key"})
_SIGNATURE_HEADERS = frozenset({"x-amz-content-sha256", "x-amz-date", "x-amz-security-token"})


class Rules:
    """Checks one configuration."""

    def __init__(
        self,
        config: Config,
        specs: Mapping[str, ProviderSpec],
        marks: Marks,
        *,
        kinds: Sequence[str] = (),
    ) -> None:
        """Check `config` against the provider kinds `specs`; `kinds` are the names of all."""
        self._config = config
        self._specs = specs
        self._kinds = kinds or tuple(specs)
        self._marks = marks
        # Provider → the first route that shows it its callers' own credentials.
        self._lent: dict[str, str] = {}
        for name, route in config.routes.items():
            if route.caller_credential is not None:
                self._lent.setdefault(route.caller_credential, name)
        self.errors: list[ConfigError] = []
        self.warnings: list[str] = []

    def check(self) -> None:
        """Apply every rule."""
        self.check_addresses()
        self._openness()
        self._keys()
        self._tls()
        if not self._config.providers:
            self._fault(
                ("providers",),
                "no provider is configured",
                "name one under `providers:`, or set OPENAI_API_KEY or ANTHROPIC_API_KEY and start "
                "without a file; `llm-edge-agent demo` needs neither",
            )
        for name, provider in self._config.providers.items():
            self._provider(name, provider)
        self._routes()
        check_catalog(self._fault, self._config)
        self.errors.sort(key=lambda error: (error.file or "", error.line or 0))

    def _fault(self, path: Path, message: str, hint: str = "") -> None:
        self.errors.append(self._marks.error(path, message, hint))

    def _doubt(self, path: Path, message: str, hint: str = "") -> None:
        self.warnings.append(str(self._marks.error(path, message, hint)))

    # Addresses

    def check_addresses(self) -> None:
        """See that each address can be read, and none is said twice."""
        taken: dict[Address, str] = {}
        for name in ("api", "admin", "metrics"):
            text = getattr(self._config.listen, name)
            path: Path = ("listen", name)
            try:
                address = parse_address(text)
            except ValueError as error:
                self._fault(path, str(error), "write `127.0.0.1:8080` or `[::1]:8080`")
                continue
            if address.unix_path is not None and name != "api":
                message = f"`{text}`: only `listen.api` may be a Unix socket"
                self._fault(path, message, "write `127.0.0.1:8081`")
            if address.port and address in taken:
                message = f"`{text}` is also `listen.{taken[address]}`"
                self._fault(path, message, "give each of them a port of its own")
            taken[address] = name

    def _openness(self) -> None:
        config = self._config
        for name in ("api", "admin"):
            text = getattr(config.listen, name)
            path: Path = ("listen", name)
            try:
                host = parse_address(text).host
            except ValueError:
                continue
            if config.insecure or is_loopback(host):
                continue
            if name == "api" and not config.keys:
                self._fault(
                    path,
                    f"`{text}` lets other machines in, but there are no keys",
                    "add `keys:` (see `llm-edge-agent keys create`), listen on 127.0.0.1, "
                    "or say `insecure: true`",
                )
            if name == "admin":
                self._fault(
                    path,
                    f"`{text}` opens the admin API to other machines",
                    "listen on 127.0.0.1, or say `insecure: true`",
                )

    def _tls(self) -> None:
        if self._config.tls is not None:
            if self._config.listen.api.startswith(UNIX):
                self._fault(("tls",), "TLS is not spoken on a Unix socket", "leave `tls` out")
                return
            self._pem(("tls", "cert_file"), self._config.tls.cert_file, "CERTIFICATE-----")
            self._pem(("tls", "key_file"), self._config.tls.key_file, "PRIVATE KEY-----")

    def _pem(self, path: Path, name: str, kind: str) -> bool:
        """Whether the file holds text of that kind."""
        try:
            text = FilePath(name).read_text(encoding="ascii", errors="replace")
        except (OSError, ValueError) as error:
            fault = unreadable(name, error)
            self._fault(path, str(fault), fault.hint)
            return False
        if kind not in text:
            what = "certificate" if kind.startswith("CERT") else "private key"
            message = f"the file `{name}` holds no {what} in PEM form"
            hint = (
                f"it has a line `-----BEGIN {kind}`; `openssl` turns DER into PEM (`-inform der`)"
            )
            self._fault(path, message, hint)
            return False
        return True

    # Keys

    def _keys(self) -> None:
        names: dict[str, int] = {}
        values: dict[str, int] = {}
        for at, key in enumerate(self._config.keys):
            path: Path = ("keys", at)
            if key.name in names:
                first = names[key.name]
                message = f"`{key.name}` is also the name of keys[{first}]"
                self._fault((*path, "name"), message, "give each key a name of its own")
            names.setdefault(key.name, at)
            if (key.hash is None) == (key.key is None):
                message = (
                    "needs `hash` or `key`" if key.key is None else "has both `hash` and `key`"
                )
                self._fault(path, message, "`llm-edge-agent keys create` prints a hash")
                continue
            value = key.hash or (key.key.reveal() if key.key else "")
            if value in values:
                message = f"is the same key as keys[{values[value]}]"
                self._fault(path, message, "take one of them out")
            values.setdefault(value, at)
            if key.key is not None:
                self._plain_key((*path, "key"), key.key.reveal())

    def _plain_key(self, path: Path, key: str) -> None:
        if " " in key:
            self._fault(path, "a key holds no space", "`llm-edge-agent keys create` makes one")
        elif len(key) < _KEY_CHARS_MIN:
            message = f"has fewer than {_KEY_CHARS_MIN} characters and may be guessed"
            self._doubt(path, message, "make one with `llm-edge-agent keys create`")

    # Providers

    def _provider(self, name: str, provider: Provider) -> None:
        path: Path = ("providers", name)
        spec = self._specs.get(provider.type)
        if spec is None:
            message = f"unknown provider type `{provider.type}`"
            self._fault((*path, "type"), message, nearest(provider.type, self._kinds))
            return
        check_description(self._fault, path, provider, spec, _OWN_HEADERS)
        spec = provider.specified(spec)
        if name == MOCK_NAME and spec.type != "mock":
            message = "the name `mock` is kept for providers of type `mock`"
            self._fault(path, message, "call it otherwise")
        self._base_url((*path, "base_url"), provider, spec, is_lent=name in self._lent)
        check_google(self._fault, path, provider, spec)
        check_azure(self._fault, path, provider, spec)
        if provider.aws is not None:
            self._aws((*path, "aws"), provider, provider.aws, spec)
        elif provider.credentials or not provider.has_account:
            self._credentials(path, name, provider, spec)
        self._weights(path, provider)
        self._headers(path, provider, spec)
        self._lent_headers(path, name, provider)
        if provider.api_version is not None and not spec.versioned_operations:
            message = f"a provider of type `{spec.type}` has no `api_version`"
            self._fault((*path, "api_version"), message, "leave it out")
        self._reach(path, provider)
        if provider.ca_file is not None:
            self._pem((*path, "ca_file"), provider.ca_file, "CERTIFICATE-----")
        self._client_certificate(path, provider)
        if provider.health is not None:
            check_probe(self._fault, self._marks, path, provider.health)

    def _client_certificate(self, path: Path, provider: Provider) -> None:
        cert_file, key_file = provider.cert_file, provider.key_file
        if cert_file is None and key_file is None:
            return
        if cert_file is None or key_file is None:
            given, other = ("key", "cert") if cert_file is None else ("cert", "key")
            message = f"goes together with `{other}_file`, which is missing"
            self._fault((*path, f"{given}_file"), message, "write both, or neither")
            return
        if (provider.base_url or "").startswith("http:"):
            message = "has no effect without TLS"
            self._doubt((*path, "cert_file"), message, "write `https://…`, or leave it out")
        readable = [
            self._pem((*path, "cert_file"), cert_file, "CERTIFICATE-----"),
            self._pem((*path, "key_file"), key_file, "PRIVATE KEY-----"),
        ]
        if not all(readable):
            return
        try:
            # An encrypted key would ask for its password on the terminal.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert_file, key_file, "")
        except (ssl.SSLError, OSError) as error:
            if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
                message = f"is not the key of the certificate in `{cert_file}`"
                hint = "name the files that were made together"
            else:
                message = f"cannot be used with `{cert_file}`: one of them is broken, or encrypted"
                hint = "`openssl pkey -in KEY -out NEW` writes a key without its password"
            self._fault((*path, "key_file"), message, hint)

    def _base_url(
        self, path: Path, provider: Provider, spec: ProviderSpec, *, is_lent: bool
    ) -> None:
        if provider.base_url is None:
            if (spec.region_url and provider.aws) or (spec.location_url and provider.google):
                return  # the region is what is missing, and that is said
            if spec.type != "mock":
                variable = f" or set {spec.base_url_env}" if spec.base_url_env else ""
                message = f"a provider of type `{spec.type}` needs its address"
                self._fault(path, message, f"write `base_url: https://…`{variable}")
            return
        try:
            url = parse_base_url(provider.base_url)
        except ValueError as error:
            self._fault(
                path, str(error), "write `https://host`, with a port and a path where needed"
            )
            return
        for ending in spec.base_url_endings:
            if url.path.endswith(ending):
                message = f"ends in `{ending}`, which is added by itself"
                self._fault(path, message, f"leave `{ending}` out")
                break
        if url.scheme == "http" and not is_loopback(url.host):
            # A secret that signs stays here.
            if provider.credentials or provider.azure or provider.google:
                self._doubt(path, f"sends its credential to `{url.host}` without TLS")
            if is_lent:
                self._doubt(path, f"sends its callers' credentials to `{url.host}` without TLS")

    def _reach(self, path: Path, provider: Provider) -> None:
        for at, text in enumerate(provider.allow_addresses):
            try:
                parse_range(text)
            except ValueError as error:
                hint = "write `127.0.0.1`, `127.0.0.0/8` or `fe80::/10`"
                self._fault((*path, "allow_addresses", at), str(error), hint)
        if provider.proxy is not None:
            self._proxy((*path, "proxy"), provider, provider.proxy)
        url = provider.base_url or ""
        if provider.http2 == "auto" and url.startswith("http:"):
            message = "has no effect without TLS, where nothing tells what the other side speaks"
            self._doubt((*path, "http2"), message, "write `always`, or leave it out")

    def _proxy(self, path: Path, provider: Provider, proxy: Secret) -> None:
        if provider.base_url is None:
            self._fault(path, "the built-in mock is not reached through a proxy", "leave it out")
            return
        try:
            parse_proxy(proxy.reveal())
        except ValueError as error:
            self._fault(path, str(error), "write `http://proxy.example:3128`, or `null` for none")

    def _credentials(self, path: Path, name: str, provider: Provider, spec: ProviderSpec) -> None:
        if provider.api_key is not None and provider.api_keys is not None:
            self._fault(path, "has both `api_key` and `api_keys`", "put all into `api_keys`")
        if provider.credentials:
            if spec.auth is None:
                message = f"a provider of type `{spec.type}` takes no key"
                self._fault(path, message, "leave it out")
        elif spec.key_required and name not in self._lent:
            variable = spec.key_env or f"{name.upper().replace('-', '_')}_API_KEY"
            message = f"a provider of type `{spec.type}` needs a key"
            hint = f'write `api_key: "${{{variable}}}"`'
            if spec.signing_name is not None:
                hint += ", or `aws: {}` for an Amazon account"
            if spec.entra_scope is not None:
                hint += ", or `azure: {}` for an identity of Microsoft Entra ID"
            self._fault((*path, "api_key"), message, hint)

    def _weights(self, path: Path, provider: Provider) -> None:
        weights, keys = provider.api_key_weights, provider.api_keys or ()
        if weights is not None and len(weights) != len(keys):
            message = f"has {len(weights)} weights for {len(keys)} keys of `api_keys`"
            self._fault((*path, "api_key_weights"), message, "write one for each, or none")

    def _aws(self, path: Path, provider: Provider, aws: Aws, spec: ProviderSpec) -> None:
        if spec.signing_name is None:
            message = f"a provider of type `{spec.type}` takes no signed requests"
            self._fault(path, message, "leave it out")
            return
        if provider.credentials:
            self._fault(path, "stands beside an `api_key`", "leave one of them out")
        if aws.region is None:
            self._fault((*path, "region"), "is not known", "write it, or set AWS_REGION")
        key = (aws.access_key_id, aws.secret_access_key)
        parts = [part.reveal() for part in (*key, aws.session_token) if part is not None]
        if any(not part.isascii() or not part.isprintable() or " " in part for part in parts):
            message = "a part of the key holds a space, a line break or non-ASCII text"
            self._fault(path, message, "copy it once more, without what stands around it")
        if None in key:
            if parts:
                message = "a key has an `access_key_id` and a `secret_access_key`"
                self._fault(path, message, "write both, or neither")
            elif not are_installed("botocore"):
                message = "looking for a key where it usually is needs botocore, which is missing"
                hint = "pip install 'llm-edge-agent[aws]', or give the key"
                self._fault(path, message, hint)
        elif aws.profile is not None:
            self._fault((*path, "profile"), "stands beside a key", "leave one of them out")

    def _headers(self, path: Path, provider: Provider, spec: ProviderSpec) -> None:
        seen: set[str] = set()
        for header in provider.headers:
            name = header.lower()
            at: Path = (*path, "headers", header)
            if name in _OWN_HEADERS:
                self._fault(at, f"the field `{name}` is the gateway's own affair", "leave it out")
            elif spec.auth is not None and name == spec.auth.header:
                hint = "use `api_key`" if provider.azure is None else "leave it out"
                self._fault(at, "carries the credential", hint)
            elif provider.azure is not None and name == BEARER.header:
                self._fault(at, "carries the credential", "leave it out")
            elif provider.aws is not None and name in _SIGNATURE_HEADERS:
                self._fault(at, "is part of the signature", "leave it out")
            elif name in seen:
                self._fault(at, f"the field `{name}` is given twice", "leave one of them out")
            seen.add(name)

    def _lent_headers(self, path: Path, name: str, provider: Provider) -> None:
        for header in provider.headers:
            if name in self._lent and header.lower() in _CREDENTIAL_HEADERS:
                route = self._lent[name]
                message = f"stands beside the caller's credential, which route `{route}` passes on"
                self._fault((*path, "headers", header), message, "leave one of them out")

    # Routes

    def _routes(self) -> None:
        owners: dict[str, str] = {}
        for name, route in self._config.routes.items():
            for at, model in enumerate(route.models):
                path: Path = ("routes", name, "models", at)
                if model in owners:
                    message = f"`{model}` already leads to route `{owners[model]}`"
                    self._fault(path, message, "take it out of one of them")
                owners.setdefault(model, name)
            for at, target in enumerate(route.targets):
                where: Path = ("routes", name, "targets", at)
                if target.provider not in self._config.providers:
                    message = f"unknown provider `{target.provider}`"
                    hint = nearest(target.provider, self._config.providers)
                    if target.provider == "mock":
                        hint = "the mock provider comes with `mock: true`"
                    self._fault((*where, "provider"), message, hint)
                if target.model == "*":
                    self._rest((*where, "model"), route)
            self._fallbacks(name, route)
            self._caller_credential(("routes", name, "caller_credential"), route)
            check_waits(self._fault, self._marks, ("routes", name), route)
            self._dialects(name, route)
            self._pass_through(name, route)
            check_routing(self._fault, self._config, name, route)

    def _pass_through(self, name: str, route: Route) -> None:
        """A route is found by a model's name or by a path, and somebody must be there to answer."""
        if not route.pass_through:
            if not route.models and not leads_to(self._config, name):
                self._fault(("routes", name), "no model and no path leads here", "list `models`")
            return
        for target in route.targets:
            provider = self._config.providers.get(target.provider)
            spec = self._specs.get(provider.type) if provider else None
            if provider is None or spec is None:
                return  # Told already.
            operations = spec.versioned_operations if provider.api_version else spec.operations
            if any(operation.endswith("_pass_through") for operation in operations):
                return
        self._fault(
            ("routes", name, "pass_through"),
            "none of the targets' providers is one to which paths are passed on",
            "see the list in the guide on providers",
        )

    def _fallbacks(self, name: str, route: Route) -> None:
        seen: set[str] = set()
        for at, fallback in enumerate(route.fallbacks):
            path: Path = ("routes", name, "fallbacks", at)
            if fallback == name:
                self._fault(path, f"route `{name}` cannot be its own fallback", "leave it out")
            elif fallback not in self._config.routes:
                hint = nearest(fallback, self._config.routes)
                self._fault(path, f"unknown route `{fallback}`", hint)
            elif fallback in seen:
                self._fault(path, f"`{fallback}` is named twice", "leave one of them out")
            seen.add(fallback)

    def _caller_credential(self, path: Path, route: Route) -> None:
        """A credential that would reach nobody, or cannot be shown, is not what was meant."""
        name = route.caller_credential
        if name is None:
            return
        provider = self._config.providers.get(name)
        if provider is None:
            message = f"unknown provider `{name}`"
            self._fault(path, message, nearest(name, self._config.providers))
            return
        spec = self._specs.get(provider.type)
        fallbacks = [self._config.routes.get(fallback) for fallback in route.fallbacks]
        asked = {target.provider for some in (route, *fallbacks) if some for target in some.targets}
        if name not in asked:
            message = f"no target of the route or of its fallbacks is at provider `{name}`"
            self._fault(path, message, "name a provider of its targets")
        elif provider.aws is not None:
            message = f"requests to provider `{name}` are signed with the key of its `aws`"
            self._fault(path, message, "leave one of them out")
        elif provider.azure is not None:
            message = f"requests to provider `{name}` show the tokens of its `azure`"
            self._fault(path, message, "leave one of them out")
        elif spec is not None and spec.auth is None:
            self._fault(path, f"a provider of type `{spec.type}` takes no key", "leave it out")

    def _rest(self, path: Path, route: Route) -> None:
        for model in route.models:
            if model.find("/") + 2 != len(model) or not model.endswith("/*"):
                message = f"`*` is what follows the first `/`, but `{model}` is not `name/*`"
                self._fault(path, message, "name the model, or leave `model` out")

    def _dialects(self, name: str, route: Route) -> None:
        operations: list[frozenset[str]] = []
        for target in route.targets:
            provider = self._config.providers.get(target.provider)
            spec = self._specs.get(provider.type) if provider else None
            if provider is None or spec is None:
                return
            served = provider.operations or spec.operations
            operations.append(frozenset(served) | _translated(served))
        if not frozenset.intersection(*operations):
            message = "no operation is served by all targets; requests fail on some of them"
            self._doubt(("routes", name, "targets"), message)


def _translated(operations: Container[str]) -> frozenset[str]:
    """Operations that are put into one of these where a provider does not have them."""
    found: frozenset[str] = frozenset()
    for surfaces, upstreams in _TRANSLATED:
        if any(operation in operations for operation in surfaces | upstreams):
            found |= surfaces
    return found


_GENERATION = frozenset(
    {
        "chat_completions",
        "responses",
        "messages",
        "generate_content",
        "stream_generate_content",
    }
)
_COUNTS = frozenset({"count_tokens", "gemini_count_tokens", "input_tokens"})
_EMBEDDINGS = frozenset({"embeddings", "embed_content", "batch_embed_contents"})

_TRANSLATED = (
    (_GENERATION, frozenset({"converse", "converse_stream", "cohere_chat", "ollama_chat"})),
    (_EMBEDDINGS, frozenset({"cohere_embed", "ollama_embed"})),
    (_COUNTS, frozenset({"bedrock_count_tokens"})),
)
"""Operations of clients that are translated, into one another and into these of upstreams."""
