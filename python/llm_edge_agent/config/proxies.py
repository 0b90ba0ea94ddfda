"""Which proxy leads to a provider, as `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say.

Sources: curl(1) "ENVIRONMENT" and golang.org/x/net/http/httpproxy. Where the two differ, the lower
case comes first and a dot in front of a name in `NO_PROXY` means nothing, as with curl.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from llm_edge_agent.config.address import is_host, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_edge_agent.config.address import BaseUrl

__all__ = ["ProxyUrl", "is_bypassed", "parse_proxy", "proxy_from_environment"]

_PORT = 80
_SCHEMES = ("https", "socks4", "socks4a", "socks5", "socks5h")


class ProxyUrl(NamedTuple):
    """Where a proxy is, and what is shown to it: `authorization` is secret."""

    host: str
    port: int
    authorization: str | None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"ProxyUrl({self.host}:{self.port})"


def parse_proxy(text: str) -> ProxyUrl:
    """Take `http://user:password@host:port` apart; all but the host may be left out.

    Raises:
        ValueError: The text is something else. The message repeats nothing of it, since it may
        hold a password.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    if scheme.lower() in _SCHEMES:
        raise ValueError(f"`{scheme.lower()}` is not spoken to a proxy, only `http`")
    if scheme.lower() != "http":
        raise ValueError("a proxy's URL starts with `http://`")
    try:
        parts = urlsplit(f"http://{rest}")
        port = parts.port
    except ValueError:
        raise ValueError("the proxy's host or port cannot be read") from None
    if parts.path not in {"", "/"} or "?" in rest or "#" in rest:
        raise ValueError("a proxy's URL ends with its port; `%`-encode what a password holds")
    if port == 0 or not is_host(parts.hostname or "", in_brackets="[" in parts.netloc):
        raise ValueError("the proxy's host or port cannot be read")
    return ProxyUrl(
        parts.hostname or "", port or _PORT, _authorization(parts.username, parts.password)
    )


def _authorization(user: str | None, password: str | None) -> str | None:
    """Basic credentials (RFC 7617)."""
    if user is None:
        return None
    user, password = unquote(user), unquote(password or "")
    if ":" in user or not (user + password).isprintable():
        raise ValueError("a proxy's user and password hold no control characters, the user no `:`")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def proxy_from_environment(url: BaseUrl, env: Mapping[str, str]) -> str | None:
    """The variable that names the proxy for `url`; None where none is used."""
    names: tuple[str, ...] = (f"{url.scheme}_proxy", f"{url.scheme}_proxy".upper())
    if "REQUEST_METHOD" in env:
        # In a CGI program HTTP_PROXY is what a client has sent as `Proxy:` (CVE-2016-5385).
        names = tuple(name for name in names if name != "HTTP_PROXY")
    variable = next((name for name in names if env.get(name)), None)
    bypassed = env.get("no_proxy") or env.get("NO_PROXY") or ""
    if variable is None or is_loopback(url.host) or is_bypassed(bypassed, url.host, url.port):
        return None
    return variable


def is_bypassed(no_proxy: str, host: str, port: int) -> bool:
    """Whether `no_proxy` names the host: `*`, a name or one above it, an address or its range.

    >>> is_bypassed("10.0.0.0/8, .corp.example:443", "llm.corp.example", 443)
    True
    """
    host = host.rstrip(".").lower()
    return any(
        entry == "*" or _fits(entry, host, port) for entry in re.split(r"[,\s]+", no_proxy.lower())
    )


def _fits(entry: str, host: str, port: int) -> bool:
    address = _address(host)
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, wanted = _split(entry)
    if wanted not in {"", str(port)}:
        return False
    if address is not None:
        return _address(name) == address
    name = name.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _split(entry: str) -> tuple[str, str]:
    """Host and port of `host`, `host:port`, `::1`, `[::1]` and `[::1]:port`."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
        return host, port
    return entry, ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
