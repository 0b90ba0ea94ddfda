"""`host:port` and `http://…` texts, taken apart strictly.

What cannot be read in one way only is refused: a URL with userinfo would put a secret into logs,
one with a query or fragment could not be extended by the path of an operation.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from llm_edge_agent.engine import UNIX, Address

__all__ = [
    "BaseUrl",
    "is_host",
    "is_loopback",
    "parse_address",
    "parse_base_url",
    "parse_range",
]

_HOST = re.compile(r"^(?!-)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$")
_PATH = re.compile(r"^[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$")
_PORT_MAX = 65535
# What a socket address holds, less the ending it has while it is made.
_UNIX_PATH_BYTES_MAX = 100
_DEFAULT_PORTS = {"http": 80, "https": 443}


class BaseUrl(NamedTuple):
    """A base URL: `path` is empty or starts with `/` and does not end with one."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """Value of `Host`: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """`scheme://host:port`, port always written."""
        return f"{self.scheme}://{Address(self.host, self.port)}"


def parse_address(text: str) -> Address:
    """Take `host:port`, `[v6]:port` or `unix:/path` apart.

    Raises:
        ValueError: The text is something else; the message says what is wrong.
    """
    if text.startswith(UNIX):
        return _parse_unix(text)
    host, colon, port_text = text.rpartition(":")
    if not colon or not port_text.isascii() or not port_text.isdigit():
        raise ValueError(f"`{text}` is not `host:port`")
    port = int(port_text)
    if port > _PORT_MAX:
        raise ValueError(f"port {port_text} is above {_PORT_MAX}")
    if not host:
        raise ValueError(f"`{text}` names no host")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_ipv6(host):
            raise ValueError(f"`[{host}]` is not an IPv6 address")
    elif ":" in host:
        raise ValueError(f"`{text}` needs brackets around its IPv6 address")
    elif not _HOST.match(host):
        raise ValueError(f"`{host}` is not a host name or address")
    return Address(host, port)


def _parse_unix(text: str) -> Address:
    path = text.removeprefix(UNIX)
    if not path.startswith("/") or path.endswith("/") or not path.isprintable():
        raise ValueError(f"`{text}` names no socket by an absolute path")
    if len(path.encode()) > _UNIX_PATH_BYTES_MAX:
        raise ValueError(f"the path of `{text}` is longer than {_UNIX_PATH_BYTES_MAX} bytes")
    return Address(text, 0)


def parse_base_url(text: str) -> BaseUrl:
    """Take an `http://` or `https://` base URL apart.

    Raises:
        ValueError: The URL is not usable as the base of requests; the message says why.
    """
    if not text.isascii() or any(c <= " " or c == "\x7f" for c in text):
        raise ValueError("a URL holds printable ASCII only")
    scheme, separator, _ = text.partition("://")
    if not separator or scheme not in _DEFAULT_PORTS:
        raise ValueError("a URL starts with `http://` or `https://`")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("the URL's host or port cannot be read") from None
    if "@" in parts.netloc:
        raise ValueError("a URL must not hold a user name or password")
    if "?" in text or "#" in text:
        raise ValueError("a base URL must not hold a query or fragment")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("the URL's port must be between 1 and 65535")
    host = parts.hostname or ""
    if not is_host(host, in_brackets=parts.netloc.startswith("[")):
        raise ValueError(f"the URL's host `{host}` is not a host name or address")
    if not _PATH.match(parts.path) or "//" in parts.path or "/../" in f"{parts.path}/":
        raise ValueError("the URL's path cannot be extended")
    return BaseUrl(scheme, host, port or _DEFAULT_PORTS[scheme], parts.path.rstrip("/"))


def parse_range(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """Take an address, or `address/bits`, apart.

    Raises:
        ValueError: The text is something else; the message says what is wrong.
    """
    host, slash, bits_text = text.partition("/")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"`{text}` is not an address or `address/bits`") from None
    if "%" in host or (slash and not (bits_text.isascii() and bits_text.isdigit())):
        raise ValueError(f"`{text}` is not an address or `address/bits`")
    bits = int(bits_text) if slash else address.max_prefixlen
    if bits > address.max_prefixlen:
        raise ValueError(f"`{text}` has more than {address.max_prefixlen} bits")
    return address, bits


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`, or the Unix socket `unix:/path`."""
    if host.startswith(UNIX) or host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_host(host: str, *, in_brackets: bool) -> bool:
    """Whether a URL may name this host."""
    return _is_ipv6(host) if in_brackets else _HOST.match(host) is not None


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return "%" not in host
