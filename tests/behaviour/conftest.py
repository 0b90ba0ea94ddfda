"""A hop that many tests share: started once, the upstream's script set back before each test."""

from collections.abc import Iterator

import pytest

from tests.support.hop import Hop, start_hop
from tests.support.upstream import Upstream


@pytest.fixture(scope="session")
def shared_hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    """One worker, defaults everywhere. Use `hop`."""
    with Upstream() as upstream:
        hop = start_hop(
            tmp_path_factory.mktemp("hop"), upstream, "request_log: {mode: all}", "--workers", "1"
        )
        yield hop
        hop.running.stop()


@pytest.fixture
def hop(shared_hop: Hop) -> Hop:
    """A gateway before an upstream that answers `{}` and has seen nothing yet."""
    shared_hop.upstream.reset()
    return shared_hop


TWO_TARGETS = """\
routes:
  both:
    models: [both]
    strategy: ordered
    targets: [{provider: up, model: m}, {provider: other, model: m}]
    breaker: {enabled: false}
"""


@pytest.fixture(scope="session")
def _shared_two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hop, Upstream]]:
    with Upstream() as first, Upstream() as second:
        hop = start_hop(
            tmp_path_factory.mktemp("two"), first, TWO_TARGETS, others={"other": second.url}
        )
        yield hop, second
        hop.running.stop()


@pytest.fixture
def two_targets(_shared_two: tuple[Hop, Upstream]) -> tuple[Hop, Upstream]:
    """A gateway whose model `both` goes to its upstream first, and to the second one after it."""
    hop, second = _shared_two
    hop.upstream.reset()
    second.reset()
    return hop, second


MODELS = """\
routes:
  small: {models: [gpt-small], targets: [{provider: up, model: small}]}
  hidden: {models: [hidden-one], targets: [{provider: up, model: hidden}]}
"""


@pytest.fixture(scope="session")
def _shared_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with Upstream() as upstream:
        hop = start_hop(
            tmp_path_factory.mktemp("models"), upstream, MODELS, models=["gpt-small", "up/*"]
        )
        yield hop
        hop.running.stop()


@pytest.fixture
def gateway_models(_shared_models: Hop) -> Hop:
    """A gateway with two named models, of which the key may use one."""
    _shared_models.upstream.reset()
    return _shared_models
