"""A gateway in front of a server that speaks HTTP/2."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.gateway import Running, start
from tests.support.hop import config
from tests.support.http2_upstream import Http2Upstream
from tests.support.wire import Answer, Wire


@dataclass
class Http2Hop:
    """A gateway and its upstream."""

    running: Running
    upstream: Http2Upstream

    def connect(self) -> Wire:
        """A new connection to the gateway."""
        return Wire(self.running.address)

    def ask(self, data: bytes) -> Answer:
        """Send on a connection of its own and return the first reply."""
        with self.connect() as wire:
            wire.send(data)
            return wire.answer()


MakeHop = Callable[..., Http2Hop]


@pytest.fixture
def make_hop(tmp_path: Path) -> Iterator[MakeHop]:
    """A factory: an upstream, YAML for further areas, options of the providers."""
    made: list[Http2Hop] = []

    def factory(
        upstream: Http2Upstream, more: str = "", *, http2: str = "always", **options: object
    ) -> Http2Hop:
        upstream.__enter__()
        folder = tmp_path / f"hop-{len(made)}"
        folder.mkdir()
        path = folder / "llm-edge.yaml"
        path.write_text(config(upstream.url, more, options={"http2": http2, **options}))
        arguments = ["serve", "--config", str(path), "--workers", "1"]
        hop = Http2Hop(start(arguments, folder), upstream)
        made.append(hop)
        return hop

    yield factory
    for hop in made:
        hop.running.stop()
        hop.upstream.__exit__()


@pytest.fixture
def hop2(make_hop: MakeHop) -> Http2Hop:
    """One worker, HTTP/2 by prior knowledge, defaults everywhere else."""
    return make_hop(Http2Upstream())
