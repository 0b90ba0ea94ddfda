"""The gateway between bare sockets: a client that is ours, an upstream that is scripted.

One key, one OpenAI-compatible provider `up`, one Anthropic provider `claude`, both at the same
upstream. What the upstream saw is what the gateway sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec

from tests.support.gateway import Running, start
from tests.support.upstream import Upstream
from tests.support.wire import Answer, Wire, request

KEY = "sk-edge-behaviour"
UPSTREAM_KEY = "sk-upstream-secret"
CHAT = "/v1/chat/completions"
PATHS = {
    "chat": CHAT,
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
"""Surfaces that stream, and where."""


def config(
    url: str,
    more: str = "",
    *,
    models: Sequence[str] = ("*",),
    ca_file: Path | None = None,
    others: Mapping[str, str] = MappingProxyType({}),
    options: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """A configuration with both providers at `url`, in YAML.

    Args:
        url: The upstream, without a path.
        more: Further areas.
        models: What the key may use.
        ca_file: Certificates that the upstream's is verified against.
        others: Further OpenAI-compatible providers: name and URL without a path.
        options: Further options of both providers.
    """
    at: dict[str, object] = {"api_key": UPSTREAM_KEY, **options}
    if ca_file:
        at["ca_file"] = str(ca_file)
    tree = {
        "version": 1,
        "drain_s": 10,
        "keys": [{"name": "app", "key": KEY, "models": list(models)}],
        "providers": {
            "up": {"type": "openai_compatible", "base_url": f"{url}/v1", **at},
            "claude": {"type": "anthropic", "base_url": url, **at},
            **{
                name: {"type": "openai_compatible", "base_url": f"{other}/v1"}
                for name, other in others.items()
            },
        },
    }
    areas = (f"{area}: {msgspec.json.encode(value).decode()}" for area, value in tree.items())
    return "\n".join(areas) + f"\n{more}\n"


def body(surface: str = "chat", *, stream: bool = False, text: str = "hello") -> bytes:
    """A request body of that surface for the model `m` at the upstream."""
    model = "claude/m" if surface == "messages" else "up/m"
    said: dict[str, object]
    match surface:
        case "completions":
            said = {"prompt": text}
        case "responses":
            said = {"input": text}
        case _:
            said = {"messages": [{"role": "user", "content": text}]}
    more: dict[str, object] = {"max_tokens": 16} if surface == "messages" else {}
    return msgspec.json.encode({"model": model, **more, **said, "stream": stream})


def post(path: str = CHAT, data: bytes | None = None, *fields: str, key: str | None = KEY) -> bytes:
    """A good request with the key, ready for the wire."""
    own = [f"Authorization: Bearer {key}"] if key else []
    own.append("Content-Type: application/json")
    return request(path, body() if data is None else data, *own, *fields)


@dataclass
class Hop:
    """A gateway and its upstream."""

    running: Running
    upstream: Upstream

    def connect(self) -> Wire:
        """A new connection to the gateway."""
        return Wire(self.running.address)

    def ask(self, data: bytes) -> Answer:
        """Send on a connection of its own and return the first reply."""
        with self.connect() as wire:
            wire.send(data)
            return wire.answer()

    @property
    def seen(self) -> int:
        """How many whole requests the upstream has seen."""
        return len(self.upstream.requests)

    def still_works(self) -> None:
        """A plain request on a new connection is answered, and the upstream sees it next."""
        before = self.seen
        answer = self.ask(post())
        assert (answer.status, answer.body) == (200, b"{}")
        assert self.seen == before + 1


def start_hop(
    folder: Path,
    upstream: Upstream,
    more: str = "",
    *arguments: str,
    models: Sequence[str] = ("*",),
    ca_file: Path | None = None,
    others: Mapping[str, str] = MappingProxyType({}),
    env: dict[str, str] | None = None,
) -> Hop:
    """Start a gateway in front of `upstream`; `more` is YAML, `arguments` are the program's."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "llm-edge.yaml"
    path.write_text(config(upstream.url, more, models=models, ca_file=ca_file, others=others))
    return Hop(start(["serve", "--config", str(path), *arguments], folder, env), upstream)
