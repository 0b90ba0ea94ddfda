"""Fixtures that start real programs on free loopback ports. Nothing of ours is patched."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.gateway import Running, end_what_is_left, start
from tests.support.ports import refusing
from tests.support.upstream import Upstream


def pytest_sessionfinish() -> None:
    """Nothing outlives the tests, however they ended."""
    end_what_is_left()


class Serve(Protocol):
    """Start `llm-edge-agent serve` with this configuration; it is stopped when the test ends."""

    def __call__(
        self, config_yaml: str, *arguments: str, env: dict[str, str] | None = None
    ) -> Running: ...


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The demo: every mock model, one key, the cache on. Shared: leave it as it was."""
    running = start(["demo"], tmp_path_factory.mktemp("gateway"))
    yield running
    running.stop()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """A factory of gateways with a configuration of their own."""
    started: list[Running] = []

    def factory(config_yaml: str, *arguments: str, env: dict[str, str] | None = None) -> Running:
        folder = tmp_path / f"gateway-{len(started)}"
        folder.mkdir()
        config = folder / "llm-edge.yaml"
        config.write_text(config_yaml)
        running = start(
            ["serve", "--config", str(config), "--workers", "1", *arguments], folder, env
        )
        started.append(running)
        return running

    yield factory
    # Every one is stopped, even if an earlier one did not end well.
    faults = [fault for fault in map(_stop, started) if fault]
    assert not faults, "\n".join(faults)


def _stop(running: Running) -> str:
    try:
        running.stop()
    except AssertionError as error:
        return str(error)
    return ""


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections."""
    with refusing() as port:
        yield port


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A scripted upstream; by default it answers `{}` to everything."""
    with Upstream() as server:
        yield server


@pytest.fixture
def upstreams() -> Iterator[Callable[[], Upstream]]:
    """A factory of scripted upstreams, for tests with several targets."""
    started: list[Upstream] = []

    def factory() -> Upstream:
        server = Upstream().__enter__()
        started.append(server)
        return server

    yield factory
    for server in started:
        server.__exit__()
